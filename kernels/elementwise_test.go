package kernels_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/lever-go/lever/kernels"
)

// special is values at the edges of float32.
var special = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, 0x1p-126, 0x1p-130,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 88, 89, -87.5, -88, -104, 1e-10, -30, 30,
}

// elementwise is an operation on equally long rows of which element i depends on elements i alone: dst[i] = f(a[i], b[i]).
type elementwise struct {
	name    string
	run     func(set *kernels.Set, dst, a, b []float32) // dst may be a
	want    func(a, b float64) float64
	bound   float64 // relative
	inPlace bool    // dst is a
}

var elementwiseOps = []elementwise{
	{"Add", func(set *kernels.Set, dst, _, b []float32) { set.Add(dst, b) }, func(a, b float64) float64 { return a + b }, eps, true},
	{"Mul", func(set *kernels.Set, dst, _, b []float32) { set.Mul(dst, b) }, func(a, b float64) float64 { return a * b }, eps, true},
	{"Scale", func(set *kernels.Set, dst, _, _ []float32) { set.Scale(dst, -0.3) }, func(a, _ float64) float64 { return a * float64(float32(-0.3)) }, eps, true},
	{"SiLU", func(set *kernels.Set, dst, a, _ []float32) { set.SiLU(dst, a) }, func(a, _ float64) float64 { return a / (1 + math.Exp(-a)) }, 8 * eps, false},
	{"SiLUMul", (*kernels.Set).SiLUMul, func(a, b float64) float64 { return a / (1 + math.Exp(-a)) * b }, 8 * eps, false},
}

func TestElementwise(t *testing.T) {
	for _, op := range elementwiseOps {
		eachOwn(t, op.name, func(t *testing.T, set *kernels.Set) {
			rng := newRand()
			for n := range 80 {
				for off := range 4 {
					a, b := normal(rng, n), normal(rng, n)
					op.check(t, set, a, b, off)
				}
			}
			for _, v := range special {
				a := slices.Concat(special, special)
				b := slices.Repeat([]float32{v}, len(a))
				op.check(t, set, a, b, 0)
				op.check(t, set, b, a, 1)
			}
		})
	}
}

// check runs the operation out of place and in place, with guards.
func (op elementwise) check(t *testing.T, set *kernels.Set, a, b []float32, off int) {
	t.Helper()
	inputs := [2][]float32{slices.Clone(a), slices.Clone(b)}
	for _, inPlace := range []bool{op.inPlace, true} {
		dst, check := guardedFloats(t, len(a), off)
		from := a
		if inPlace {
			copy(dst, a)
			from = dst
		}
		op.run(set, dst, from, b)
		check()
		for i, got := range dst {
			want := op.want(float64(a[i]), float64(b[i]))
			// A product of three may lose accuracy in a subnormal first step, or overflow there.
			bound := math.Abs(want)*op.bound + 0x1p-125
			if size := math.Abs(float64(b[i])); size > 1 {
				bound += 0x1p-125 * size
			}
			if !near(got, want, bound) && !(math.Abs(want) > math.MaxFloat32/4) {
				t.Fatalf("n=%d off=%d element %d: f(%v, %v) = %v, want %v", len(a), off, i, a[i], b[i], got, want)
			}
		}
	}
	for i, before := range [2][]float32{a, b} {
		if !slices.EqualFunc(before, inputs[i], sameBits) {
			t.Fatal("an input was changed")
		}
	}
}

func TestRMSNorm(t *testing.T) {
	eachOwn(t, "RMSNorm", func(t *testing.T, set *kernels.Set) {
		rng := newRand()
		for n := range 140 {
			x, gain := normal(rng, n), normal(rng, n)
			checkRMSNorm(t, set, x, gain, n%4)
		}
		for _, scale := range []float32{0, 1e-30, 1e-12, 1e18, 3e38} {
			x, gain := normal(rng, 384), normal(rng, 384)
			for i := range x {
				x[i] = max(-1, min(1, x[i])) * scale
			}
			checkRMSNorm(t, set, x, gain, 0)
		}
		x := normal(rng, 64)
		x[20] = float32(math.NaN())
		set.RMSNorm(x, x, normal(rng, 64), 1e-5)
		if i := slices.IndexFunc(x, func(v float32) bool { return v == v }); i >= 0 {
			t.Errorf("NaN did not reach element %d", i)
		}
		for _, inf := range []float64{math.Inf(1), math.Inf(-1)} {
			x := normal(rng, 64)
			x[20] = float32(inf)
			set.RMSNorm(x, x, normal(rng, 64), 1e-5)
			if x[20] == x[20] {
				t.Errorf("%v became %v", inf, x[20])
			}
		}
	})
}

func checkRMSNorm(t *testing.T, set *kernels.Set, x, gain []float32, off int) {
	t.Helper()
	const e = 1e-5
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	scale := 1 / math.Sqrt(sum/float64(len(x))+float64(float32(e)))
	for _, inPlace := range []bool{false, true} {
		dst, check := guardedFloats(t, len(x), off)
		from := x
		if inPlace {
			copy(dst, x)
			from = dst
		}
		set.RMSNorm(dst, from, gain, e)
		check()
		for i, got := range dst {
			want := float64(x[i]) * scale * float64(gain[i])
			if !near(got, want, (4+float64(len(x))/64)*eps*math.Abs(want)+0x1p-125) {
				t.Fatalf("n=%d element %d: %v, want %v", len(x), i, got, want)
			}
		}
	}
}

func TestRoPE(t *testing.T) {
	eachOwn(t, "RoPE", func(t *testing.T, set *kernels.Set) {
		rng := newRand()
		for _, pairing := range []kernels.Pairing{kernels.PairHalves, kernels.PairAdjacent} {
			for _, headDim := range []int{2, 4, 6, 10, 16, 22, 32, 48, 64, 80, 128, 256} {
				for heads := range 5 {
					half := headDim / 2
					cos, sin := make([]float32, half), make([]float32, half)
					for i := range half {
						s, c := math.Sincos(rng.Float64() * 100)
						cos[i], sin[i] = float32(c), float32(s)
					}
					x, check := guardedFloats(t, heads*headDim, headDim%7)
					copy(x, normal(rng, len(x)))
					before := slices.Clone(x)
					set.RoPE(x, cos, sin, heads, headDim, pairing)
					check()
					for h := range heads {
						for i := range half {
							ia, ib := h*headDim+i, h*headDim+i+half
							if pairing == kernels.PairAdjacent {
								ia, ib = h*headDim+2*i, h*headDim+2*i+1
							}
							a, b, c, s := float64(before[ia]), float64(before[ib]), float64(cos[i]), float64(sin[i])
							bound := 2 * eps * (math.Abs(a) + math.Abs(b))
							if !near(x[ia], a*c-b*s, bound) || !near(x[ib], b*c+a*s, bound) {
								t.Fatalf("pairing=%d dim=%d head %d pair %d: (%v, %v) became (%v, %v)", pairing, headDim, h, i, a, b, x[ia], x[ib])
							}
						}
					}
				}
			}
		}
	})
	eachOwn(t, "RoPENotFinite", func(t *testing.T, set *kernels.Set) {
		const headDim = 32
		cos, sin := normal(newRand(), headDim/2), normal(newRand(), headDim/2)
		for _, pairing := range []kernels.Pairing{kernels.PairHalves, kernels.PairAdjacent} {
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				for at := range headDim {
					x := normal(newRand(), 2*headDim)
					x[at] = float32(bad)
					set.RoPE(x, cos, sin, 2, headDim, pairing)
					spoilt := 0
					for _, v := range x {
						if v-v != 0 {
							spoilt++
						}
					}
					if x[at]-x[at] == 0 || spoilt != 2 {
						t.Fatalf("pairing=%d: %v at %d became %v and spoilt %d elements, not its pair alone", pairing, bad, at, x[at], spoilt)
					}
				}
			}
		}
	})
	for name, f := range map[string]func(){
		"odd": func() {
			kernels.Default().RoPE(make([]float32, 3), make([]float32, 1), make([]float32, 1), 1, 3, kernels.PairHalves)
		},
		"short": func() {
			kernels.Default().RoPE(make([]float32, 7), make([]float32, 2), make([]float32, 2), 2, 4, kernels.PairHalves)
		},
		"unknown": func() { kernels.Default().RoPE(make([]float32, 4), make([]float32, 2), make([]float32, 2), 1, 4, 9) },
	} {
		if panicOf(f) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSoftmax(t *testing.T) {
	eachOwn(t, "Softmax", func(t *testing.T, set *kernels.Set) {
		rng := newRand()
		for n := range 150 {
			for _, spread := range []float64{0.01, 1, 30, 1e4} {
				x, check := guardedFloats(t, n, n%5)
				for i := range x {
					x[i] = float32(rng.NormFloat64() * spread)
				}
				want, sum, top := make([]float64, n), 0.0, math.Inf(-1)
				for _, v := range x {
					top = math.Max(top, float64(v))
				}
				for i, v := range x {
					want[i] = math.Exp(float64(v) - top)
					sum += want[i]
				}
				set.Softmax(x)
				check()
				for i, got := range x {
					// The exponent is a float32 difference: its rounding is a relative error of the result.
					bound := want[i]/sum*eps*(8+float64(n)/16+math.Abs(math.Log(want[i]))) + 0x1p-120
					if want[i] == 0 {
						bound = 0x1p-120
					}
					if !near(got, want[i]/sum, bound) {
						t.Fatalf("n=%d spread=%g element %d: %v, want %v", n, spread, i, got, want[i]/sum)
					}
				}
			}
		}
		inf, nan := float32(math.Inf(1)), float32(math.NaN())
		for _, bad := range []float32{nan, inf} {
			for n := 1; n < 40; n++ {
				x := normal(rng, n)
				x[n/2] = bad
				set.Softmax(x)
				if x[n/2] == x[n/2] {
					t.Fatalf("n=%d: %v became %v", n, bad, x[n/2])
				}
			}
		}
		x := []float32{-inf, 0, -inf, 0, -inf}
		set.Softmax(x)
		if !slices.Equal(x, []float32{0, 0.5, 0, 0.5, 0}) {
			t.Errorf("masked elements: %v", x)
		}
	})
}

func TestExp32(t *testing.T) {
	worst := 0.0
	for x := float32(-104); x < 88.7; x += 0.0037 {
		got, want := float64(kernels.Exp32(x)), math.Exp(float64(x))
		if want < 0x1p-126 {
			if math.Abs(got-want) > 0x1p-149 {
				t.Fatalf("exp(%v) = %v, want %v", x, got, want)
			}
			continue
		}
		worst = max(worst, math.Abs(got-want)/want/eps)
	}
	if worst > 2 {
		t.Errorf("relative error of %.2f units in the last place", worst)
	}
	for _, v := range special {
		if got, want := kernels.Exp32(v), float32(math.Exp(float64(v))); !near(got, float64(want), 2*eps*float64(want)) {
			t.Errorf("exp(%v) = %v, want %v", v, got, want)
		}
	}
}

func TestElementwiseMisuse(t *testing.T) {
	two, three := make([]float32, 2), make([]float32, 3)
	for name, f := range map[string]func(){
		"Add":           func() { kernels.Default().Add(two, three) },
		"Mul":           func() { kernels.Default().Mul(three, two) },
		"SiLU":          func() { kernels.Default().SiLU(three, two) },
		"SiLUMul: up":   func() { kernels.Default().SiLUMul(two, two, three) },
		"RMSNorm: gain": func() { kernels.Default().RMSNorm(two, two, three, 0) },
		"F16ToF32":      func() { kernels.Default().F16ToF32(two, make([]uint16, 3)) },
		"F32ToF16":      func() { kernels.Default().F32ToF16(make([]uint16, 3), two) },
		"BF16ToF32":     func() { kernels.Default().BF16ToF32(two, make([]uint16, 3)) },
		"F32ToBF16":     func() { kernels.Default().F32ToBF16(make([]uint16, 3), two) },
	} {
		want := "kernels: " + name + ": lengths differ: "
		if v := fmt.Sprint(panicOf(f)); len(v) < len(want) || v[:len(want)] != want {
			t.Errorf("%s: %s", name, v)
		}
	}
}

func TestRowsDoNotAllocate(t *testing.T) {
	eachOwn(t, "rows", func(t *testing.T, set *kernels.Set) {
		x, y, half := normal(newRand(), 256), normal(newRand(), 256), make([]uint16, 256)
		if allocs := testing.AllocsPerRun(10, func() {
			set.RMSNorm(x, x, y, 1e-5)
			set.RoPE(x, y[:32], y[32:64], 4, 64, kernels.PairHalves)
			set.RoPE(x, y[:32], y[32:64], 4, 64, kernels.PairAdjacent)
			set.SiLUMul(x, x, y)
			set.SiLU(x, x)
			set.Add(x, y)
			set.Mul(x, y)
			set.Scale(x, 0.5)
			set.Softmax(x)
			set.F32ToF16(half, x)
			set.F16ToF32(x, half)
			set.F32ToBF16(half, x)
			set.BF16ToF32(x, half)
			set.Argmax(x)
		}); allocs != 0 {
			t.Errorf("%v allocations", allocs)
		}
	})
}

func ExampleSet_RMSNorm() {
	x := []float32{3, 4}
	kernels.Default().RMSNorm(x, x, []float32{1, 2}, 0)
	fmt.Printf("%.3f\n", x)
	// Output: [0.849 2.263]
}

func ExampleSet_Softmax() {
	x := []float32{0, float32(math.Log(3))}
	kernels.Default().Softmax(x)
	fmt.Printf("%.2f\n", x)
	// Output: [0.25 0.75]
}

func ExampleSet_RoPE() {
	x := []float32{1, 0, 0, 2}                                                            // one head of two pairs
	kernels.Default().RoPE(x, []float32{0, 1}, []float32{1, 0}, 1, 4, kernels.PairHalves) // turn the first by 90°
	fmt.Println(x)
	// Output: [0 0 1 2]
}

func ExampleSet_SiLUMul() {
	gate, up := []float32{0, 20}, []float32{5, 5}
	kernels.Default().SiLUMul(gate, gate, up)
	fmt.Printf("%.1f\n", gate)
	// Output: [0.0 100.0]
}
