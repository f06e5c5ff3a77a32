//go:build unix && !linux

package lever

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// peakRSS returns the largest resident memory of the process so far, in bytes.
func peakRSS() int64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) * 1024
}
