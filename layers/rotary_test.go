package layers_test

import (
	"math"
	"testing"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
)

func TestFrequencies(t *testing.T) {
	const headDim = 128
	plain := layers.Rope{Theta: 500000}
	scaled := layers.Rope{Theta: 500000, Scaling: layers.RopeLlama3, Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalContext: 8192}
	factors := layers.Rope{Theta: 500000, Scaling: layers.RopeFactors}
	base := plain.Frequencies(headDim)
	for i, f := range base {
		if want := math.Pow(500000, -float64(i)/64); math.Abs(f/want-1) > 1e-14 {
			t.Errorf("plain frequency %d: got %v, want %v", i, f, want)
		}
		factors.Factors = append(factors.Factors, 1+float64(i)/8)
	}
	for i, f := range factors.Frequencies(headDim) {
		if want := base[i] / (1 + float64(i)/8); math.Abs(f/want-1) > 1e-14 {
			t.Errorf("frequency %d divided: got %v, want %v", i, f, want)
		}
	}
	// Llama 3.1's scaling as its authors state it, by wavelengths.
	for i, f := range scaled.Frequencies(headDim) {
		wavelength := 2 * math.Pi / base[i]
		var want float64
		switch {
		case wavelength < 8192/4.0:
			want = base[i]
		case wavelength > 8192/1.0:
			want = base[i] / 8
		default:
			smooth := (8192/wavelength - 1) / (4 - 1)
			want = (1-smooth)*base[i]/8 + smooth*base[i]
		}
		if math.Abs(f/want-1) > 1e-14 {
			t.Errorf("llama3 frequency %d: got %v, want %v", i, f, want)
		}
	}
}

// The frequencies of YaRN as section 3.2 of its paper states them: by how often a wave turns in the original context.
func TestYaRN(t *testing.T) {
	const dim, theta, context, factor = 64, 10000.0, 2048, 8.0
	base := layers.Rope{Theta: theta}.Frequencies(dim)
	r := layers.Rope{Theta: theta, Scaling: layers.RopeYaRN, Factor: factor, OriginalContext: context, BetaFast: 32, BetaSlow: 1}
	r.Exact = true
	exact := r.Frequencies(dim)
	r.Exact = false
	// By hand: 64·ln(2048/(32·2π))/(2·ln 10000) = 8.07, and 20.11 for one turn.
	const low, high = 8.0, 21.0
	for i, f := range r.Frequencies(dim) {
		divided := min(max((float64(i)-low)/(high-low), 0), 1)
		if want := base[i] * (1 - divided + divided/factor); math.Abs(f/want-1) > 1e-14 {
			t.Errorf("frequency %d: got %v, want %v", i, f, want)
		}
		if turns := context * base[i] / (2 * math.Pi); turns > 32 && exact[i] != base[i] || turns < 1 && math.Abs(exact[i]*factor/base[i]-1) > 1e-14 {
			t.Errorf("frequency %d, of %.1f turns: got %v from %v", i, turns, exact[i], base[i])
		}
	}
	linear := layers.Rope{Theta: theta, Scaling: layers.RopeLinear, Factor: factor}
	for i, f := range linear.Frequencies(dim) {
		if math.Abs(f*factor/base[i]-1) > 1e-14 {
			t.Errorf("linear frequency %d: got %v, want an eighth of %v", i, f, base[i])
		}
	}
}

func TestRotaryApply(t *testing.T) {
	const headDim, heads = 8, 2
	freqs := layers.Rope{Theta: 10000}.Frequencies(headDim)
	r := layers.NewRotary(freqs)
	for _, position := range []int{0, 1, 255, 256, 1000, 100000} {
		x := make([]float32, heads*headDim)
		for i := range x {
			x[i] = float32(i%5) - 1.5
		}
		got := append([]float32(nil), x...)
		r.Grow(position + 1)
		r.Apply(kernels.Default(), got, heads, position)
		for h := range heads {
			for i, f := range freqs {
				sin, cos := math.Sincos(float64(position) * f)
				a, b := float64(x[h*headDim+i]), float64(x[h*headDim+i+headDim/2])
				wantA, wantB := a*cos-b*sin, a*sin+b*cos
				if gotA, gotB := got[h*headDim+i], got[h*headDim+i+headDim/2]; math.Abs(float64(gotA)-wantA) > 1e-6 || math.Abs(float64(gotB)-wantB) > 1e-6 {
					t.Errorf("position %d head %d pair %d: got %v %v, want %v %v", position, h, i, gotA, gotB, wantA, wantB)
				}
			}
		}
	}
}
