package opencl_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/lever-go/lever/internal/blocktest"
	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/opencl"
	"github.com/lever-go/lever/tensor"
)

var types = []tensor.DType{tensor.F16, tensor.Q4_0, tensor.Q8_0, tensor.Q4_K, tensor.Q6_K}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(20260516, 9)) }

func normal(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// randomMatrix has random quants, and numbers from scale as its F16 fields.
func randomMatrix(t testing.TB, rng *rand.Rand, d tensor.DType, rows, cols int, scale func() uint16) tensor.Packed {
	t.Helper()
	return blocktest.Pack(blocktest.Random(rng, d, rows, cols, func() float32 { return tensor.F16ToF32(scale()) }), d, rows, cols)
}

// bench is a device with buffers for products.
type bench struct {
	testing.TB
	d    *opencl.Device
	x, y npu.Buffer
}

func newBench(t testing.TB, d *opencl.Device, bytes int) *bench {
	b := &bench{TB: t, d: d}
	for _, p := range []*npu.Buffer{&b.x, &b.y} {
		buffer, err := b.d.Alloc(bytes)
		b.must(err)
		*p = buffer
	}
	t.Cleanup(func() {
		b.must(b.x.Free())
		b.must(b.y.Free())
		b.must(b.d.Close())
	})
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func floats(b npu.Buffer, n int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(&b.Bytes()[0])), n)
}

func (b *bench) compile(w tensor.Packed, batch int) npu.Program {
	b.Helper()
	p, err := b.d.Compile(npu.Product{Type: w.Type, Rows: w.Rows, Cols: w.Cols}, batch)
	b.must(err)
	return p
}

// multiply returns the device's product.
func (b *bench) multiply(w tensor.Packed, x []float32, n int) []float32 {
	b.Helper()
	p := b.compile(w, n)
	copy(floats(b.x, len(x)), x)
	b.must(b.x.Flush(0, 4*len(x)))
	e, err := p.Submit(b.Context(), n, npu.Operands{W: w, X: b.x, Y: b.y})
	b.must(err)
	b.must(e.Wait(b.Context()))
	b.must(b.y.Invalidate(0, 4*n*w.Rows))
	b.must(p.Close())
	return append([]float32(nil), floats(b.y, n*w.Rows)...)
}

// fuses reports whether this build of Go rounds x·y+z once, which it may on some processors: its reference is then not the device's.
//
//go:noinline
func fuses(x, y, z float32) bool { return x*y+z != float32(x*y)+z }

// sameBits reports whether a and b are bitwise equal, all NaNs counting as one.
func sameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// check compares a product with that of the scalar reference, to the bit.
func (b *bench) check(w tensor.Packed, x []float32, n int) {
	b.Helper()
	var in kernels.Input
	in.Reset(x, n, w.Cols)
	want := make([]float32, n*w.Rows)
	kernels.MatMul(kerneltest.Pool(b, kerneltest.Named(b, "ref"), 1), want, w.Rows, w, &in)
	for i, got := range b.multiply(w, x, n) {
		if !sameBits(got, want[i]) {
			b.Fatalf("%v [%d %d] × %d rows: row %d of activations, %d of weights: %v, the reference gives %v",
				w.Type, w.Rows, w.Cols, n, i/w.Rows, i%w.Rows, got, want[i])
		}
	}
}

// reference runs a test against the scalar reference, for each number of rows of weights that a work-item may compute.
func reference(t *testing.T, test func(b *bench)) {
	t.Helper()
	if fuses(1+0x1p-23, 1+0x1p-23, -1) {
		t.Skip("skipped: the reference, as this Go compiles it, fuses multiplication and addition")
	}
	for _, lanes := range []int{1, tensor.TileRows} {
		t.Run(fmt.Sprintf("lanes=%d", lanes), func(t *testing.T) {
			d, err := opencl.OpenLanes("", lanes)
			if err != nil {
				t.Skip(err)
			}
			test(newBench(t, d, 1<<20))
		})
	}
}

// TestWeightsInPlace multiplies with weights that lie in a buffer of the device, in memory that it can use, and in memory that it can't.
func TestWeightsInPlace(t *testing.T) {
	reference(t, func(b *bench) {
		rng := newRand()
		w := randomMatrix(b, rng, tensor.Q4_0, 80, 128, func() uint16 { return tensor.F32ToF16(float32(rng.NormFloat64() * 0.02)) })
		x := normal(rng, 3*128)
		data := w.Data
		weights, err := b.d.Alloc(len(data) + 4096)
		b.must(err)
		for _, offset := range []int{0, 32, 4096} {
			w.Data = weights.Bytes()[offset:][:len(data)]
			copy(w.Data, data)
			b.must(weights.Flush(offset, offset+len(data)))
			b.check(w, x, 3)
		}
		heap := make([]byte, len(data)+8192)
		for _, offset := range []int{0, 4} {
			start := offset - int(uintptr(unsafe.Pointer(&heap[0])))&4095 + 4096
			w.Data = heap[start:][:len(data)]
			copy(w.Data, data)
			b.check(w, x, 3)
		}
		b.must(weights.Free())
	})
}

// TestReference compares products of all types and many shapes with the scalar reference.
func TestReference(t *testing.T) {
	sizes := []int{1, 15, 16, 17, 40, 64, 65, 130}
	if testing.Short() {
		sizes = []int{1, 40, 64}
	}
	reference(t, func(b *bench) {
		for _, d := range types {
			rng := newRand()
			small := func() uint16 { return tensor.F32ToF16(float32(rng.NormFloat64() * 0.02)) }
			for _, rows := range sizes {
				for _, blocks := range []int{1, 2, 3, 5} {
					k := blocks * d.BlockElems()
					if d == tensor.F16 {
						k = []int{1, 7, 64, 130}[blocks/2]
					}
					w := randomMatrix(b, rng, d, rows, k, small)
					for _, n := range []int{1, 2, 3, 4, 5, 9} {
						b.check(w, normal(rng, n*k), n)
					}
				}
			}
		}
	})
}

// TestReferenceExtremes does so with all sizes of scales and activations, and with what is not finite.
func TestReferenceExtremes(t *testing.T) {
	reference(t, func(b *bench) {
		const rows, k, n = 33, 512, 6
		nan, inf := float32(math.NaN()), float32(math.Inf(1))
		for _, d := range types {
			rng := newRand()
			for _, scale := range []func() uint16{
				func() uint16 { return 0x7bff },
				func() uint16 { return 0x0001 | uint16(rng.Uint32())&0x8000 },
				func() uint16 { return uint16(rng.Uint32()) &^ 0x4000 },
				func() uint16 { return uint16(rng.Uint32()) },
			} {
				w := randomMatrix(b, rng, d, rows, k, scale)
				for _, exponent := range []float64{-126, -100, -50, 0, 60, 127} {
					x := normal(rng, n*k)
					for i := range x {
						x[i] *= float32(math.Exp2(exponent))
					}
					clear(x[:32])
					x[k+40], x[3*k+100], x[3*k+101] = nan, inf, -inf
					b.check(w, x, n)
				}
			}
		}
	})
}

// TestQuantization multiplies activations at the edges of the definition of quantised ones with a matrix that shows each of their values.
func TestQuantization(t *testing.T) {
	reference(t, func(b *bench) {
		const k, n = 32, 512
		rng := newRand()
		values := make([]float32, k*k)
		for i := range k {
			values[i*k+i] = 127
		}
		blocks := make([]byte, k*tensor.Q8_0.RowBytes(k))
		b.must(tensor.Encode(blocks, values, tensor.Q8_0))
		w := tensor.Packed{Type: tensor.Q8_0, Rows: k, Cols: k, Data: make([]byte, tensor.PackedBytes(tensor.Q8_0, k, k))}
		b.must(tensor.Pack(w.Data, blocks, w.Type, k, k))
		for round := range 8 {
			x := normal(rng, n*k)
			for i := range n {
				scale := float32(math.Exp2(100 * (2*rng.Float64() - 1)))
				for j := range k {
					x[i*k+j] *= scale
				}
				// Rounding 1/d is hardest near the ends of the mantissa's range, ties are hardest to round.
				x[i*k] = math.Float32frombits([]uint32{0x42fe0000, 0x3f800000}[round%2] + uint32(round/2*n+i) - 1024)
				x[i*k+1], x[i*k+2] = 0.5*x[i*k]/127, -2.5*x[i*k]/127
			}
			b.check(w, x, n)
		}
	})
}
