package host

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Pin ties the calling goroutine to its thread, and the thread to the given cores, until release is called on the same goroutine. A
// goroutine that ends without release takes its thread with it. On an error, as where the system keeps the process from these cores, nothing
// has changed.
func Pin(cores []int) (release func(), err error) {
	runtime.LockOSThread()
	var before, mask unix.CPUSet
	for _, core := range cores {
		mask.Set(core)
	}
	err = unix.SchedGetaffinity(0, &before)
	if err == nil {
		err = unix.SchedSetaffinity(0, &mask)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("pin a thread to cores %v: %w", cores, err)
	}
	return func() {
		// A thread that can't be given back as it was ends with its goroutine.
		if unix.SchedSetaffinity(0, &before) == nil {
			runtime.UnlockOSThread()
		}
	}, nil
}
