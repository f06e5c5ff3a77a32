// Package cpufeat looks at the processor: how many of its cores are worth giving work to.
//
//	threads := cpufeat.PerformanceCores()
//
// Processors with cores of several speeds are recognised on Linux and Android only; elsewhere all cores count.
package cpufeat

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// PerformanceCores returns the number of fast cores that the process may use, at least 1: on a processor with cores of
// several speeds those within 60 % of the fastest, so that the little cores, which would make all others wait, are left out.
func PerformanceCores() int {
	return max(1, min(fastCores("/sys/devices/system/cpu"), runtime.NumCPU(), runtime.GOMAXPROCS(0)))
}

// fastCores counts the cores below dir whose speed is within 60 % of the fastest, and returns a number that is out of reach
// when the speeds are not to be had.
func fastCores(dir string) int {
	const unknown = 1 << 30
	var speeds []int
	for _, name := range []string{"cpu_capacity", "cpufreq/cpuinfo_max_freq"} {
		if speeds = readSpeeds(dir, name); len(speeds) > 0 {
			break
		}
	}
	if len(speeds) == 0 {
		return unknown
	}
	fastest := 0
	for _, s := range speeds {
		fastest = max(fastest, s)
	}
	fast := 0
	for _, s := range speeds {
		if s*10 >= fastest*6 {
			fast++
		}
	}
	return fast
}

// readSpeeds returns the number in file name of every core's folder that has it.
func readSpeeds(dir, name string) []int {
	files, _ := filepath.Glob(filepath.Join(dir, "cpu[0-9]*", filepath.FromSlash(name)))
	var speeds []int
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if v, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && v > 0 {
			speeds = append(speeds, v)
		}
	}
	return speeds
}
