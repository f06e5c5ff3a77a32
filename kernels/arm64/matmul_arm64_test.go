package arm64

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/cpu"

	"github.com/lever-go/lever/internal/blocktest"
	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// quantMatMuls lists the products with quantised weights of the sets that this processor has.
func quantMatMuls() map[string]quantMatMul {
	products := map[string]quantMatMul{}
	for _, set := range Sets() {
		for d, p := range set.MatMul {
			if d.Quantized() {
				products[fmt.Sprintf("%v/%s", d, set.Name)] = quantMatMul{d, p}
			}
		}
	}
	return products
}

type quantMatMul struct {
	dtype tensor.DType
	table.QuantMatMul
}

// weights returns random rows and the same packed.
func weights(rng *rand.Rand, d tensor.DType, rows, cols int) (values []float32, packed []byte) {
	data := blocktest.Random(rng, d, rows, cols, func() float32 { return float32(rng.NormFloat64()) })
	values = make([]float32, rows*cols)
	if err := tensor.Decode(values, data, d); err != nil {
		panic(err)
	}
	return values, blocktest.Pack(data, d, rows, cols).Data
}

// quantized returns x [n][k] in a form, in groups.
func quantized(form *table.Form, x []float32, n, k int) []byte {
	q := make([]byte, n*form.RowBytes(k))
	for row := 0; row < n; row += groupRows {
		rows := min(groupRows, n-row)
		form.Quantize(q[row*form.RowBytes(k):], x[row*k:(row+rows)*k], rows, k)
	}
	return q
}

func normal(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// TestQuantMatMul holds every product to the sum, in float64, of what its form says that the activations are.
func TestQuantMatMul(t *testing.T) {
	for name, p := range quantMatMuls() {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			const tiles, ldd = 2, 3 * tileRows
			for _, k := range []int{256, 1024} {
				values, packed := weights(rng, p.dtype, tiles*tileRows, k)
				for _, n := range []int{1, 2, 3, 6, 15, 16, 19, 29, 39} {
					q := quantized(p.Form, normal(rng, n*k), n, k)
					dst := make([]float32, n*ldd)
					p.Run(dst, ldd, packed, tiles, q, n, k)
					for i := range n {
						x := read(p.Form, q, i, n, k)
						for r := range ldd {
							got := float64(dst[i*ldd+r])
							if r >= tiles*tileRows {
								if got != 0 {
									t.Fatalf("k=%d n=%d: wrote behind row %d", k, n, i)
								}
								continue
							}
							want, magnitude := 0.0, 0.0
							for c, v := range x {
								w := float64(values[r*k+c])
								want += w * v
								magnitude += math.Abs(w * v)
							}
							if math.Abs(got-want) > 2e-6*magnitude {
								t.Fatalf("k=%d n=%d: dst[%d][%d] = %g, want %g", k, n, i, r, got, want)
							}
						}
					}
				}
			}
		})
	}
}

// read returns row i of n quantised rows.
func read(form *table.Form, q []byte, i, n, k int) []float64 {
	group := i / groupRows * groupRows
	q = q[group*form.RowBytes(k):]
	x := make([]float64, 0, k)
	for block := range k / 32 {
		d, v := form.Block(q, min(groupRows, n-group), k, i-group, block)
		for _, e := range v {
			x = append(x, float64(d)*float64(e))
		}
	}
	return x
}

// TestBatchInvariance compares bits between a row alone and among others.
func TestBatchInvariance(t *testing.T) {
	for name, p := range quantMatMuls() {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			const k, n, tiles, ldd = 512, 39, 1, tileRows
			_, packed := weights(rng, p.dtype, tileRows, k)
			x := normal(rng, n*k)
			many, one := make([]float32, n*ldd), make([]float32, ldd)
			p.Run(many, ldd, packed, tiles, quantized(p.Form, x, n, k), n, k)
			for i := range n {
				p.Run(one, ldd, packed, tiles, quantized(p.Form, x[i*k:(i+1)*k], 1, k), 1, k)
				for r, v := range one {
					if math.Float32bits(v) != math.Float32bits(many[i*ldd+r]) {
						t.Fatalf("row %d of %d: %g at %d, alone %g", i, n, many[i*ldd+r], r, v)
					}
				}
			}
		})
	}
}

// TestForms holds what forms store to the values that they stand for.
func TestForms(t *testing.T) {
	for _, form := range []*table.Form{&rowForm, &pairForm, &crossForm, &wideForm, &outerForm, &outerCrossForm, &outerWideForm} {
		t.Run(form.Name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			const k = 96
			for _, n := range []int{1, 2, 5, 16, 17} {
				for _, scale := range []float32{1, 1e-20, 1e30} {
					x := normal(rng, n*k)
					for i := range x {
						x[i] *= scale
					}
					q := quantized(form, x, n, k)
					for i := range n {
						for c, v := range read(form, q, i, n, k) {
							if err := math.Abs(v - float64(x[i*k+c])); err > 0.04*float64(scale) {
								t.Fatalf("n=%d row %d column %d: %g became %g", n, i, c, x[i*k+c], v)
							}
						}
					}
				}
			}
		})
	}
}

// TestFp16 holds products in float16 to those in float64: to 0.2 % of their size, whatever the size of the activations, and
// finite while the weights' magnitudes are below 8.
func TestFp16(t *testing.T) {
	p := fp16Set.MatMul[tensor.F16]
	if !cpu.ARM64.HasASIMDHP {
		t.Skip("the processor lacks float16 arithmetic")
	}
	rng := rand.New(rand.NewPCG(7, 8))
	const n, k, tiles = 7, 1000, 5
	w := make([]byte, tiles*tileRows*2*k)
	put := func(at int, v float32) {
		h := tensor.F32ToF16(v)
		w[2*at], w[2*at+1] = byte(h), byte(h>>8)
	}
	product := func(x []float32, rows int) []float32 {
		dst := make([]float32, rows*tiles*tileRows)
		p.Run(dst, tiles*tileRows, w, tiles, quantized(p.Form, x, rows, k), rows, k)
		return dst
	}
	for _, scale := range []float64{1e-20, 1e-3, 1, 1e3, 1e20} {
		x := normal(rng, n*k)
		for i := range x {
			x[i] *= float32(scale)
		}
		for i := range tiles * tileRows * k {
			put(i, float32(rng.NormFloat64()*0.02))
		}
		var errors, sizes float64
		for at, got := range product(x, n) {
			i, r, want := at/(tiles*tileRows), at%(tiles*tileRows), 0.0
			for c := range k {
				h := 2 * (r/tileRows*tileRows*k + c*tileRows + r%tileRows)
				want += float64(x[i*k+c]) * float64(tensor.F16ToF32(uint16(w[h])|uint16(w[h+1])<<8))
			}
			errors += (float64(got) - want) * (float64(got) - want)
			sizes += want * want
		}
		if e := math.Sqrt(errors / sizes); !(e < 0.002) {
			t.Errorf("scale %g: error of %.4f", scale, e)
		} else {
			t.Logf("scale %g: error of %.5f", scale, e)
		}
	}
	// The largest sums, of one sign: rounding has a bias there.
	x := make([]float32, k)
	for c := range 128 {
		x[c] = 63.9
	}
	for i := range tiles * tileRows * k {
		put(i, 7.9)
	}
	for _, v := range product(x, 1) {
		if math.Abs(float64(v)-128*7.9*63.9) > 128*7.9*63.9*0.02 {
			t.Fatalf("%g, want %g", v, 128*7.9*63.9)
		}
	}
	for i := range tiles * tileRows * k {
		put(i, 9)
	}
	for _, v := range product(x, 1) {
		if !math.IsInf(float64(v), 1) {
			t.Fatalf("%g, want an infinity", v)
		}
	}
}
