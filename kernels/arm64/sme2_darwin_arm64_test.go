package arm64

import (
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Signals are held from the thread alone that asks for it, and until it ends that.
func TestHoldSignals(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	held := func() (mask uint32) {
		_, _, _ = unix.RawSyscall(unix.SYS___PTHREAD_SIGMASK, sigBlock, 0, uintptr(unsafe.Pointer(&mask)))
		return mask
	}
	other := func() uint32 {
		mask := make(chan uint32)
		go func() { mask <- held() }()
		return <-mask
	}
	const interrupt = 1 << (unix.SIGINT - 1)
	first := held()
	before := holdSignals()
	if before != first || held()&interrupt == 0 || held()&(1<<(unix.SIGSEGV-1)) != first&(1<<(unix.SIGSEGV-1)) {
		t.Errorf("%#x are held, before it were %#x", held(), first)
	}
	if mask := other(); mask&interrupt != 0 {
		t.Errorf("%#x are held from another thread", mask)
	}
	releaseSignals(before)
	if held() != first {
		t.Errorf("%#x are held in the end, at first it were %#x", held(), first)
	}
}
