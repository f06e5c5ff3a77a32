package layers_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// small is a model with every shape that could be mistaken for another one different from it.
// Kinds of models: with norms of queries and keys, and without.
const llama, qwen3 = false, true

func small(qkNorm bool) arch.Transformer {
	return arch.Transformer{
		QKNorm: qkNorm, Width: 64, Layers: 3, Heads: 6, KVHeads: 2, HeadDim: 16, FFN: 128, Vocab: 90, MaxPositions: 700, NormEps: 1e-5,
		Rope: layers.Rope{Theta: 10000},
	}
}

// randomWeights returns weights for cfg with matrices of type d. Inner widths must be multiples of d's block.
func randomWeights(t testing.TB, cfg arch.Transformer, d tensor.DType) *layers.Memory {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	m := &layers.Memory{}
	set := func(name string, d tensor.DType, rows, cols int, mean, deviation float64) {
		values := make([]float32, rows*cols)
		for i := range values {
			values[i] = float32(mean + deviation*rng.NormFloat64())
		}
		if err := m.SetMatrix(name, d, rows, cols, values); err != nil {
			t.Fatal(err)
		}
	}
	matrix := func(name string, rows, cols int) { set(name, d, rows, cols, 0, 1/math.Sqrt(float64(cols))) }
	vector := func(name string, n int) { set(name, tensor.F32, 1, n, 1, 0.1) }
	matrix("embedding", cfg.Vocab, cfg.Width)
	for i := range cfg.Layers {
		block := fmt.Sprintf("block.%d.", i)
		vector(block+"attn_norm", cfg.Width)
		matrix(block+"q", cfg.Heads*cfg.HeadDim, cfg.Width)
		matrix(block+"k", cfg.KVHeads*cfg.HeadDim, cfg.Width)
		matrix(block+"v", cfg.KVHeads*cfg.HeadDim, cfg.Width)
		if cfg.QKNorm {
			vector(block+"q_norm", cfg.HeadDim)
			vector(block+"k_norm", cfg.HeadDim)
		}
		matrix(block+"o", cfg.Width, cfg.Heads*cfg.HeadDim)
		vector(block+"mlp_norm", cfg.Width)
		matrix(block+"gate", cfg.FFN, cfg.Width)
		matrix(block+"up", cfg.FFN, cfg.Width)
		matrix(block+"down", cfg.Width, cfg.FFN)
	}
	vector("final_norm", cfg.Width)
	if !cfg.Tied {
		matrix("head", cfg.Vocab, cfg.Width)
	}
	return m
}

func newDecoder(t testing.TB, cfg arch.Transformer, w layers.Weights, opts arch.Options) *layers.Decoder {
	t.Helper()
	d, err := cfg.Decoder(w, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// fataler is what testing.TB and rapid.T have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func forward(t fataler, d *layers.Decoder, tokens []int32, parents []int32) (first int) {
	t.Helper()
	first, err := d.Forward(ctx, layers.Batch{Tokens: tokens, Parents: parents})
	if err != nil {
		t.Fatal(err)
	}
	return first
}

func commit(t fataler, d *layers.Decoder, path ...int) {
	t.Helper()
	if err := d.Commit(path); err != nil {
		t.Fatal(err)
	}
}

// commitAll makes all pending rows, a chain, part of the text.
func commitAll(t fataler, d *layers.Decoder) {
	t.Helper()
	path := make([]int, d.Pending())
	for i := range path {
		path[i] = i
	}
	commit(t, d, path...)
}

func truncate(t fataler, d *layers.Decoder, n int) {
	t.Helper()
	if err := d.Truncate(n); err != nil {
		t.Fatal(err)
	}
}

// logits returns the logits of one pending row.
func logits(t fataler, d *layers.Decoder, row int) []float32 {
	t.Helper()
	dst := make([]float32, d.Vocab())
	if err := d.Project(ctx, dst, []int{row}); err != nil {
		t.Fatal(err)
	}
	return dst
}

// decode makes a token part of the text and returns the logits of what follows.
func decode(t fataler, d *layers.Decoder, token int32) []float32 {
	t.Helper()
	forward(t, d, []int32{token}, nil)
	out := logits(t, d, 0)
	commit(t, d, 0)
	return out
}

// plain returns the logits after the last of tokens, decoded one by one from the text of d.
func plain(t fataler, d *layers.Decoder, tokens []int32) (last []float32) {
	t.Helper()
	for _, token := range tokens {
		last = decode(t, d, token)
	}
	return last
}

// sameBits reports where two rows differ in their bits.
func sameBits(t fataler, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: value %d is %v (%08x), want %v (%08x)", what, i, got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}
