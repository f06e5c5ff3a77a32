package hexagon

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

const (
	eps          = 0x1p-23 // distance of 1 to the next float32
	q8BlockBytes = 32 + 4 + 4
)

func newRand() *rand.Rand { return rand.New(rand.NewPCG(20260516, 7)) }

func normal(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// q8Block is the definition of quantised activations in the documentation of package kernels.
func q8Block(x []float32) (q [32]int8, d float32) {
	amax := float32(0)
	for _, v := range x {
		if v-v != 0 {
			return q, float32(math.NaN())
		}
		amax = max(amax, max(v, -v))
	}
	if amax < 0x1p-100 {
		return q, 0
	}
	d = amax / 127
	inv := 1 / d
	for i, v := range x {
		q[i] = int8(math.RoundToEven(float64(float32(v * inv))))
	}
	return q, d
}

// q8Form is the form of whole rows.
func q8Form(x []float32) []byte {
	var form []byte
	for b := range len(x) / 32 {
		q, d := q8Block(x[32*b:][:32])
		sum := int32(0)
		for _, v := range q {
			form = append(form, byte(v))
			sum += int32(v)
		}
		form = binary.LittleEndian.AppendUint32(form, math.Float32bits(d))
		form = binary.LittleEndian.AppendUint32(form, uint32(sum))
	}
	return form
}

// asMultiplied is what rows are once they are quantised.
func asMultiplied(x []float32) []float64 {
	y := make([]float64, 0, len(x))
	for b := range len(x) / 32 {
		q, d := q8Block(x[32*b:][:32])
		for _, v := range q {
			y = append(y, float64(d)*float64(v))
		}
	}
	return y
}

func sameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

func TestQuantize(t *testing.T) {
	dsp := newDSP(t)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	fill := func(v float32, at ...float32) []float32 {
		x := slices.Repeat([]float32{v}, 32)
		copy(x[5:], at)
		return x
	}
	x := slices.Concat(fill(0), fill(float32(math.Copysign(0, -1))), fill(1), fill(-1), fill(0, 1), fill(0, -1),
		fill(1, nan), fill(0, inf), fill(0, -inf), fill(nan), fill(0, nan, inf, -inf), fill(1, -nan),
		fill(math.MaxFloat32), fill(-math.MaxFloat32, math.MaxFloat32), fill(math.SmallestNonzeroFloat32),
		fill(0x1p-100), fill(0x1.fffffep-101), fill(0x1p-126, 0x1p-100), fill(0x1p-100, 127*0x1p-100),
		fill(0.5, 127), fill(1.5, 127), fill(-2.5, 127), fill(126.5, 127), fill(-126.5, -127))
	rng := newRand()
	for range 20000 { // scales of all sizes: their division and their inverse must be rounded as the definition says
		block := normal(rng, 32)
		scale := float32(math.Exp2(100 * (2*rng.Float64() - 1)))
		for i := range block {
			block[i] *= scale
		}
		x = append(x, block...)
	}
	// Every shape of a mantissa near its ends, where rounding of an inverse is hardest.
	for i := range uint32(4096) {
		x = append(x, fill(1.25, math.Float32frombits(0x42fe0000+i-2048))...)
		x = append(x, fill(0.5, math.Float32frombits(0x3f800000+i-2048))...)
	}
	want := q8Form(x)
	for _, off := range []int{0, 4} {
		var m memory
		q := m.add(make([]byte, len(want)), off)
		got := dsp.call(&m, quantize, q, m.addFloats(x, off), uint32(len(x)/32))
		for b := 0; b < len(want); b += q8BlockBytes {
			d, wantD := binary.LittleEndian.Uint32(got[b+32:]), binary.LittleEndian.Uint32(want[b+32:])
			if !sameBits(math.Float32frombits(d), math.Float32frombits(wantD)) ||
				!slices.Equal(got[b:b+32], want[b:b+32]) || !slices.Equal(got[b+36:b+40], want[b+36:b+40]) {
				block := b / q8BlockBytes
				t.Fatalf("block %d, %v:\n got %v\nwant %v", block, x[32*block:][:32], got[b:b+q8BlockBytes], want[b:b+q8BlockBytes])
			}
		}
	}
}

// A matrix is packed weights with their values.
type matrix struct {
	tensor.Packed
	values []float32
}

func newMatrix(t testing.TB, d tensor.DType, rows, cols int, data []byte) matrix {
	t.Helper()
	w := matrix{tensor.Packed{Type: d, Rows: rows, Cols: cols, Data: make([]byte, tensor.PackedBytes(d, rows, cols))}, make([]float32, rows*cols)}
	if err := tensor.Decode(w.values, data, d); err != nil {
		t.Fatal(err)
	}
	if err := tensor.Pack(w.Data, data, d, rows, cols); err != nil {
		t.Fatal(err)
	}
	return w
}

// randomMatrix has random integers and the scales that scale returns.
func randomMatrix(t testing.TB, rng *rand.Rand, d tensor.DType, rows, cols int, scale func() uint16) matrix {
	t.Helper()
	data := make([]byte, rows*d.RowBytes(cols))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	for b := 0; b < len(data); b += d.BlockBytes() {
		binary.LittleEndian.PutUint16(data[b:], scale())
	}
	return newMatrix(t, d, rows, cols, data)
}

func smallScales(rng *rand.Rand) func() uint16 {
	return func() uint16 { return tensor.F32ToF16(float32(rng.NormFloat64() * 0.02)) }
}

// multiply returns the product of w with the quantised rows of x, [n][16·tiles].
func (d *dsp) multiply(w matrix, x []float32, n, pad, off int) []float32 {
	d.t.Helper()
	tiles := (w.Rows + 15) / 16
	ldd := 16*tiles + pad
	unset := slices.Repeat([]float32{-12345.75}, n*ldd)
	kernel := matMulQ4
	if w.Type == tensor.Q8_0 {
		kernel = matMulQ8
	}
	var m memory
	dst := m.addFloats(unset, off)
	weights := m.add(w.Data, 32*off%128)
	out := d.callFloats(&m, kernel, dst, uint32(ldd), weights, uint32(tiles), m.add(q8Form(x), 8), uint32(n), uint32(w.Cols))
	var product []float32
	for i := range n {
		row := out[i*ldd : (i+1)*ldd]
		if !slices.Equal(row[16*tiles:], unset[:pad]) {
			d.t.Fatal("the kernel wrote between rows")
		}
		product = append(product, row[:16*tiles]...)
	}
	return product
}

// check compares a product with the exact sums, within the documented bound, and with the scalar reference, within that one's.
func (w matrix) check(t testing.TB, product, x []float32, n int) {
	t.Helper()
	width := (w.Rows + 15) / 16 * 16
	k := w.Cols
	y := asMultiplied(x)
	var in kernels.Input
	in.Reset(x, n, k)
	ref := make([]float32, n*w.Rows)
	kernels.MatMul(kerneltest.Pool(t, kerneltest.Named(t, "ref"), 1), ref, w.Rows, w.Packed, &in)
	for i := range n {
		for r := range w.Rows {
			want, size, drift := 0.0, 0.0, 0.0
			for c := range k {
				p := float64(w.values[r*k+c]) * y[i*k+c]
				want += p
				size += math.Abs(p)
				if c%32 == 31 {
					drift += 0x1p-27 * size
				}
			}
			got := float64(product[i*width+r])
			if want != want {
				if got == got {
					t.Fatalf("row %d, activations %d: %v, want NaN", r, i, got)
				}
				continue
			}
			if bound := drift + math.Abs(want)*eps/2 + math.SmallestNonzeroFloat32; !(math.Abs(got-want) <= bound) && math.Abs(want) < math.MaxFloat32 {
				t.Fatalf("row %d, activations %d: %v, want %v ± %.3g", r, i, got, want, bound)
			}
			if size > math.MaxFloat32/2 {
				continue // the reference may overflow on its way
			}
			bound := (4+float64(k)/16)*eps*size + float64(k)*math.SmallestNonzeroFloat32
			if reference := float64(ref[i*w.Rows+r]); !(math.Abs(got-reference) <= bound) && got != reference {
				t.Fatalf("row %d, activations %d: %v, the reference gives %v ± %.3g", r, i, got, reference, bound)
			}
		}
	}
}

var weightTypes = []tensor.DType{tensor.Q4_0, tensor.Q8_0}

func TestMatMul(t *testing.T) {
	dsp := newDSP(t)
	for _, d := range weightTypes {
		rng := newRand()
		for _, rows := range []int{1, 15, 16, 17, 32, 33, 48, 80} {
			for _, k := range []int{32, 64, 96, 416} {
				w := randomMatrix(t, rng, d, rows, k, smallScales(rng))
				for _, n := range []int{1, 2, 3, 4, 5, 8, 11} {
					x := normal(rng, n*k)
					w.check(t, dsp.multiply(w, x, n, n%3, n%4*4), x, n)
				}
			}
		}
	}
}

// TestMatMulExtremes drives the integer sums to their limits and the scales over the whole range of F16 and float32.
func TestMatMulExtremes(t *testing.T) {
	dsp := newDSP(t)
	const rows, k, n = 32, 128, 5
	for _, d := range weightTypes {
		rng := newRand()
		quants := map[string]func() byte{
			"lowest":  func() byte { return map[tensor.DType]byte{tensor.Q4_0: 0, tensor.Q8_0: 0x80}[d] },
			"highest": func() byte { return map[tensor.DType]byte{tensor.Q4_0: 0xff, tensor.Q8_0: 0x7f}[d] },
			"random":  func() byte { return byte(rng.Uint32()) },
		}
		for name, quant := range quants {
			for _, size := range []float64{0, 1e-37, 0x1p-99, 1e-20, 1, 1e20, 3e38} {
				for _, top := range []uint16{0x0001, 0x03ff, 0x0400, 0x3c00, 0x7bff} {
					data := make([]byte, rows*d.RowBytes(k))
					for i := range data {
						data[i] = quant()
					}
					for b := 0; b < len(data); b += d.BlockBytes() {
						binary.LittleEndian.PutUint16(data[b:], top|uint16(rng.Uint32())&0x8000)
					}
					w := newMatrix(t, d, rows, k, data)
					x := make([]float32, n*k)
					for i := range x {
						x[i] = float32(size)
						if i/k%2 == 1 && i/32%2 == 1 {
							x[i] = -x[i]
						}
						if i/k > 2 {
							x[i] *= rng.Float32()
						}
					}
					t.Logf("%v %s size %g scale %#x", d, name, size, top)
					w.check(t, dsp.multiply(w, x, n, 0, 0), x, n)
				}
			}
		}
		// Scales of all sizes within one row: terms that vanish beside others, and sums that cancel.
		w := randomMatrix(t, rng, d, rows, k, func() uint16 {
			for {
				if h := uint16(rng.Uint32()); h&0x7c00 != 0x7c00 {
					return h
				}
			}
		})
		x := normal(rng, n*k)
		w.check(t, dsp.multiply(w, x, n, 0, 0), x, n)
	}
}

func TestMatMulNotFinite(t *testing.T) {
	dsp := newDSP(t)
	rng := newRand()
	const rows, k, n = 48, 96, 6
	for _, d := range weightTypes {
		w := randomMatrix(t, rng, d, rows, k, smallScales(rng))
		x := normal(rng, n*k)
		x[1*k+40], x[4*k+95] = float32(math.Inf(-1)), float32(math.NaN())
		for i, v := range dsp.multiply(w, x, n, 0, 0) {
			if bad := i/rows == 1 || i/rows == 4; bad != (v != v) {
				t.Errorf("%v: row %d of activations: %v", d, i/rows, v)
			}
		}

		for r, h := range map[int]uint16{3: 0x7c00, 20: 0xfe00, 47: 0xfc00} {
			block := w.Data[r/16*tensor.TileBytes(d, k)+16*d.BlockBytes():] // the second of the tile
			binary.LittleEndian.PutUint16(block[2*(r%16):], h)
		}
		x = normal(rng, n*k)
		for i, v := range dsp.multiply(w, x, n, 0, 0) {
			if bad := slices.Contains([]int{3, 20, 47}, i%rows); bad != (v != v) {
				t.Errorf("%v: row %d of weights: %v", d, i%rows, v)
			}
		}
	}
}

// TestMatMulBatchInvariant compares, bit for bit, rows computed together with the same ones alone, and tiles likewise.
func TestMatMulBatchInvariant(t *testing.T) {
	dsp := newDSP(t)
	rng := newRand()
	const rows, k, n = 80, 160, 11
	for _, d := range weightTypes {
		w := randomMatrix(t, rng, d, rows, k, smallScales(rng))
		x := normal(rng, n*k)
		all := dsp.multiply(w, x, n, 0, 0)
		for i := range n {
			if one := dsp.multiply(w, x[i*k:(i+1)*k], 1, 0, 0); !slices.Equal(one, all[i*rows:(i+1)*rows]) {
				t.Errorf("%v: row %d differs when it is alone", d, i)
			}
		}
		for r := 0; r < rows; r += 16 {
			tile := matrix{Packed: w.Slice(r, r+16)}
			part := dsp.multiply(tile, x, n, 0, 0)
			for i := range n {
				if !slices.Equal(part[16*i:16*i+16], all[i*rows+r:i*rows+r+16]) {
					t.Errorf("%v: tile at row %d differs when it is alone", d, r)
				}
			}
		}
	}
}
