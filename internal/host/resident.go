package host

import (
	"fmt"
	"os"
)

// ResidentMemory returns the resident memory of the process in bytes, or 0 where the system does not tell as Linux and Android do.
func ResidentMemory() int64 {
	var size, resident int64
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	if n, _ := fmt.Sscan(string(statm), &size, &resident); n != 2 {
		return 0
	}
	return resident * int64(os.Getpagesize())
}
