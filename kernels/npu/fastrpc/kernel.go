package fastrpc

import "unsafe"

// Kernel is what a session asks of the operating system. [System] asks the one that runs the program; tests put their own in its place. Its
// methods are safe for concurrent use.
type Kernel interface {
	// Open opens a device for reading.
	Open(path string) (fd int, err error)
	// Ioctl makes a request, with its argument or nil. A result other than 0 that is no errno is a [Code].
	Ioctl(fd int, request uint32, argument unsafe.Pointer) error
	// Map maps the first size bytes of a dma-buf for reading and writing.
	Map(fd, size int) ([]byte, error)
	// Unmap ends a mapping.
	Unmap(mem []byte) error
	// Close closes what Open or a request has opened.
	Close(fd int) error
	// ReadFile reads a file of the system.
	ReadFile(path string) ([]byte, error)
}

// Requests to devices, as <asm-generic/ioctl.h> makes their numbers.
const (
	write     = 1 << 30
	readWrite = 3 << 30
)

func request(direction uint32, of byte, number, size uintptr) uint32 {
	return direction | uint32(size)<<16 | uint32(of)<<8 | uint32(number)
}
