package host

import (
	"bytes"
	"fmt"
	"os"
)

// PeakMemory returns the largest resident memory of the process so far, in bytes, or 0 where it is not to be had. What getrusage says
// includes, on Linux, the memory of the program that started this one.
func PeakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		var kib int64
		if n, _ := fmt.Sscanf(string(line), "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}
