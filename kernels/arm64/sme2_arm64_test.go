package arm64

import (
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// needSME2 skips a test where the processor lacks SME2, and logs the vector length.
func needSME2(t *testing.T) {
	t.Helper()
	if !hasSME2() {
		if strings.Contains(os.Getenv("LEVER_EXPECT_KERNELS"), sme2Set.Name) {
			t.Fatal("SME2 is expected (LEVER_EXPECT_KERNELS) and absent")
		}
		t.Skip("the processor lacks SME2")
	}
	t.Logf("vectors of %d bits", 8*streamingBytes())
}

// f16Weights returns n random float16.
func f16Weights(rng *rand.Rand, n int) []byte {
	w := make([]byte, 2*n)
	for i := range n {
		h := tensor.F32ToF16(float32(rng.NormFloat64() * 0.02))
		w[2*i], w[2*i+1] = byte(h), byte(h>>8)
	}
	return w
}

// TestSME2EqualsI8mm: the bits are those of i8mm, for every format and number of rows, tiles and blocks, and nothing is written
// beside them.
func TestSME2EqualsI8mm(t *testing.T) {
	needSME2(t)
	const guard = -12345.75
	compare := func(t *testing.T, tiles, n, k int, x []float32, multiply func(set *table.Kernels, dst []float32, ldd int)) {
		t.Helper()
		ldd := tiles*tileRows + 3
		got, want := slices.Repeat([]float32{guard}, n*ldd), slices.Repeat([]float32{guard}, n*ldd)
		multiply(&sme2Set, got, ldd)
		multiply(&i8mmSet, want, ldd)
		for i, v := range got {
			if w := want[i]; math.Float32bits(v) != math.Float32bits(w) && (v == v || w == w) {
				t.Fatalf("n=%d tiles=%d k=%d: row %d, column %d is %g, of i8mm %g", n, tiles, k, i/ldd, i%ldd, v, w)
			}
		}
	}
	activations := func(rng *rand.Rand, n, k int) []float32 {
		x := normal(rng, n*k)
		for i := range n { // rows of all sizes, and some that are not finite
			for c := range k {
				x[i*k+c] *= float32(math.Ldexp(1, i%7*20-60))
			}
			if i%11 == 9 {
				x[i*k+rng.IntN(k)] = []float32{float32(math.NaN()), float32(math.Inf(1))}[i%2]
			}
		}
		return x
	}
	for d := range sme2Set.MatMul {
		t.Run(d.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(9, uint64(d)))
			for n := 1; n <= 41; n++ {
				tiles, k := 1+rng.IntN(5), (1+rng.IntN(3))*d.BlockElems()
				_, w := weights(rng, d, tiles*tileRows, k)
				x := activations(rng, n, k)
				compare(t, tiles, n, k, x, func(set *table.Kernels, dst []float32, ldd int) {
					p := set.MatMul[d]
					p.Run(dst, ldd, w, tiles, quantized(p.Form, x, n, k), n, k)
				})
			}
		})
	}
	t.Run("f16", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(10, 11))
		for n := range 42 {
			for _, k := range []int{0, 1, 1 + rng.IntN(40), 16} {
				tiles := 1 + rng.IntN(5)
				w, x := f16Weights(rng, tiles*tileRows*max(k, 1)), []float32(nil)
				if k > 0 {
					x = activations(rng, n, k)
				}
				compare(t, tiles, n, k, x, func(set *table.Kernels, dst []float32, ldd int) {
					if n > 0 {
						set.MatMulF16F32(dst, ldd, w, tiles, x, n, k)
					}
				})
			}
		}
	})
}

// sme2Kernels are the functions that use streaming mode.
var sme2Kernels = map[string]any{
	"gemmQ4SME2": gemmQ4SME2, "gemmQ8SME2": gemmQ8SME2, "gemmQ4KSME2": gemmQ4KSME2, "gemmQ6KSME2": gemmQ6KSME2,
	"gemmF16SME2": gemmF16SME2,
}

// TestStreamingModeIsLeft reads the code of each kernel: streaming mode and ZA are turned on once and off right before the one
// return; between, nothing is called and no branch leaves.
func TestStreamingModeIsLeft(t *testing.T) {
	const start, stop, ret = 0xd503477f, 0xd503467f, 0xd65f03c0
	for name, f := range sme2Kernels {
		code := unsafe.Slice((*uint32)(behindWrapper(reflect.ValueOf(f).UnsafePointer())), 1<<14)
		first, last := slices.Index(code, start), slices.Index(code, ret)
		if first < 0 || last < first || slices.Contains(code[first+1:last], start) || slices.Index(code, stop) != last-1 {
			t.Errorf("%s: streaming mode is turned on at word %d and the function returns at %d, where the word before does not alone turn it off", name, first, last)
			continue
		}
		for i, w := range code[:last] {
			to := i
			switch {
			case w>>26 == 0b100101 || w&^(31<<5) == 0xd63f0000: // bl, blr
				t.Errorf("%s calls a function at word %d", name, i)
			case w&^(31<<5) == 0xd61f0000: // br
				t.Errorf("%s jumps to a register at word %d", name, i)
			case w>>26 == 0b000101: // b
				to += int(int32(w<<6) >> 6)
			case w>>24 == 0b01010100 || w>>25&0b111111 == 0b011010: // b.cond, cbz, cbnz
				to += int(int32(w<<8) >> 13)
			case w>>25&0b111111 == 0b011011: // tbz, tbnz
				to += int(int32(w<<13) >> 18)
			default:
				continue
			}
			if i > first && (to <= first || to >= last) {
				t.Errorf("%s: the branch at word %d leaves streaming mode on", name, i)
			}
		}
	}
}

// behindWrapper returns the code of an assembly function, whose function value is a wrapper that ends in a branch to it.
func behindWrapper(wrapper unsafe.Pointer) unsafe.Pointer {
	for i, w := range unsafe.Slice((*uint32)(wrapper), 64) {
		if op := w >> 26; op == 0b000101 || op == 0b100101 { // b, bl
			return unsafe.Add(wrapper, 4*(i+int(int32(w<<6)>>6)))
		}
	}
	return wrapper
}
