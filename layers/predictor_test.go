package layers_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// Logits are those of the definition, as far as quantised inputs allow, for the rows that are asked for.
func TestPredictor(t *testing.T) {
	const width, rank, vocab, states = 96, 32, 50, 5 // the last row is for other tokens
	random := rand.New(rand.NewPCG(1, 2))
	var w layers.Memory
	values := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		return x
	}
	matrix := func(name string, rows, cols int) tensor.Packed {
		if err := w.SetMatrix(name, tensor.Q8_0, rows, cols, values(rows*cols)); err != nil {
			t.Fatal(err)
		}
		for part, err := range w.Parts(ctx, name) {
			if err != nil {
				t.Fatal(err)
			}
			return part
		}
		panic("no part")
	}
	c := layers.PredictorConfig{Layer: 3, NormEps: 1e-5, Blend: layers.BlendWeights{Draft: 1, Predictor: 0.5, Other: -1}, Down: matrix("down", rank, width), Out: matrix("out", vocab, rank)}
	pool := kernels.NewPool(2)
	defer pool.Close()
	p, err := layers.NewPredictor(c, width, pool)
	if err != nil {
		t.Fatal(err)
	}
	if p.Layer() != 3 || p.Vocab() != vocab-1 || p.Blend() != c.Blend {
		t.Errorf("after layer %d, %d tokens", p.Layer(), p.Vocab())
	}
	hidden, tokens := values(states*width), []int32{48, 0, 17}
	down, out := make([]float32, width), make([]float32, rank)
	got := make([]float32, len(tokens)+1)
	for _, rows := range [][]int{{4}, {0, 2, 3}, nil, {1, 2, 3, 4}} {
		p.Look(hidden, rows)
		for i, row := range rows {
			x := hidden[row*width : (row+1)*width]
			squares := 0.0
			for _, v := range x {
				squares += float64(v) * float64(v)
			}
			scale := 1 / math.Sqrt(squares/width+1e-5)
			p.Score(got, i, tokens)
			for k, token := range append(slices.Clone(tokens), vocab-1) {
				want, size := 0.0, 0.0
				kernels.Default().DequantizeRow(out, c.Out, int(token))
				for r := range rank {
					kernels.Default().DequantizeRow(down, c.Down, r)
					low := 0.0
					for j, v := range x {
						low += float64(v) * scale * float64(down[j])
					}
					want += low * float64(out[r])
					size += math.Abs(low * float64(out[r]))
				}
				if math.Abs(float64(got[k])-want) > 0.02*size {
					t.Errorf("rows %v: state %d, token %d: %v, want %v", rows, row, token, got[k], want)
				}
			}
		}
	}
	if n := testing.AllocsPerRun(20, func() {
		p.Look(hidden, []int{1, 2})
		p.Score(got, 1, tokens)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if _, err := layers.NewPredictor(c, width+32, nil); err == nil {
		t.Error("no error for a decoder of another width")
	}
	c.Out = c.Down
	if _, err := layers.NewPredictor(c, width, nil); err == nil {
		t.Error("no error for matrices that do not fit")
	}
}
