package layers

import (
	"math"
	"testing"

	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
)

// TestGELUTanhMul compares with the definition in float64.
func TestGELUTanhMul(t *testing.T) {
	x := []float32{0, 1e-30, -1e-30, 30, -30, 9999, 1e5, -1e5, 1e30, -1e30, float32(math.Inf(1)), float32(math.NaN())}
	for v := float32(-12); v < 12; v += 0.01 {
		x = append(x, v)
	}
	kerneltest.Each(t, "gelu", func(t *testing.T, set *kernels.Set) {
		gate, up := append([]float32(nil), x...), make([]float32, len(x))
		for i := range up {
			up[i] = 0.75
		}
		geluTanhMul(set, gate, up)
		for i, v := range x {
			g := float64(v)
			want := 0.75 * g / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(g+0.044715*g*g*g)))
			got := float64(up[i])
			if got != want && math.IsNaN(want) != math.IsNaN(got) || math.Abs(got-want) > 1e-6*math.Max(1, math.Abs(want)) {
				t.Errorf("GELUTanh(%v)·0.75 = %v, want %v", v, got, want)
			}
		}
	})
}
