package kernels_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/blocktest"
	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

var packedTypes = tensor.PackableTypes()

// packRows packs rows in GGUF form and returns their values as well.
func packRows(data []byte, d tensor.DType, rows, cols int) (tensor.Packed, []float32) {
	values := make([]float32, rows*cols)
	if err := tensor.Decode(values, data, d); err != nil {
		panic(err)
	}
	return blocktest.Pack(data, d, rows, cols), values
}

// randomMatrix returns a packed matrix with random quants and its values.
func randomMatrix(rng *rand.Rand, d tensor.DType, rows, cols int) (tensor.Packed, []float32) {
	return packRows(blocktest.Random(rng, d, rows, cols, func() float32 { return float32(rng.NormFloat64() * 0.02) }), d, rows, cols)
}

// asMultiplied returns what x [n][k] is once quantised by the set for weights of type d.
func asMultiplied(set *kernels.Set, d tensor.DType, x []float32, n, k int) []float64 {
	y := make([]float64, len(x))
	form := set.Table().MatMul[d].Form
	q := []byte(nil)
	for i := range n {
		if form == nil {
			for c := range k {
				y[i*k+c] = float64(x[i*k+c])
			}
			continue
		}
		q = slices.Grow(q[:0], form.RowBytes(k))[:form.RowBytes(k)]
		form.Quantize(q, x[i*k:(i+1)*k], 1, k)
		for c := range k {
			scale, v := form.Block(q, 1, k, 0, c/32)
			y[i*k+c] = float64(scale) * float64(v[c%32])
		}
	}
	return y
}

// checkProduct compares dst [n][ldd] from column first on with the product in float64 of the weights' values and the
// activations as they were quantised, sum |w·x| being the unit of error. A sum of m terms one after the other may be off by
// m/2 eps, and a set is free in its order: terms are blocks of at least 16 columns of a quantised type, or single columns. A
// set that multiplies in float16 adds up to 128 of those, where products of the activations' scale below 2^-24 are lost.
func checkProduct(t rapid.TB, set *kernels.Set, d tensor.DType, dst []float32, ldd, first int, values []float32, rows int, x []float32, n, k int) {
	t.Helper()
	y := asMultiplied(set, d, x, n, k)
	c, lost := 4+float64(k)/16, math.SmallestNonzeroFloat32
	if !d.Quantized() {
		c = 4 + float64(k)/2
	}
	inFloat16 := !d.Quantized() && set.Table().MatMul[d].Form != nil
	if inFloat16 {
		c += (1 + float64(min(k, 128))/2) * 0x1p-10 / eps
	}
	for i := range n {
		if inFloat16 {
			lost = 0x1p-24 / 32 * largest(x[i*k:(i+1)*k])
		}
		for r := range rows {
			want, size := 0.0, 0.0
			for j := range k {
				p := float64(values[r*k+j]) * y[i*k+j]
				want += p
				size += math.Abs(p)
			}
			if d == tensor.Q4_K || d == tensor.Q5_K {
				size *= 4 // the minimum is taken off a sum, which is larger than what is left
			}
			bound := c*eps*size + float64(k)*lost
			if got := dst[i*ldd+first+r]; !near(got, want, bound) {
				t.Fatalf("row %d, activation row %d: got %v, want %v ± %.3g", r, i, got, want, bound)
			}
		}
	}
}

// largest returns the largest magnitude in x.
func largest(x []float32) float64 {
	a := 0.0
	for _, v := range x {
		a = max(a, math.Abs(float64(v)))
	}
	return a
}

// alone returns a pool without further goroutines that uses a set.
func alone(set *kernels.Set) *kernels.Pool {
	pool := kernels.NewPool(1)
	pool.Use(set)
	return pool
}

// multiply runs MatMul for x with guards around the output, which has pad more columns than the matrix rows.
func multiply(t rapid.TB, pool *kernels.Pool, w tensor.Packed, x []float32, n, pad int) []float32 {
	t.Helper()
	ldd := w.Row + w.Rows + pad
	dst, check := guardedFloats(t, n*ldd, 3)
	for i := range dst {
		dst[i] = guardValue
	}
	before := slices.Clone(x)
	var in kernels.Input
	in.Reset(x, n, w.Cols)
	kernels.MatMul(pool, dst, ldd, w, &in)
	check()
	if !slices.Equal(before, x) {
		t.Fatal("the activations were changed")
	}
	for i := range n {
		for c, v := range dst[i*ldd : (i+1)*ldd] {
			if (c < w.Row || c >= w.Row+w.Rows) && v != guardValue {
				t.Fatalf("row %d, column %d of %d..%d was overwritten", i, c, w.Row, w.Row+w.Rows-1)
			}
		}
	}
	return dst
}

func TestMatMul(t *testing.T) {
	ns := []int{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 65}
	if testing.Short() {
		ns = []int{1, 2, 3, 5, 8, 17, 33}
	}
	kerneltest.Each(t, "MatMul", func(t *testing.T, set *kernels.Set) {
		pool, ns := kerneltest.Pool(t, set, 2), ns
		if set.Name() == "ref" { // slow, and the same code for every n
			ns = ns[:5]
		}
		for _, d := range ownProducts(set) {
			rng := newRand()
			for _, blocks := range []int{1, 2, 3, 5} {
				for _, rows := range []int{1, 15, 16, 17, 40, 64} {
					k := blocks * d.BlockElems()
					if d == tensor.F16 {
						k = []int{1, 7, 64, 130}[blocks/2]
					}
					w, values := randomMatrix(rng, d, rows, k)
					n := ns[rng.IntN(len(ns))]
					x := normal(rng, n*k)
					t.Run(fmt.Sprintf("fmt=%v/shape=%dx%d/n=%d", d, rows, k, n), func(t *testing.T) {
						dst := multiply(t, pool, w, x, n, 0)
						checkProduct(t, set, d, dst, rows, 0, values, rows, x, n, k)
					})
				}
			}
			w, values := randomMatrix(rng, d, 32, 256)
			for _, n := range ns {
				x := normal(rng, n*256)
				w.Row = 48
				t.Run(fmt.Sprintf("fmt=%v/part/n=%d", d, n), func(t *testing.T) {
					dst := multiply(t, pool, w, x, n, 5)
					checkProduct(t, set, d, dst, w.Row+w.Rows+5, w.Row, values, w.Rows, x, n, w.Cols)
				})
			}
		}
	})
}

// TestMatMulExtremes drives the integer sums to their limits: every quant and every activation at its largest magnitude.
func TestMatMulExtremes(t *testing.T) {
	kerneltest.Each(t, "MatMul", func(t *testing.T, set *kernels.Set) {
		for _, d := range ownProducts(set) {
			for _, fill := range []byte{0x00, 0xff, 0x7f, 0x80, 0x0f, 0xf0} {
				const rows, k = 16, 512
				data := slices.Repeat([]byte{fill}, rows*d.RowBytes(k))
				blocktest.SetScales(data, d, func() float32 { return 1 })
				w, values := packRows(data, d, rows, k)
				for _, sign := range []float32{1, -1} {
					x := make([]float32, 2*k)
					for i := range x {
						x[i] = sign * 127
						if i >= k && i%2 == 1 {
							x[i] = -x[i]
						}
					}
					dst := multiply(t, alone(set), w, x, 2, 0)
					checkProduct(t, set, d, dst, rows, 0, values, rows, x, 2, k)
				}
			}
		}
	})
}

// TestMatMulNotFinite puts infinity and NaN into one activation row: that row's results are NaN (or infinite, with F16
// weights), all others are untouched.
func TestMatMulNotFinite(t *testing.T) {
	kerneltest.Each(t, "MatMul", func(t *testing.T, set *kernels.Set) {
		for _, d := range ownProducts(set) {
			const rows, k, n = 32, 256, 5
			w, _ := randomMatrix(newRand(), d, rows, k)
			x := normal(newRand(), n*k)
			clean := multiply(t, alone(set), w, x, n, 0)
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				y := slices.Clone(x)
				y[2*k+77] = float32(bad)
				for i, v := range multiplyNaN(t, set, w, y, n) {
					switch finite := !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0); {
					case i/rows != 2 && !sameBits(v, clean[i]):
						t.Fatalf("%v: %v in row 2 changed row %d: %v, want %v", d, bad, i/rows, v, clean[i])
					case i/rows == 2 && (finite || d != tensor.F16 && v == v):
						t.Fatalf("%v: %v gave %v", d, bad, v)
					}
				}
			}
		}
	})
}

// multiplyNaN is multiply without the comparison of inputs, which NaN defeats.
func multiplyNaN(t rapid.TB, set *kernels.Set, w tensor.Packed, x []float32, n int) []float32 {
	dst, check := guardedFloats(t, n*w.Rows, 0)
	var in kernels.Input
	in.Reset(x, n, w.Cols)
	kernels.MatMul(alone(set), dst, w.Rows, w, &in)
	check()
	return dst
}

// TestMatMulBatchInvariance: a row's result has the same bits alone, among any others, in any order, by any number of
// workers.
func TestMatMulBatchInvariance(t *testing.T) {
	kerneltest.Each(t, "MatMul", func(t *testing.T, set *kernels.Set) {
		var pools []*kernels.Pool
		for _, threads := range []int{1, 2, 5} {
			pools = append(pools, kerneltest.Pool(t, set, threads))
		}
		maxRows, maxN := 70, 40
		if set.Name() == "ref" { // slow, and the same code for every shape
			maxRows, maxN = 20, 4
		}
		for _, d := range ownProducts(set) {
			t.Run(fmt.Sprintf("fmt=%v", d), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
					rows := rapid.IntRange(1, maxRows).Draw(t, "rows")
					k := d.BlockElems() * rapid.IntRange(1, 3).Draw(t, "blocks")
					if d == tensor.F16 {
						k = rapid.IntRange(1, 300).Draw(t, "columns")
					}
					n := rapid.IntRange(1, maxN).Draw(t, "n")
					w, _ := randomMatrix(rng, d, rows, k)
					x := normal(rng, n*k)
					all := multiply(t, pools[rng.IntN(len(pools))], w, x, n, 0)
					order := rng.Perm(n)
					shuffled := make([]float32, 0, len(x))
					for _, i := range order {
						shuffled = append(shuffled, x[i*k:(i+1)*k]...)
					}
					again := multiply(t, pools[rng.IntN(len(pools))], w, shuffled, n, 0)
					for at, i := range order {
						single := multiply(t, alone(set), w, x[i*k:(i+1)*k], 1, 0)
						if !slices.Equal(single, all[i*rows:(i+1)*rows]) || !slices.Equal(single, again[at*rows:(at+1)*rows]) {
							t.Fatalf("row %d of %d differs from the row alone", i, n)
						}
					}
				})
			})
		}
	})
}

func TestMatMulF32(t *testing.T) {
	eachOwn(t, "MatMulF32", func(t *testing.T, set *kernels.Set) {
		pool := kerneltest.Pool(t, set, 3)
		rng := newRand()
		for k := range 40 {
			for _, rows := range []int{0, 1, 3, 16, 33} {
				const n, pad = 3, 2
				w, x := normal(rng, rows*k), normal(rng, n*k)
				dst, check := guardedFloats(t, n*(rows+pad), k%16)
				var in kernels.Input
				in.Reset(x, n, k)
				kernels.MatMulF32(pool, dst, rows+pad, w, rows, &in)
				check()
				checkProduct(t, set, tensor.F16, dst, rows+pad, 0, w, rows, x, n, k)
				for i := range n {
					single := make([]float32, rows)
					in.Reset(x[i*k:], 1, k)
					kernels.MatMulF32(alone(set), single, rows, w, rows, &in)
					if !slices.Equal(single, dst[i*(rows+pad):][:rows]) {
						t.Fatalf("k=%d rows=%d: row %d differs from the row alone", k, rows, i)
					}
				}
			}
		}
	})
}

// TestMatMulF32NotFinite: what is not finite in one activation row reaches that row's results, whichever column it is in, and
// no others.
func TestMatMulF32NotFinite(t *testing.T) {
	eachOwn(t, "MatMulF32", func(t *testing.T, set *kernels.Set) {
		const rows, k, n = 19, 37, 6
		w, dst := normal(newRand(), rows*k), make([]float32, n*rows)
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			for c := range k {
				x := normal(newRand(), n*k)
				x[c%n*k+c] = float32(bad)
				var in kernels.Input
				in.Reset(x, n, k)
				kernels.MatMulF32(alone(set), dst, rows, w, rows, &in)
				for i, v := range dst {
					if (v-v == 0) == (i/rows == c%n) {
						t.Fatalf("%v in row %d, column %d gave %v in row %d", bad, c%n, c, v, i/rows)
					}
				}
			}
		}
	})
}

// TestInputIsShared: products with several formats use one Input, and a Reset is seen by all.
func TestInputIsShared(t *testing.T) {
	kerneltest.Each(t, "MatMul", func(t *testing.T, set *kernels.Set) {
		const rows, k = 16, 256
		var in kernels.Input
		for n := 1; n < 4; n++ {
			x := normal(rand.New(rand.NewPCG(1, uint64(n))), n*k)
			in.Reset(x, n, k)
			for range 2 {
				for _, d := range packedTypes {
					w, _ := randomMatrix(newRand(), d, rows, k)
					dst := make([]float32, n*rows)
					kernels.MatMul(alone(set), dst, rows, w, &in)
					if !slices.Equal(dst, multiply(t, alone(set), w, x, n, 0)) {
						t.Fatalf("n=%d %v: a shared Input gives another result", n, d)
					}
				}
			}
		}
		in.Reset(nil, 0, k)
		w, _ := randomMatrix(newRand(), tensor.Q8_0, rows, k)
		kernels.MatMul(alone(set), nil, rows, w, &in) // no rows: nothing happens
	})
}

func TestMatMulDoesNotAllocate(t *testing.T) {
	kerneltest.Each(t, "MatMul", func(t *testing.T, set *kernels.Set) {
		pool := kerneltest.Pool(t, set, 2)
		for _, d := range ownProducts(set) {
			const rows, k, n = 200, 512, 3
			w, _ := randomMatrix(newRand(), d, rows, k)
			x, dst := normal(newRand(), n*k), make([]float32, n*rows)
			var in kernels.Input
			if allocs := testing.AllocsPerRun(5, func() {
				in.Reset(x, n, k)
				kernels.MatMul(pool, dst, rows, w, &in)
			}); allocs != 0 {
				t.Errorf("%v: %v allocations", d, allocs)
			}
		}
	})
}

func TestMatMulMisuse(t *testing.T) {
	w, _ := randomMatrix(newRand(), tensor.Q8_0, 20, 64)
	short := w
	short.Data = w.Data[1:]
	vector := tensor.Packed{Type: tensor.F32, Rows: 1, Cols: 64, Data: make([]byte, 256)}
	x := make([]float32, 128)
	dst := make([]float32, 100)
	var in kernels.Input
	in.Reset(x, 2, 64)
	for name, f := range map[string]func(){
		"k 64 != 32": func() {
			var in kernels.Input
			in.Reset(x, 2, 32)
			kernels.MatMul(nil, dst, 20, w, &in)
		},
		"row stride 19 < 20":         func() { kernels.MatMul(nil, dst, 19, w, &in) },
		"needs 40 elements, got 39":  func() { kernels.MatMul(nil, dst[:39], 20, w, &in) },
		"bytes, got":                 func() { kernels.MatMul(nil, dst, 20, short, &in) },
		"no kernel for f32":          func() { kernels.MatMul(nil, dst, 20, vector, &in) },
		"need 129 elements, got 128": func() { in.Reset(x, 1, 129) },
		"need 128 elements, got 1":   func() { kernels.MatMulF32(nil, dst, 20, x[:1], 2, &in) },
	} {
		if v := panicOf(f); !strings.Contains(fmt.Sprint(v), name) {
			t.Errorf("want a panic about %q, got %v", name, v)
		}
	}
}

func TestDequantizeRow(t *testing.T) {
	kerneltest.Each(t, "DequantizeRow", func(t *testing.T, set *kernels.Set) {
		for _, d := range packedTypes {
			const rows, k = 37, 512
			w, values := randomMatrix(newRand(), d, rows, k)
			for r := range rows {
				dst, check := guardedFloats(t, k, r%16)
				set.DequantizeRow(dst, w, r)
				check()
				for c, v := range dst {
					want := float64(values[r*k+c])
					if !near(v, want, 2*eps*(math.Abs(want)+1)) || d != tensor.Q4_K && d != tensor.Q5_K && float64(v) != want {
						t.Fatalf("%v row %d column %d: %v, want %v", d, r, c, v, want)
					}
				}
			}
		}
	})
	vector := tensor.Packed{Type: tensor.F32, Rows: 1, Cols: 2, Data: []byte{0, 0, 128, 63, 0, 0, 0, 192}}
	dst := make([]float32, 2)
	kernels.Default().DequantizeRow(dst, vector, 0)
	if !slices.Equal(dst, []float32{1, -2}) {
		t.Errorf("an F32 vector reads as %v", dst)
	}
	if v := panicOf(func() { kernels.Default().DequantizeRow(dst, vector, 1) }); v == nil {
		t.Error("a row outside the matrix was accepted")
	}
}

func ExampleMatMul() {
	// Two rows of a matrix, as Q8_0, times one row of activations.
	const rows, k = 2, 32
	values := make([]float32, rows*k)
	for c := range k {
		values[c], values[k+c] = 1, float32(c)
	}
	blocks := make([]byte, rows*tensor.Q8_0.RowBytes(k))
	w := tensor.Packed{Type: tensor.Q8_0, Rows: rows, Cols: k, Data: make([]byte, tensor.PackedBytes(tensor.Q8_0, rows, k))}
	if err := tensor.Encode(blocks, values, tensor.Q8_0); err != nil {
		panic(err)
	}
	if err := tensor.Pack(w.Data, blocks, w.Type, rows, k); err != nil {
		panic(err)
	}

	x := slices.Repeat([]float32{0.5}, k)
	var in kernels.Input
	in.Reset(x, 1, k)
	dst := make([]float32, rows)
	kernels.MatMul(nil, dst, rows, w, &in)
	fmt.Printf("%.1f\n", dst)
	// Output: [16.0 248.0]
}
