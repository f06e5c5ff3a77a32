//go:build linux && (arm64 || amd64)

package fastrpc

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// System returns the kernel that runs the program.
func System() Kernel { return system{} }

type system struct{}

func (system) Open(path string) (int, error) {
	return unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
}

// Ioctl lets no signal interrupt a request: Linux's driver, whose wait for the DSP ends at any signal, would then make the same call again.
func (system) Ioctl(fd int, request uint32, argument unsafe.Pointer) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &unix.Sigset_t{Val: [16]uint64{ordinarySignals}}, &before); err != nil {
		return err
	}
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	result, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(argument))
	if errno != 0 {
		return errno
	}
	if result != 0 {
		return Code(result)
	}
	return nil
}

// ordinarySignals are those from 1 to 31. The others are left to the runtime, which reaches all threads by one of them.
const ordinarySignals = 1<<31 - 1

func (system) Map(fd, size int) ([]byte, error) {
	return unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (system) Unmap(mem []byte) error { return unix.Munmap(mem) }

func (system) Close(fd int) error { return unix.Close(fd) }

func (system) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }
