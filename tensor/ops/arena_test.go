package ops_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/ops"
)

// TestSteadyUseAllocatesLittle runs an MLP with norm in an arena.
func TestSteadyUseAllocatesLittle(t *testing.T) {
	const rows, width, ffn = 16, 256, 1024
	source := rand.New(rand.NewPCG(1, 1))
	up, err1 := tensor.Must(tensor.Must(tensor.Normal(source, 0, 1, ffn, width)).To(tensor.Q8_0)).Packed()
	down, err2 := tensor.Must(tensor.Must(tensor.Normal(source, 0, 1, width, ffn)).To(tensor.Q4_0)).Packed()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	gain := tensor.Must(tensor.Ones(tensor.F32, width))
	stream := make([]float32, rows*width)
	var arena tensor.Arena
	pass := func() {
		defer arena.Reset()
		x := arena.Use(tensor.Must(tensor.FromFloat32s(stream, rows, width)))
		h := tensor.Must(ops.LayerNorm(x, gain, gain, 1e-5))
		h = tensor.Must(ops.GELUTanh(tensor.Must(ops.Linear(nil, h, up))))
		y := tensor.Must(ops.Add(x, tensor.Must(ops.Linear(nil, h, down))))
		if err := x.Assign(y); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		pass()
	}
	// The race detector makes pools forget at random, so the best pass counts.
	got := uint64(math.MaxUint64)
	for range 20 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		pass()
		runtime.ReadMemStats(&after)
		got = min(got, after.TotalAlloc-before.TotalAlloc)
	}
	if results := uint64(4 * rows * (3*width + 2*ffn)); got > results/20 {
		t.Errorf("a pass allocates %d bytes; its results are %d", got, results)
	}
}
