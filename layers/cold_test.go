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

// coldWeights are a Prefetcher that has no tensor in memory.
type coldWeights struct{ *layers.Memory }

func (coldWeights) Prefetch([]string) {}

func (coldWeights) Ready(string) bool { return false }

func (coldWeights) Resident() bool { return false }

// randomExperts returns weights for cfg, a mixture of experts.
func randomExperts(t testing.TB, cfg arch.Transformer) *layers.Memory {
	t.Helper()
	w := randomWeights(t, cfg, tensor.Q8_0)
	rng := rand.New(rand.NewPCG(3, 4))
	set := func(name string, rows, cols int) {
		values := make([]float32, rows*cols)
		for i := range values {
			values[i] = float32(rng.NormFloat64() / math.Sqrt(float64(cols)))
		}
		if err := w.SetMatrix(name, tensor.Q8_0, rows, cols, values); err != nil {
			t.Fatal(err)
		}
	}
	for i := range cfg.Layers {
		set(fmt.Sprintf("block.%d.router", i), cfg.Experts, cfg.Width)
		for e := range cfg.Experts {
			expert := fmt.Sprintf("block.%d.expert.%d.", i, e)
			set(expert+"gate", cfg.FFN, cfg.Width)
			set(expert+"up", cfg.FFN, cfg.Width)
			set(expert+"down", cfg.Width, cfg.FFN)
		}
	}
	return w
}

// What was read for rows is told while they are pending, and after the Commit that ends their pass, when policies ask.
func TestColdExperts(t *testing.T) {
	cfg := small(qwen3)
	cfg.Experts, cfg.Chosen = 4, 2
	d := newDecoder(t, cfg, coldWeights{randomExperts(t, cfg)}, arch.Options{MaxBatch: 4, Context: 16})
	cold := func(row int) (sum int) {
		for _, n := range d.Cold(row) {
			sum += n
		}
		return sum
	}
	for range 2 {
		forward(t, d, []int32{1, 2}, nil)
		first, second := cold(0), cold(1)
		if first != cfg.Chosen*cfg.Layers || second > first {
			t.Errorf("%d and %d experts were read for two rows of %d", first, second, cfg.Chosen*cfg.Layers)
		}
		commit(t, d, 0, 1)
		if cold(0) != first || cold(1) != second || cold(2) != 0 {
			t.Errorf("after the commit these are %d, %d and %d of a third row", cold(0), cold(1), cold(2))
		}
	}
}
