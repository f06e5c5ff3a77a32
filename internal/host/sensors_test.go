package host

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestSensors(t *testing.T) {
	root := fstest.MapFS{}
	for name, text := range map[string]string{
		"sys/class/thermal/thermal_zone0/temp":                      "41500\n",
		"sys/class/thermal/thermal_zone1/temp":                      "-40000\n", // switched off
		"sys/class/thermal/thermal_zone2/temp":                      "none\n",
		"sys/class/thermal/thermal_zone12/temp":                     "38000\n",
		"sys/class/thermal/thermal_zone13/temp":                     "999000\n",
		"sys/devices/system/cpu/cpu0/cpu_capacity":                  "379\n",
		"sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq":      "2265600\n",
		"sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq":      "1100000\n",
		"sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq":      "3100000\n",
		"sys/devices/system/cpu/cpu1/topology/physical_package_id":  "0\n",
		"sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq":   "9900000\n",
		"sys/devices/system/cpu/cpuidle/current_driver":             "none\n",
		"sys/devices/system/cpu/cpu3/topology/physical_package_id":  "0\n", // after one that is missing
		"sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_transition_us": "1\n",
	} {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	if c, ok := temperature(root); c != 41.5 || !ok {
		t.Errorf("%v °C, %v", c, ok)
	}
	if hz := clock(root); hz != 3_100_000_000 {
		t.Errorf("a clock of %d Hz", hz)
	}
	if got, want := cores(root), []Core{{0, 379, 2_265_600_000}, {1, 0, 0}}; !slices.Equal(got, want) {
		t.Errorf("cores %v, want %v", got, want)
	}
	if c, ok := temperature(fstest.MapFS{}); c != 0 || ok || clock(fstest.MapFS{}) != 0 || cores(fstest.MapFS{}) != nil {
		t.Error("a system that tells nothing has sensors")
	}
}

func TestFeatures(t *testing.T) {
	for info, want := range map[string][]string{
		"processor\t: 0\nFeatures\t: fp asimd i8mm\n\nprocessor\t: 1\nFeatures\t: fp\n": {"fp", "asimd", "i8mm"},
		"model name: x\nflags : avx2 fma\n":                                             {"avx2", "fma"},
		"":                                                                              nil,
	} {
		if got := features(info); !slices.Equal(got, want) {
			t.Errorf("%q has %q, want %q", info, got, want)
		}
	}
}
