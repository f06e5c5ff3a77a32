package kernels_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	eps  = 0x1p-23 // distance of 1 to the next float32
	seed = 20260516
)

func newRand() *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// normal returns n normally distributed numbers.
func normal(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// guarded returns a slice of n elements off elements into its memory, and a function that fails t when an element before or
// behind it has changed.
func guarded[T comparable](t rapid.TB, n, off int, guard T) ([]T, func()) {
	const margin = 32
	mem := make([]T, off+n+margin)
	for i := range mem {
		mem[i] = guard
	}
	return mem[off : off+n : off+n], func() {
		t.Helper()
		for i, v := range mem {
			if (i < off || i >= off+n) && v != guard {
				t.Fatalf("element %d of %d was overwritten with %v", i-off, n, v)
			}
		}
	}
}

const guardValue = -12345.75

func guardedFloats(t rapid.TB, n, off int) ([]float32, func()) {
	return guarded[float32](t, n, off, guardValue)
}

// sameBits reports whether a and b are bitwise equal, all NaNs counting as one.
func sameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// near reports whether got is within bound of want; what is not finite must be the same.
func near(got float32, want, bound float64) bool {
	if math.IsNaN(want) {
		return got != got
	}
	if math.IsInf(want, 0) || math.Abs(want) > math.MaxFloat32 {
		return math.IsInf(float64(got), int(math.Copysign(1, want)))
	}
	return math.Abs(float64(got)-want) <= bound
}
