//go:build unix && !linux

package host

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// PeakMemory returns the largest resident memory of the process so far, in bytes.
func PeakMemory() int64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) * 1024
}
