package opencl

import (
	"strings"
	"unsafe"
)

// Pointers are converted in the argument lists of call and status only, which keeps what they point to in place.

// status calls a function that returns an error code.
//
//go:uintptrescapes
func (l *library) status(f function, args ...uintptr) code { return code(int32(l.call(f, args...))) }

func (l *library) platforms() []handle {
	var n uint32
	if l.status(getPlatformIDs, 0, 0, uintptr(unsafe.Pointer(&n))) != 0 || n == 0 {
		return nil
	}
	ids := make([]handle, n)
	if l.status(getPlatformIDs, uintptr(n), uintptr(unsafe.Pointer(&ids[0])), 0) != 0 {
		return nil
	}
	return ids
}

func (l *library) devices(platform handle) []handle {
	var n uint32
	if l.status(getDeviceIDs, uintptr(platform), deviceTypeAll, 0, 0, uintptr(unsafe.Pointer(&n))) != 0 || n == 0 {
		return nil
	}
	ids := make([]handle, n)
	if l.status(getDeviceIDs, uintptr(platform), deviceTypeAll, uintptr(n), uintptr(unsafe.Pointer(&ids[0])), 0) != 0 {
		return nil
	}
	return ids
}

// text returns a string that a platform or a device tells of itself.
func (l *library) text(f function, object handle, what uintptr) string {
	var size uintptr
	if l.status(f, uintptr(object), what, 0, 0, uintptr(unsafe.Pointer(&size))) != 0 || size == 0 {
		return ""
	}
	b := make([]byte, size)
	if l.status(f, uintptr(object), what, size, uintptr(unsafe.Pointer(&b[0])), 0) != 0 {
		return ""
	}
	return cString(b)
}

func cString(b []byte) string { return strings.TrimSpace(strings.TrimRight(string(b), "\x00")) }

// number returns a number, of at most 8 bytes, that a device tells of itself; 0 if it does not.
func (l *library) number(device handle, what uintptr) uint64 {
	var v uint64
	if l.status(getDeviceInfo, uintptr(device), what, 8, uintptr(unsafe.Pointer(&v)), 0) != 0 {
		return 0
	}
	return v
}

func (l *library) newContext(device handle) (handle, code) {
	var c code
	h := l.call(createContext, 0, 1, uintptr(unsafe.Pointer(&device)), 0, 0, uintptr(unsafe.Pointer(&c)))
	return handle(h), c
}

func (l *library) newQueue(context, device handle) (handle, code) {
	var c code
	h := l.call(createCommandQueue, uintptr(context), uintptr(device), 0, uintptr(unsafe.Pointer(&c)))
	return handle(h), c
}

func (l *library) newBuffer(context handle, flags, size uintptr, host unsafe.Pointer) (handle, code) {
	var c code
	h := l.call(createBuffer, uintptr(context), flags, size, uintptr(host), uintptr(unsafe.Pointer(&c)))
	return handle(h), c
}

func (l *library) newKernel(program handle, name string) (handle, code) {
	var c code
	zeroEnded := append([]byte(name), 0)
	h := l.call(createKernel, uintptr(program), uintptr(unsafe.Pointer(&zeroEnded[0])), uintptr(unsafe.Pointer(&c)))
	return handle(h), c
}

// build makes a program from source, and returns the compiler's messages if that fails.
func (l *library) build(context, device handle, source, options string) (program handle, log string, c code) {
	text, length := unsafe.StringData(source), uintptr(len(source))
	program = handle(l.call(createProgramWithSource, uintptr(context), 1, uintptr(unsafe.Pointer(&text)), uintptr(unsafe.Pointer(&length)),
		uintptr(unsafe.Pointer(&c))))
	if c != 0 {
		return 0, "", c
	}
	zeroEnded := append([]byte(options), 0)
	c = l.status(buildProgram, uintptr(program), 1, uintptr(unsafe.Pointer(&device)), uintptr(unsafe.Pointer(&zeroEnded[0])), 0, 0)
	if c == 0 {
		return program, "", 0
	}
	b := make([]byte, 64<<10)
	if l.status(getProgramBuildInfo, uintptr(program), uintptr(device), programBuildLog, uintptr(len(b)), uintptr(unsafe.Pointer(&b[0])), 0) == 0 {
		log = cString(b)
	}
	l.status(releaseProgram, uintptr(program))
	return 0, log, c
}

// ended waits for a command and returns how it ended.
func (l *library) ended(event handle) code {
	c := l.status(waitForEvents, 1, uintptr(unsafe.Pointer(&event)))
	if c == eventsInWaitList {
		var status int32
		if l.status(getEventInfo, uintptr(event), eventStatus, 4, uintptr(unsafe.Pointer(&status)), 0) == 0 && status < 0 {
			c = code(status)
		}
	}
	return c
}
