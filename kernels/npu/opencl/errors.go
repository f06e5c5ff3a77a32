package opencl

import (
	"fmt"

	"github.com/lever-go/lever/kernels/npu"
)

// code is an error code of OpenCL.
type code int32

const (
	deviceNotAvailable   code = -2
	memAllocationFailure code = -4
	outOfResources       code = -5
	outOfHostMemory      code = -6
	eventsInWaitList     code = -14 // an event waited for has failed
	invalidContext       code = -34
	invalidQueue         code = -36
	invalidBufferSize    code = -61
)

var codeNames = map[code]string{
	-1: "device not found", -2: "device not available", -3: "compiler not available", -4: "memory object allocation failure",
	-5: "out of resources", -6: "out of host memory", -11: "build program failure", -14: "execution status error for events in wait list",
	-30: "invalid value", -32: "invalid platform", -33: "invalid device", -34: "invalid context", -36: "invalid command queue",
	-37: "invalid host pointer", -38: "invalid memory object", -43: "invalid build options", -44: "invalid program",
	-45: "invalid program executable", -46: "invalid kernel name", -48: "invalid kernel", -49: "invalid argument index",
	-50: "invalid argument value", -51: "invalid argument size", -52: "invalid kernel arguments", -53: "invalid work dimension",
	-54: "invalid work group size", -55: "invalid work item size", -58: "invalid event", -61: "invalid buffer size", -1001: "no platform",
}

// kind returns the error of package npu that c amounts to, nil if none. running says that c is how a command ended.
func (c code) kind(running bool) error {
	switch c {
	case outOfResources:
		if running { // so drivers say that a kernel was broken off
			return npu.ErrLost
		}
		return npu.ErrOutOfMemory
	case memAllocationFailure, outOfHostMemory:
		return npu.ErrOutOfMemory
	case invalidBufferSize:
		return npu.ErrUnsupported
	case deviceNotAvailable, invalidContext, invalidQueue:
		return npu.ErrLost
	}
	if c < -1000 || running {
		return npu.ErrLost // codes of vendors: the state of the device is unknown
	}
	return nil
}

func (c code) String() string {
	if name, ok := codeNames[c]; ok {
		return fmt.Sprintf("%s (%d)", name, int32(c))
	}
	return fmt.Sprintf("error %d", int32(c))
}

// err returns the error of doing something that ended with c, nil if c is success.
func (c code) err(doing string, running bool) error {
	if c == 0 {
		return nil
	}
	if kind := c.kind(running); kind != nil {
		return fmt.Errorf("opencl: %s: %v: %w", doing, c, kind)
	}
	return fmt.Errorf("opencl: %s: %v", doing, c)
}
