package arm64

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// costs bounds what the kernels cost, 2 % below what they reach: multiply-accumulates in a cycle on a Cortex-A710/A715/A720
// (Cortex-A76/A77/A78 for the set without dot products) as the tool models it, and at the optimistic end of what is
// uncertain in that model; instructions for a multiply-accumulate.
var costs = []struct {
	kernel                   string
	cycle, optimistic, instr float64
}{}

// TestCost measures the inner loops without the hardware: it builds this package's tests for arm64 and has
// ../shared/tools/armcost (beside the repository; it needs python3, qemu-user-static and llvm-19) count and model what
// TestCall executes. See ARMCOST.md there.
func TestCost(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	tool := filepath.Join("..", "..", "..", "shared", "tools", "armcost")
	if _, err := os.Stat(tool); err != nil {
		t.Skipf("no cost model: %v", err)
	}
	for _, program := range []string{"python3", "qemu-aarch64-static", "llvm-mca-19", "llvm-objdump-19"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no cost model: %v", err)
		}
	}
	binary := filepath.Join(t.TempDir(), "kernels.test")
	build := exec.Command("go", "test", "-c", "-o", binary, ".")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range costs {
		t.Run(c.kernel, func(t *testing.T) {
			for _, end := range []struct {
				option string
				cycle  float64
			}{{"--cpu=n2", c.cycle}, {"--optimistic", c.optimistic}} {
				run := exec.Command("python3", tool, "run", binary, c.kernel, end.option, "--min", fmt.Sprintf("n2=%.2f", end.cycle),
					"--max-ipm", fmt.Sprint(c.instr), "--", "-test.run", "^TestCall$/^"+c.kernel+"$")
				out, err := run.CombinedOutput()
				if err != nil {
					t.Errorf("%v:\n%s", err, out)
				}
				for line := range strings.Lines(string(out)) {
					if strings.Contains(line, "whole symbol") || strings.HasPrefix(line, "  n2") {
						t.Log(end.option, strings.TrimSpace(line))
					}
				}
			}
		})
	}
}
