package hexagon

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// lengths are those around one vector and several.
var lengths = []int{1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 128, 257, 1024}

// wide returns numbers of all sizes between 2^-bits and 2^bits.
func wide(rng *rand.Rand, n int, bits float64) []float32 {
	x := normal(rng, n)
	for i := range x {
		x[i] *= float32(math.Exp2(bits * (2*rng.Float64() - 1)))
	}
	return x
}

// near reports whether got is within ulps units in the last place of want, or of the smallest number where that is coarser.
func near(got float32, want, ulps float64) bool {
	if math.Abs(want) > math.MaxFloat32 {
		return math.IsInf(float64(got), int(math.Copysign(1, want)))
	}
	return math.Abs(float64(got)-want) <= ulps*max(math.Abs(want)*eps/2, math.SmallestNonzeroFloat32)
}

func TestRMSNorm(t *testing.T) {
	dsp := newDSP(t)
	rng := newRand()
	run := func(x, gain []float32, eps float32, off int, inPlace bool) []float32 {
		var m memory
		dst := m.addFloats(x, off)
		from := dst
		if !inPlace {
			from = m.addFloats(x, 4)
		}
		return dsp.callFloats(&m, rmsNorm, dst, from, m.addFloats(gain, 8), uint32(len(x)), math.Float32bits(eps))
	}
	check := func(x, gain []float32, eps float32, off int) {
		t.Helper()
		sum := 0.0
		for _, v := range x {
			sum += float64(v) * float64(v)
		}
		scale := 1 / math.Sqrt(sum/float64(len(x))+float64(eps))
		got := run(x, gain, eps, off, false)
		for i, v := range got {
			if want := float64(x[i]) * float64(gain[i]) * scale; !near(v, want, 2) {
				t.Fatalf("n=%d element %d: %v, want %v", len(x), i, v, want)
			}
		}
		if again := run(x, gain, eps, off, true); !slices.Equal(again, got) {
			t.Fatalf("n=%d: in place the result is another", len(x))
		}
	}
	for i, n := range lengths {
		check(normal(rng, n), normal(rng, n), 1e-5, i%8*4)
		check(wide(rng, n, 120), wide(rng, n, 5), 1e-6, 0)
		check(wide(rng, n, 2), wide(rng, n, 120), 0, 0)
	}
	for _, size := range []float32{0, math.SmallestNonzeroFloat32, 1e-30, 1e18, math.MaxFloat32} {
		check(slices.Repeat([]float32{size, -size}, 60), normal(rng, 120), 1e-5, 0)
	}
	for _, bad := range []float32{nan, inf, -inf} {
		x, gain := normal(rng, 70), normal(rng, 70)
		x[66] = bad
		if got := run(x, gain, 1e-5, 0, true); slices.ContainsFunc(got, func(v float32) bool { return v == v }) {
			t.Errorf("%v in a row gives %v", bad, got)
		}
		gain[33], x[66] = bad, 1
		for i, v := range run(x, gain, 1e-5, 0, true) {
			if (i == 33) != (v != v) {
				t.Errorf("with gain[33] = %v element %d is %v", bad, i, v)
			}
		}
	}
}

func TestRoPE(t *testing.T) {
	dsp := newDSP(t)
	rng := newRand()
	for kernel, pairing := range map[int]string{ropeHalves: "halves", ropeAdjacent: "adjacent"} {
		for _, dim := range []int{2, 4, 6, 16, 30, 32, 34, 48, 62, 64, 66, 96, 98, 128, 256} {
			for heads := 1; heads < 4; heads++ {
				half := dim / 2
				x := wide(rng, heads*dim, 10)
				cos, sin := make([]float32, half), make([]float32, half)
				for i := range half {
					s, c := math.Sincos(rng.Float64() * 100)
					cos[i], sin[i] = float32(c), float32(s)
				}
				if dim == 98 && heads == 2 {
					x[dim+40], x[3], sin[5] = nan, inf, -inf
				}
				var m memory
				got := dsp.callFloats(&m, kernel, m.addFloats(x, dim%8*4), m.addFloats(cos, 4), m.addFloats(sin, 0), uint32(heads), uint32(dim))
				for h := range heads {
					for i := range half {
						ia, ib := h*dim+i, h*dim+i+half
						if kernel == ropeAdjacent {
							ia, ib = h*dim+2*i, h*dim+2*i+1
						}
						a, b, c, s := float64(x[ia]), float64(x[ib]), float64(cos[i]), float64(sin[i])
						if sum := a + b + c + s; sum-sum != 0 {
							if got[ia] == got[ia] || got[ib] == got[ib] {
								t.Errorf("%s: (%v, %v) turned by (%v, %v) became (%v, %v)", pairing, a, b, c, s, got[ia], got[ib])
							}
							continue
						}
						bound := eps * (math.Abs(a) + math.Abs(b))
						if !(math.Abs(float64(got[ia])-(a*c-b*s)) <= bound && math.Abs(float64(got[ib])-(b*c+a*s)) <= bound) {
							t.Fatalf("%s: dim=%d head %d pair %d: (%v, %v) became (%v, %v)", pairing, dim, h, i, a, b, got[ia], got[ib])
						}
					}
				}
			}
		}
	}
}

func TestSoftmax(t *testing.T) {
	dsp := newDSP(t)
	rng := newRand()
	run := func(x []float32, off int) []float32 {
		var m memory
		return dsp.callFloats(&m, softmax, m.addFloats(x, off), uint32(len(x)))
	}
	for i, n := range lengths {
		for _, spread := range []float64{0.01, 1, 30, 1e4} {
			x := normal(rng, n)
			for i := range x {
				x[i] *= float32(spread)
			}
			if n > 10 {
				x[n/3], x[n-1] = -inf, -inf
			}
			top, sum := float64(slices.Max(x)), 0.0
			for _, v := range x {
				sum += math.Exp(float64(v) - top)
			}
			for j, got := range run(x, i%8*4) {
				want := math.Exp(float64(x[j])-top) / sum
				if math.Abs(float64(got)-want) > (4-math.Log(want+1e-300)/16)*eps/2*want+0x1p-149 {
					t.Fatalf("n=%d spread=%g element %d, %v: %v, want %v", n, spread, j, x[j], got, want)
				}
			}
		}
	}
	if got := run([]float32{-inf, 0, -inf, 0, -inf}, 0); !slices.Equal(got, []float32{0, 0.5, 0, 0.5, 0}) {
		t.Errorf("masked elements: %v", got)
	}
	for _, n := range []int{1, 31, 40, 70} {
		for _, bad := range []float32{nan, -nan, inf} {
			x := normal(rng, n)
			x[n/2] = bad
			if got := run(x, 0); slices.ContainsFunc(got, func(v float32) bool { return v == v }) {
				t.Errorf("n=%d: with %v: %v", n, bad, got)
			}
		}
		if got := run(slices.Repeat([]float32{-inf}, n), 0); got[n-1] == got[n-1] {
			t.Errorf("n=%d: nothing but -Inf gives %v", n, got)
		}
	}
}

func TestSiLUMul(t *testing.T) {
	dsp := newDSP(t)
	rng := newRand()
	run := func(gate, up []float32, off int, inPlace bool) []float32 {
		var m memory
		dst := m.addFloats(gate, off)
		from := dst
		if !inPlace {
			from = m.addFloats(gate, 4)
		}
		return dsp.callFloats(&m, siluMul, dst, from, m.addFloats(up, 12), uint32(len(gate)))
	}
	check := func(gate, up []float32, off int) {
		t.Helper()
		got := run(gate, up, off, false)
		for i, v := range got {
			g, u := float64(gate[i]), float64(up[i])
			if g-g != 0 || u-u != 0 {
				if v == v {
					t.Errorf("silu(%v)·%v = %v", g, u, v)
				}
				continue
			}
			want := g / (1 + math.Exp(-g)) * u
			if small := math.Abs(u) * 0x1p-149; !near(v, want, 4) && math.Abs(float64(v)-want) > small {
				t.Fatalf("silu(%v)·%v = %v, want %v", g, u, v, want)
			}
		}
		if again := run(gate, up, off, true); fmt.Sprint(again) != fmt.Sprint(got) {
			t.Fatalf("n=%d: in place the result is another", len(gate))
		}
	}
	for i, n := range lengths {
		check(normal(rng, n), normal(rng, n), i%8*4)
		check(wide(rng, n, 30), wide(rng, n, 100), 0)
		gate := normal(rng, n)
		for i := range gate {
			gate[i] *= 40
		}
		check(gate, normal(rng, n), 0)
	}
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32,
		0x1p-126, 0x1p-130, inf, -inf, nan, 88, 89, -87.5, -88, -104, -125, -126, -127, 125, 127, 1e-10, -30, 30}
	for _, v := range special {
		check(special, slices.Repeat([]float32{v}, len(special)), 0)
	}
}
