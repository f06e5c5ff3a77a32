package cpufeat

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestPerformanceCores(t *testing.T) {
	if n := PerformanceCores(); n < 1 || n > runtime.NumCPU() {
		t.Errorf("%d of %d cores", n, runtime.NumCPU())
	}
}

// writeCores makes a folder like /sys/devices/system/cpu whose cores have one file each with these contents.
func writeCores(t *testing.T, file string, contents ...string) string {
	dir := t.TempDir()
	for i, c := range contents {
		name := filepath.Join(dir, fmt.Sprintf("cpu%d", i), filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(c), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "cpufreq"), 0o755); err != nil { // no core, though its name begins like one
		t.Fatal(err)
	}
	return dir
}

func TestFastCores(t *testing.T) {
	const unknown = 1 << 30
	for _, test := range []struct {
		name     string
		file     string
		contents []string
		want     int
	}{
		{"no files", "", nil, unknown},
		{"one speed", "cpu_capacity", []string{"1024\n", "1024\n"}, 2},
		{"2 big, 3 middle, 3 little", "cpu_capacity", []string{"280", "280", "280", "760", "760", "760", "1024", "1024"}, 5},
		{"by frequency", "cpufreq/cpuinfo_max_freq", []string{"1800000", "1800000", "3200000", "3400000"}, 2},
		{"nonsense", "cpu_capacity", []string{"fast", "", "-1"}, unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := fastCores(writeCores(t, test.file, test.contents...)); got != test.want {
				t.Errorf("%d fast cores, want %d", got, test.want)
			}
		})
	}
}
