package hexagon

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/lever-go/lever/tensor"
)

// packets counts the packets of instructions that work executes.
func packets(t *testing.T, work func(d *dsp)) int {
	t.Helper()
	log := filepath.Join(t.TempDir(), "packets")
	// Translated and traced one packet at a time, each is a line.
	t.Run("traced", func(t *testing.T) { work(newDSP(t, "-singlestep", "-d", "exec,nochain", "-D", log)) })
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(data, []byte("\n"))
}

// TestPackets bounds what the inner loops take, at what they reach: packets for a block of 32 columns of 32 rows of weights and n
// rows of activations, or for 32 elements. The DSP begins one packet a cycle at most; what it waits for memory and for results is not
// in these numbers.
func TestPackets(t *testing.T) {
	if testing.Short() {
		t.Skip("traces tens of thousands of packets")
	}
	newDSP(t)
	rng := newRand()
	product := func(format tensor.DType, n int) func(d *dsp, blocks int) {
		return func(d *dsp, blocks int) {
			k := 32 * blocks
			d.multiply(randomMatrix(t, rng, format, 32, k, smallScales(rng)), normal(rng, n*k), n, 0, 0)
		}
	}
	for _, c := range []struct {
		name  string
		bound float64
		work  func(d *dsp, blocks int)
	}{
		{"Q4_0, 1 row", 34, product(tensor.Q4_0, 1)},
		{"Q4_0, 4 rows", 72, product(tensor.Q4_0, 4)},
		{"Q8_0, 1 row", 37, product(tensor.Q8_0, 1)},
		{"Q8_0, 4 rows", 78, product(tensor.Q8_0, 4)},
		{"quantize", 115, func(d *dsp, blocks int) {
			var m memory
			d.call(&m, quantize, m.add(make([]byte, q8BlockBytes*blocks), 0), m.addFloats(normal(rng, 32*blocks), 0), uint32(blocks))
		}},
	} {
		const blocks = 8
		run := func(blocks int) int { return packets(t, func(d *dsp) { c.work(d, blocks) }) }
		got := float64(run(blocks+1)-run(1)) / blocks
		t.Logf("%s: %.1f packets", c.name, got)
		if got > c.bound {
			t.Errorf("%s: %.1f packets, more than %v", c.name, got, c.bound)
		}
	}
}
