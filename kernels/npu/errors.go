package npu

import "errors"

// Errors that a caller can act on. Those of a driver wrap one of them where it applies.
var (
	// ErrUnsupported: the device can't do this at all: a matrix, a type of weights, a batch size. The CPU has to.
	ErrUnsupported = errors.New("not supported by the device")
	// ErrOutOfMemory: the device, its session or its address space has no room. The same request may succeed later.
	ErrOutOfMemory = errors.New("the device is out of memory")
	// ErrLost: the session with the device is gone, and with it all buffers and programs. Everything but Close and Free fails from now on.
	ErrLost = errors.New("the session with the device is lost")
)
