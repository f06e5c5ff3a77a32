package arm64

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/minio/sha256-simd"
)

// costs bounds what the kernels cost, 2 % off what they reach: multiply-accumulates in a cycle of a Cortex-A710, A715 or
// A720 as the tool models it, and at the optimistic end of what is uncertain in that model; instructions for each. counted,
// if not 0, is how many the tool takes each for, since it cannot tell conversions by FMLAL and scaling by FMLA from products.
var costs = []struct {
	kernel                   string
	cycle, optimistic, instr float64
	counted                  float64
	options                  []string
}{
	{kernel: "gemvQ4Neon", cycle: 7.16, optimistic: 7.37, instr: 0.3194},
	{kernel: "gemvQ8Neon", cycle: 7.60, optimistic: 7.84, instr: 0.3354},
	{kernel: "gemvQ4KNeon", cycle: 6.16, optimistic: 6.27, instr: 0.3722},
	{kernel: "gemvQ6KNeon", cycle: 4.59, optimistic: 4.64, instr: 0.5549},
	{kernel: "gemvQ4Dotprod", cycle: 12.00, optimistic: 12.54, instr: 0.1979},
	{kernel: "gemmQ4Dotprod16", cycle: 21.57, optimistic: 21.69, instr: 0.1136},
	{kernel: "gemmQ4Dotprod4", cycle: 18.58, optimistic: 18.93, instr: 0.1423},
	{kernel: "gemvQ8Dotprod", cycle: 19.29, optimistic: 20.90, instr: 0.1501},
	{kernel: "gemmQ8Dotprod16", cycle: 22.54, optimistic: 22.67, instr: 0.1196},
	{kernel: "gemvQ4KDotprod", cycle: 10.79, optimistic: 10.96, instr: 0.2203},
	{kernel: "gemvQ6KDotprod", cycle: 7.57, optimistic: 7.72, instr: 0.3897},
	{kernel: "gemmQ4KDotprod", cycle: 16.05, optimistic: 16.86, instr: 0.1800},
	{kernel: "gemmQ6KDotprod", cycle: 18.00, optimistic: 18.84, instr: 0.2062, options: wholeBlocks},
	{kernel: "gemvQ4I8mm", cycle: 15.00, optimistic: 15.68, instr: 0.1660},
	{kernel: "gemmQ4I8mm16", cycle: 32.36, optimistic: 32.63, instr: 0.0869},
	{kernel: "gemmQ4I8mm4", cycle: 25.08, optimistic: 25.73, instr: 0.1185},
	{kernel: "gemmQ4I8mm2", cycle: 19.29, optimistic: 20.07, instr: 0.1607},
	{kernel: "gemmQ4KI8mm", cycle: 21.57, optimistic: 22.57, instr: 0.1358, options: wholeBlocks},
	{kernel: "gemmQ6KI8mm", cycle: 21.18, optimistic: 22.13, instr: 0.1372, options: wholeBlocks},
	{kernel: "gemmQ8I8mm16", cycle: 32.36, optimistic: 32.63, instr: 0.0888},
	{kernel: "gemvUnpackedNeon", cycle: 8.09, optimistic: 8.09, instr: 0.3293},
	{kernel: "gemvUnpackedDotprod", cycle: 22.80, optimistic: 22.80, instr: 0.1441},
	{kernel: "gemmUnpackedDotprod16", cycle: 22.80, optimistic: 22.80, instr: 0.1190},
	{kernel: "gemmUnpackedI8mm16", cycle: 32.90, optimistic: 32.90, instr: 0.0882},
	{kernel: "gemvMinimaDotprod", cycle: 20.90, optimistic: 20.90, instr: 0.1561},
	{kernel: "gemmMinimaDotprod16", cycle: 20.90, optimistic: 20.90, instr: 0.1275},
	{kernel: "gemvPairsDotprod", cycle: 13.20, optimistic: 13.20, instr: 0.2132},
	{kernel: "gemmMinimaI8mm16", cycle: 31.36, optimistic: 31.36, instr: 0.0971},
	{kernel: "unpackNibblesNeon", instr: 0.2493, options: elements},
	{kernel: "unpackMXFP4Neon", instr: 0.3252, options: elements},
	{kernel: "unpackIQ4XSNeon", instr: 0.2782, options: elements},
	{kernel: "unpackQ3KNeon", instr: 0.5594, options: elements},
	{kernel: "unpackQ5KNeon", instr: 0.4776, options: elements},
	{kernel: "unpackQ5KPairsNeon", instr: 0.4598, options: elements},
	{kernel: "unpackIQ3XXSNeon", instr: 1.0213, options: elements},
	{kernel: "unpackIQ3SNeon", instr: 1.0049, options: elements},
	{kernel: "gemvF16Neon", cycle: 1.96, optimistic: 3.92, instr: 0.6382},
	{kernel: "gemmF16Neon16", cycle: 6.96, optimistic: 7.37, instr: 0.4348},
	{kernel: "gemmF16Neon4", cycle: 5.22, optimistic: 6.27, instr: 0.5905},
	{kernel: "gemvF16I8mm", cycle: 3.92, optimistic: 3.92, instr: 0.7658, counted: 2},
	{kernel: "gemmF16I8mm16", cycle: 7.38, optimistic: 7.38, instr: 0.4427, counted: 17. / 16},
	{kernel: "gemmF16I8mm4", cycle: 6.27, optimistic: 6.27, instr: 0.6223, counted: 5. / 4},
	{kernel: "gemvF16Fp16Tiles4", cycle: 14.97, optimistic: 15.20, instr: 0.2119, counted: 129. / 128, options: wholeBlocks},
	{kernel: "gemmF16Fp16Rows4", cycle: 14.97, optimistic: 15.20, instr: 0.1664, counted: 129. / 128, options: wholeBlocks},
	{kernel: "gemmF16Fp16Rows2", cycle: 14.97, optimistic: 15.20, instr: 0.1917, counted: 129. / 128, options: wholeBlocks},
	{kernel: "gemmF16Fp16Rows1", cycle: 12.12, optimistic: 12.23, instr: 0.2424, counted: 129. / 128, options: wholeBlocks},
	{kernel: "gemmF32Neon4x4", cycle: 7.84, optimistic: 7.84, instr: 0.4160},
	{kernel: "gemvF32Neon8", cycle: 7.84, optimistic: 7.84, instr: 0.4323},
	{kernel: "scoresF16x4Neon", cycle: 5.22, optimistic: 6.27, instr: 0.5996},
	{kernel: "scoresF32x4Neon", cycle: 7.84, optimistic: 7.84, instr: 0.5359},
	{kernel: "valuesF16x4Neon", cycle: 5.22, optimistic: 6.27, instr: 0.5544},
	{kernel: "valuesF32x4Neon", cycle: 7.84, optimistic: 7.84, instr: 0.5067},
	{kernel: "scoresQ8x4Neon", cycle: 7.27, optimistic: 7.27, instr: 0.3396},
	{kernel: "scoresQ8x4Dotprod", cycle: 13.56, optimistic: 13.56, instr: 0.2121},
	{kernel: "valuesQ8x4Neon", cycle: 6.27, optimistic: 6.27, instr: 0.5561},
	{kernel: "valuesQ4x4Neon", cycle: 5.70, optimistic: 5.70, instr: 0.5883},
}

// wholeBlocks makes the tool take the loop over blocks for the hot one, which turns more often than 20 times, in place of the
// loop over the columns of a block, or over the rows that an unpacked block is multiplied with.
var wholeBlocks = []string{"--min-trip", "20"}

// elements makes the tool count instructions for each of the elements that TestCall unpacks, since there are no products.
var elements = []string{"--macs", "32768", "--min-trip", "1"}

var update = flag.Bool("update", false, "measure all kernels and record that they keep to their bounds")

// recordFile holds the sum of what was measured when all kernels kept to their bounds.
const recordFile = "testdata/costs.sum"

// sources returns a sum over what decides what the kernels cost, which is the assembly, and over the bounds.
func sources(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("*.[sh]")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(name string) bool { return strings.Contains(name, "sme2") }) // the tool models no processor with SME2
	sum := sha256.New()
	fmt.Fprintln(sum, costs)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
	}
	return fmt.Sprintf("%x\n", sum.Sum(nil))
}

// TestCost measures the inner loops without the hardware: it builds this package's tests for arm64 and has
// ../shared/tools/armcost (beside the repository; it needs python3, qemu-user-static and llvm-19) count and model what
// TestCall executes. See ARMCOST.md there. The costs follow from the assembly alone. Where it is as it was recorded with -update, every sixth kernel is measured again; otherwise all are, which takes minutes.
func TestCost(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many seconds")
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
	sum := sources(t)
	record, err := os.ReadFile(recordFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	recorded := string(record) == sum && !*update
	t.Cleanup(func() {
		if *update && !t.Failed() {
			if err := os.WriteFile(recordFile, []byte(sum), 0o644); err != nil {
				t.Error(err)
			}
		}
	})
	for i, c := range costs {
		if recorded && i%6 != 1 { // none of those whose model takes longest
			continue
		}
		t.Run(c.kernel, func(t *testing.T) {
			t.Parallel() // what is measured does not depend on time
			counted := max(c.counted, 1)
			command := func(cycle float64, options ...string) []string {
				args := []string{"run", binary, c.kernel, "--cpu=n2", "--min", fmt.Sprintf("n2=%.2f", cycle*counted), "--max-ipm", fmt.Sprint(c.instr / counted)}
				return slices.Concat(args, options, c.options, []string{"--", "-test.run", "^TestCall$/^" + c.kernel + "$"})
			}
			commands := [][]string{command(c.cycle)}
			if c.optimistic != c.cycle {
				commands = append(commands, command(c.optimistic, "--optimistic"))
			}
			list, err := json.Marshal(commands)
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("python3", filepath.Join("testdata", "costs.py"), tool, string(list)).CombinedOutput()
			if err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
			models := 0
			for line := range strings.Lines(string(out)) {
				if strings.HasPrefix(line, "  n2") {
					models++
				}
				if strings.Contains(line, "whole symbol") || strings.HasPrefix(line, "  n2") {
					t.Log(c.options, strings.TrimSpace(line))
				}
			}
			if models != len(commands) {
				t.Errorf("%d of %d costs were computed:\n%s", models, len(commands), out)
			}
		})
	}
}
