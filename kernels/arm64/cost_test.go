package arm64

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// costs bounds what the kernels cost, 2 % off what they reach: multiply-accumulates in a cycle of a Cortex-A710, A715 or
// A720 as the tool models it, and at the optimistic end of what is uncertain in that model; instructions for each.
var costs = []struct {
	kernel                   string
	cycle, optimistic, instr float64
}{
	{"gemvQ4Neon", 7.16, 7.37, 0.3194},
	{"gemvQ8Neon", 7.60, 7.84, 0.3354},
	{"gemvQ4KNeon", 6.16, 6.27, 0.3722},
	{"gemvQ6KNeon", 4.59, 4.64, 0.5549},
	{"gemvQ4Dotprod", 12.00, 12.54, 0.1979},
	{"gemmQ4Dotprod16", 21.57, 21.69, 0.1136},
	{"gemmQ4Dotprod4", 18.58, 18.93, 0.1423},
	{"gemvQ8Dotprod", 19.29, 20.90, 0.1501},
	{"gemmQ8Dotprod16", 22.54, 22.67, 0.1196},
	{"gemvQ4KDotprod", 10.79, 10.96, 0.2203},
	{"gemvQ6KDotprod", 7.57, 7.72, 0.3897},
	{"gemmQ4KDotprod", 16.05, 16.86, 0.1800},
	{"gemmQ6KDotprod", 20.68, 21.81, 0.2064},
	{"gemvQ4I8mm", 15.00, 15.68, 0.1660},
	{"gemmQ4I8mm16", 32.36, 32.63, 0.0869},
	{"gemmQ4I8mm4", 25.08, 25.73, 0.1185},
	{"gemmQ4I8mm2", 19.29, 20.07, 0.1607},
	{"gemmQ8I8mm16", 32.36, 32.63, 0.0888},
	{"gemvF16Neon", 1.96, 3.92, 0.6382},
	{"gemmF16Neon16", 6.96, 7.37, 0.4348},
	{"gemmF16Neon4", 5.22, 6.27, 0.5905},
	{"gemmF32Neon4x4", 7.84, 7.84, 0.4160},
	{"gemvF32Neon8", 7.84, 7.84, 0.4323},
	{"scoresF16x4Neon", 5.22, 6.27, 0.5996},
	{"scoresF32x4Neon", 7.84, 7.84, 0.5359},
	{"valuesF16x4Neon", 5.22, 6.27, 0.5544},
	{"valuesF32x4Neon", 7.84, 7.84, 0.5067},
}

// TestCost measures the inner loops without the hardware: it builds this package's tests for arm64 and has
// ../shared/tools/armcost (beside the repository; it needs python3, qemu-user-static and llvm-19) count and model what
// TestCall executes. See ARMCOST.md there.
func TestCost(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
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
	measure := func(t *testing.T, kernel string, options []string, cycle, instr float64) {
		t.Helper()
		args := append([]string{tool, "run", binary, kernel, "--cpu=n2", "--min", fmt.Sprintf("n2=%.2f", cycle), "--max-ipm", fmt.Sprint(instr)},
			options...)
		run := exec.Command("python3", append(args, "--", "-test.run", "^TestCall$/^"+kernel+"$")...)
		out, err := run.CombinedOutput()
		if err != nil {
			t.Errorf("%v:\n%s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "whole symbol") || strings.HasPrefix(line, "  n2") {
				t.Log(options, strings.TrimSpace(line))
			}
		}
	}
	for _, c := range costs {
		t.Run(c.kernel, func(t *testing.T) {
			measure(t, c.kernel, nil, c.cycle, c.instr)
			measure(t, c.kernel, []string{"--optimistic"}, c.optimistic, c.instr)
		})
	}
}
