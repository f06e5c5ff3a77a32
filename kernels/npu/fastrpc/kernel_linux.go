//go:build linux && (arm64 || amd64)

package fastrpc

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// System returns the kernel that runs the program.
func System() Kernel { return system{} }

type system struct{}

func (system) Open(path string) (int, error) {
	return unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
}

func (system) Ioctl(fd int, request uint32, argument unsafe.Pointer) error {
	result, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(argument))
	if errno != 0 {
		return errno
	}
	if result != 0 {
		return Code(result)
	}
	return nil
}

func (system) Map(fd, size int) ([]byte, error) {
	return unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (system) Unmap(mem []byte) error { return unix.Munmap(mem) }

func (system) Close(fd int) error { return unix.Close(fd) }

func (system) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }
