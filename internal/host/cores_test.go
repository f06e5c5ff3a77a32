package host

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
	for _, test := range []struct {
		name     string
		file     string
		contents []string
		want     []int
		all      int
	}{
		{"no files", "", nil, nil, 0},
		{"one speed", "cpu_capacity", []string{"1024\n", "1024\n"}, []int{0, 1}, 2},
		{"2 big, 3 middle, 3 little", "cpu_capacity", []string{"280", "280", "280", "760", "760", "760", "1024", "1024"}, []int{3, 4, 5, 6, 7}, 8},
		{"by frequency", "cpufreq/cpuinfo_max_freq", []string{"1800000", "1800000", "3200000", "3400000"}, []int{2, 3}, 4},
		{"nonsense", "cpu_capacity", []string{"fast", "", "-1"}, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			fast, all := fastCores(writeCores(t, test.file, test.contents...))
			if !slices.Equal(fast, test.want) || all != test.all {
				t.Errorf("fast cores %v of %d, want %v of %d", fast, all, test.want, test.all)
			}
		})
	}
}
