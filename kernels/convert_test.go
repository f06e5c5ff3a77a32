package kernels_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/x448/float16"

	"github.com/lever-go/lever/kernels"
)

func TestF16ToF32(t *testing.T) {
	all := make([]uint16, 1<<16)
	for i := range all {
		all[i] = uint16(i)
	}
	eachOwn(t, "F16ToF32", func(t *testing.T, set *kernels.Set) {
		dst := make([]float32, len(all))
		set.F16ToF32(dst, all)
		for i, got := range dst {
			if want := float16.Frombits(uint16(i)).Float32(); !sameBits(got, want) {
				t.Fatalf("%#04x: %v, want %v", i, got, want)
			}
		}
		for n := range 70 {
			dst, check := guardedFloats(t, n, n%5)
			set.F16ToF32(dst, all[n*131:][:n])
			check()
		}
	})
}

// halfwayFloats is every half-precision number, the point halfway to the next, and the float32 on both sides of each.
func halfwayFloats() []float32 {
	var x []float32
	for h := range uint16(0x7c00) {
		v := math.Float32bits(float16.Frombits(h).Float32())
		next := math.Float32bits(float16.Frombits(h + 1).Float32())
		if h == 0x7bff {
			next = math.Float32bits(65536)
		}
		middle := v + (next-v)/2
		if h == 0 {
			middle = math.Float32bits(0x1p-25)
		}
		for _, bits := range []uint32{v, v + 1, middle - 1, middle, middle + 1, next - 1} {
			x = append(x, math.Float32frombits(bits), -math.Float32frombits(bits))
		}
	}
	return append(x, special...)
}

func TestF32ToF16(t *testing.T) {
	x := halfwayFloats()
	eachOwn(t, "F32ToF16", func(t *testing.T, set *kernels.Set) {
		dst := make([]uint16, len(x))
		set.F32ToF16(dst, x)
		for i, got := range dst {
			want := float16.Fromfloat32(x[i]).Bits()
			if got != want && !(x[i] != x[i] && got&0x7c00 == 0x7c00 && got&0x3ff != 0) {
				t.Fatalf("%v (%#08x): %#04x, want %#04x", x[i], math.Float32bits(x[i]), got, want)
			}
		}
		for n := range 70 {
			dst, check := guarded[uint16](t, n, n%5, 0xabcd)
			set.F32ToF16(dst, x[n*31:][:n])
			check()
		}
	})
}

func TestBF16(t *testing.T) {
	var bits []uint32
	for h := range uint32(1 << 16) {
		for _, low := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff} {
			bits = append(bits, h<<16|low)
		}
	}
	x := make([]float32, len(bits))
	for i, b := range bits {
		x[i] = math.Float32frombits(b)
	}
	eachOwn(t, "BF16", func(t *testing.T, set *kernels.Set) {
		half, back := make([]uint16, len(x)), make([]float32, len(x))
		set.F32ToBF16(half, x)
		set.BF16ToF32(back, half)
		for i, v := range x {
			want := math.Float32frombits(uint32((uint64(bits[i])+0x7fff+uint64(bits[i]>>16&1))>>16) << 16)
			if v != v {
				want = v
			}
			if !sameBits(back[i], want) {
				t.Fatalf("%v (%#08x) became %v, want %v", v, bits[i], back[i], want)
			}
		}
		for n := range 70 {
			half, check := guarded[uint16](t, n, n%5, 0xabcd)
			set.F32ToBF16(half, x[n*31:][:n])
			check()
			back, check := guardedFloats(t, n, n%5)
			set.BF16ToF32(back, half)
			check()
		}
	})
}

func FuzzF32ToF16(f *testing.F) {
	for _, v := range special {
		f.Add(math.Float32bits(v))
	}
	f.Fuzz(func(t *testing.T, bits uint32) {
		x := slices.Repeat([]float32{math.Float32frombits(bits)}, 19)
		want := float16.Fromfloat32(x[0])
		for _, set := range kernels.AllSets() {
			half, back := make([]uint16, len(x)), make([]float32, len(x))
			set.F32ToF16(half, x)
			set.F16ToF32(back, half)
			for i := range x {
				if !sameBits(back[i], want.Float32()) {
					t.Fatalf("%s: %v became %v, want %v", set.Name(), x[i], back[i], want)
				}
			}
		}
	})
}

func ExampleSet_F32ToF16() {
	half := make([]uint16, 3)
	kernels.Default().F32ToF16(half, []float32{1, -2.5, 1e6})
	back := make([]float32, 3)
	kernels.Default().F16ToF32(back, half)
	fmt.Printf("%#04x %v\n", half, back)
	// Output: [0x3c00 0xc100 0x7c00] [1 -2.5 +Inf]
}
