package host

import (
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// Temperature returns the temperature of the hottest sensor in degrees Celsius; ok is false where the system shows none, as Linux and Android do
// in /sys/class/thermal.
func Temperature() (celsius float64, ok bool) { return temperature(os.DirFS("/")) }

// Temperatures outside of these are no measurements: sensors that are switched off show them.
const coldest, hottest = 1, 150

func temperature(root fs.FS) (celsius float64, ok bool) {
	for _, n := range numbers(root, "sys/class/thermal/thermal_zone*/temp") {
		if c := float64(n) / 1000; c >= coldest && c <= hottest && c > celsius {
			celsius, ok = c, true
		}
	}
	return celsius, ok
}

// Clock returns the clock of the core that is fastest now, in hertz, or 0 where the system does not tell.
func Clock() int64 { return clock(os.DirFS("/")) }

func clock(root fs.FS) (fastest int64) {
	for _, kilohertz := range numbers(root, "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq") {
		fastest = max(fastest, kilohertz*1000)
	}
	return fastest
}

// Core is what the system says of one core; 0 is what it does not tell.
type Core struct {
	Number   int   `json:"number"`
	Capacity int64 `json:"capacity,omitempty"` // relative to the largest of the system, which is 1024
	MaxClock int64 `json:"max_hertz,omitempty"`
}

// Cores returns the cores that Linux and Android tell about, by number.
func Cores() []Core { return cores(os.DirFS("/")) }

func cores(root fs.FS) (all []Core) {
	const dir = "sys/devices/system/cpu"
	for n := 0; ; n++ {
		folder := path.Join(dir, "cpu"+strconv.Itoa(n))
		if _, err := fs.Stat(root, folder); err != nil {
			return all
		}
		capacity, _ := number(root, path.Join(folder, "cpu_capacity"))
		kilohertz, _ := number(root, path.Join(folder, "cpufreq/cpuinfo_max_freq"))
		all = append(all, Core{n, max(0, capacity), max(0, kilohertz*1000)})
	}
}

// numbers returns the numbers in the files that match a pattern.
func numbers(root fs.FS, pattern string) (all []int64) {
	files, _ := fs.Glob(root, pattern)
	for _, file := range files {
		if n, err := number(root, file); err == nil {
			all = append(all, n)
		}
	}
	return all
}

// Features returns the names of what the processor can do, as Linux writes them.
func Features() []string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil
	}
	return features(string(info))
}

func features(info string) []string {
	for line := range strings.Lines(info) {
		key, value, found := strings.Cut(line, ":")
		if key = strings.TrimSpace(key); found && (key == "Features" || key == "flags") {
			return strings.Fields(value)
		}
	}
	return nil
}
