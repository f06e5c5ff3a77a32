package kernels_test

import (
	"math"
	"slices"
	"testing"

	"github.com/lever-go/lever/kernels"
)

// TestActivations compares with the definitions in float64.
func TestActivations(t *testing.T) {
	x := []float32{0, 1e-30, -1e-30, 1e-4, -1e-4, 0.5, -0.5, 30, -30, 100, -100, 1e12, -1e12, float32(math.NaN())}
	for v := float32(-12); v < 12; v += 0.01 {
		x = append(x, v)
	}
	const limit = 30
	eachOwn(t, "activations", func(t *testing.T, set *kernels.Set) {
		for _, f := range []struct {
			name  string
			run   func(dst, x []float32)
			exact func(x float64) float64
		}{
			{"GELU", set.GELU, func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }},
			{"GELUTanh", set.GELUTanh, func(x float64) float64 { return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) }},
			{"ReLU2", set.ReLU2, func(x float64) float64 { return max(x, 0) * max(x, 0) }},
			{"SoftCap", func(dst, x []float32) { copy(dst, x); set.SoftCap(dst, limit) }, func(x float64) float64 { return limit * math.Tanh(x/limit) }},
		} {
			got := make([]float32, len(x))
			f.run(got, x)
			for i, v := range x {
				want := f.exact(float64(v))
				if math.IsNaN(want) != math.IsNaN(float64(got[i])) || math.Abs(float64(got[i])-want) > 1e-6*math.Max(1, math.Abs(want)) {
					t.Errorf("%s(%v) = %v, want %v", f.name, v, got[i], want)
				}
			}
			inPlace := slices.Clone(x)
			f.run(inPlace, inPlace)
			for i := range x {
				if math.Float32bits(inPlace[i]) != math.Float32bits(got[i]) {
					t.Fatalf("%s in place: element %d is %v, want %v", f.name, i, inPlace[i], got[i])
				}
			}
		}
	})
}
