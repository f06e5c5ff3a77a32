package arm64

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hasSME2 reports whether the processor has SME2, and with it the outer products of bytes, of 16-bit numbers and of float32.
func hasSME2() bool {
	for _, name := range []string{"FEAT_SME2", "SME_I8I32", "SME_I16I32", "SME_F32F32"} {
		if has, err := unix.SysctlUint32("hw.optional.arm." + name); err != nil || has != 1 {
			return false
		}
	}
	return vectorLengthKnown()
}

const (
	sigBlock   = 1
	sigSetMask = 3
	// Signals that tell of what the thread itself does are not held.
	heldSignals = ^uint32(1<<(unix.SIGILL-1) | 1<<(unix.SIGTRAP-1) | 1<<(unix.SIGEMT-1) | 1<<(unix.SIGFPE-1) | 1<<(unix.SIGBUS-1) | 1<<(unix.SIGSEGV-1) | 1<<(unix.SIGSYS-1))
)

// holdSignals keeps signals from the thread until releaseSignals: macOS runs a handler in streaming mode if it finds the thread there. The system call is
// that of pthread_sigmask. The one of sigprocmask sets the masks of all threads (bsd/kern/kern_sig.c of xnu), where workers would undo each other's.
func holdSignals() (before uint32) {
	runtime.LockOSThread()
	mask := heldSignals
	// It can't fail with these arguments.
	_, _, _ = unix.RawSyscall(unix.SYS___PTHREAD_SIGMASK, sigBlock, uintptr(unsafe.Pointer(&mask)), uintptr(unsafe.Pointer(&before)))
	return before
}

func releaseSignals(before uint32) {
	_, _, _ = unix.RawSyscall(unix.SYS___PTHREAD_SIGMASK, sigSetMask, uintptr(unsafe.Pointer(&before)), 0)
	runtime.UnlockOSThread()
}
