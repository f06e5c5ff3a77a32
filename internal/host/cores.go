package host

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// cpuDir tells of cores of several speeds on Linux and Android; elsewhere all cores count as fast.
const cpuDir = "/sys/devices/system/cpu"

// processors is looked up before anybody lets Go run more threads.
var processors = min(runtime.NumCPU(), runtime.GOMAXPROCS(0))

// Processors returns the number of processors that the process may use: those that there are, or fewer in a container with a limit.
func Processors() int { return processors }

// PerformanceCores returns the number of fast cores that the process may use, at least 1: on a processor with cores of
// several speeds those within 60 % of the fastest, so that the little cores, which would make all others wait, are left out.
func PerformanceCores() int {
	n := processors
	if fast, _ := fastCores(cpuDir); len(fast) > 0 {
		n = min(n, len(fast))
	}
	return max(1, n)
}

// BigCores returns the numbers of these cores on a processor that has slower ones too; else nil.
func BigCores() []int {
	fast, all := fastCores(cpuDir)
	if len(fast) == all {
		return nil
	}
	return fast
}

// fastCores returns the cores below dir, ascending, whose speed is within 60 % of the fastest, and the number of all whose speed is known.
func fastCores(dir string) (fast []int, all int) {
	var speeds map[int]int
	for _, name := range []string{"cpu_capacity", "cpufreq/cpuinfo_max_freq"} {
		if speeds = readSpeeds(dir, name); len(speeds) > 0 {
			break
		}
	}
	fastest := 0
	for _, s := range speeds {
		fastest = max(fastest, s)
	}
	for core, s := range speeds {
		if s*10 >= fastest*6 {
			fast = append(fast, core)
		}
	}
	slices.Sort(fast)
	return fast, len(speeds)
}

// readSpeeds returns the number in file name of every core's folder that has it, by core.
func readSpeeds(dir, name string) map[int]int {
	files, _ := filepath.Glob(filepath.Join(dir, "cpu[0-9]*", filepath.FromSlash(name)))
	speeds := map[int]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		folder, _, _ := strings.Cut(strings.TrimPrefix(file, filepath.Join(dir, "cpu")), string(filepath.Separator))
		core, err := strconv.Atoi(folder)
		if err != nil {
			continue
		}
		if v, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && v > 0 {
			speeds[core] = v
		}
	}
	return speeds
}
