package kernels_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// eachForm runs f for every activation form of every set.
func eachForm(t *testing.T, f func(t *testing.T, form *table.Form)) {
	for _, set := range kernels.Registry() {
		for _, form := range formsOf(set) {
			t.Run(fmt.Sprintf("form=%s/impl=%s", form.Name, set.Name), func(t *testing.T) { f(t, form) })
		}
	}
}

func formsOf(set table.Kernels) []*table.Form {
	var forms []*table.Form
	for _, d := range packedTypes {
		if m, ok := set.MatMul[d]; ok && !slices.Contains(forms, m.Form) {
			forms = append(forms, m.Form)
		}
	}
	return forms
}

// quantize returns the quantised form of x, with guards around it.
func quantize(t rapid.TB, form *table.Form, x []float32, rows, k int) []byte {
	q, check := guarded[byte](t, rows*form.RowBytes(k), 64, 0xa5)
	form.Quantize(q, x, rows, k)
	check()
	return q
}

// definedBlock is the definition in the package documentation, in float32 and spelled out once more.
func definedBlock(x []float32) (d float32, q [32]int32) {
	amax := 0.0
	for _, v := range x {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return float32(math.NaN()), q
		}
		amax = math.Max(amax, math.Abs(float64(v)))
	}
	if amax < 0x1p-100 {
		return 0, q
	}
	d = float32(amax) / 127
	inv := 1 / d
	for i, v := range x {
		q[i] = int32(math.RoundToEven(float64(float32(v * inv))))
	}
	return d, q
}

// specialRows are blocks at the edges of the definition.
func specialRows() [][]float32 {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	fill := func(v float32, at ...float32) []float32 {
		x := slices.Repeat([]float32{v}, 32)
		copy(x[5:], at)
		return x
	}
	return [][]float32{
		fill(0), fill(float32(math.Copysign(0, -1))), fill(1), fill(-1), fill(0, 1), fill(0, -1),
		fill(1, nan), fill(0, inf), fill(0, -inf), fill(nan), fill(0, nan, inf, -inf),
		fill(math.MaxFloat32), fill(-math.MaxFloat32, math.MaxFloat32), fill(math.SmallestNonzeroFloat32),
		fill(0x1p-100), fill(0x1.fffffep-101), fill(0x1p-126, 0x1p-100), fill(0x1p-100, 127*0x1p-100),
		fill(0.5, 127), fill(1.5, 127), fill(-2.5, 127), fill(126.5, 127), fill(-126.5, -127),
	}
}

func TestQuantizeDefinition(t *testing.T) {
	rng := newRand()
	eachForm(t, func(t *testing.T, form *table.Form) {
		if form.Name != "q8" && form.Name != "pairs" {
			t.Skip("the form rounds activations in its own way")
		}
		rows := specialRows()
		for range 30 {
			x := normal(rng, 32)
			for i := range x {
				x[i] *= float32(math.Exp(4 * rng.NormFloat64()))
			}
			rows = append(rows, x)
		}
		for i := 0; i < len(rows); i += table.GroupRows {
			group := rows[i:min(i+table.GroupRows, len(rows))]
			q := quantize(t, form, slices.Concat(group...), len(group), 32)
			for r, x := range group {
				d, v := form.Block(q, len(group), 32, r, 0)
				wantD, want := definedBlock(x)
				if !sameBits(d, wantD) || v != want {
					t.Fatalf("row %d, %v:\n got d %v, %v\nwant d %v, %v", i+r, x, d, v, wantD, want)
				}
			}
		}
	})
}

// TestQuantizeQ8Bytes compares the whole plain form, sums included, with the reference set's.
func TestQuantizeQ8Bytes(t *testing.T) {
	ref := kernels.Registry()[0].MatMul[tensor.Q8_0].Form
	eachForm(t, func(t *testing.T, form *table.Form) {
		if form.Name != "q8" {
			t.Skip("a private form")
		}
		for _, k := range []int{32, 64, 96, 256, 416} {
			for rows := 1; rows <= table.GroupRows; rows++ {
				x := normal(newRand(), rows*k)
				if !bytes.Equal(quantize(t, form, x, rows, k), quantize(t, ref, x, rows, k)) {
					t.Fatalf("k=%d rows=%d: differs from the reference", k, rows)
				}
			}
		}
	})
}

// TestQuantizeError bounds the rounding of every form and shows that a row does not depend on its group.
func TestQuantizeError(t *testing.T) {
	eachForm(t, func(t *testing.T, form *table.Form) {
		rapid.Check(t, func(t *rapid.T) {
			rows := rapid.IntRange(1, table.GroupRows).Draw(t, "rows")
			k := 32 * rapid.IntRange(1, 9).Draw(t, "blocks")
			x := make([]float32, rows*k)
			for i := range x {
				x[i] = float32(rapid.Float64Range(-3, 3).Draw(t, "x"))
			}
			q := make([]byte, rows*form.RowBytes(k))
			alone := make([]byte, form.RowBytes(k))
			form.Quantize(q, x, rows, k)
			for r := range rows {
				form.Quantize(alone, x[r*k:(r+1)*k], 1, k)
				for b := range k / 32 {
					d, v := form.Block(q, rows, k, r, b)
					d1, v1 := form.Block(alone, 1, k, 0, b)
					if d != d1 || v != v1 {
						t.Fatalf("row %d block %d depends on the group", r, b)
					}
					amax := 0.0
					for _, f := range sharingScale(form, x[r*k:(r+1)*k], b) {
						amax = max(amax, math.Abs(float64(f)))
					}
					for i, f := range x[r*k+32*b:][:32] {
						// Half a step of amax/127, and a little for forms with a coarser one.
						if diff := math.Abs(float64(d)*float64(v[i]) - float64(f)); diff > amax/127*0.54 {
							t.Fatalf("row %d block %d: %v is stored as %v", r, b, f, float64(d)*float64(v[i]))
						}
					}
				}
			}
		})
	})
}

// sharingScale returns those columns of the row x that share their scale with block b of 32.
func sharingScale(form *table.Form, x []float32, b int) []float32 {
	elems := max(form.Elems, 32)
	first := 32 * b / elems * elems
	return x[first:min(first+elems, len(x))]
}

func FuzzQuantize(f *testing.F) {
	for _, row := range specialRows() {
		var data []byte
		for _, v := range row {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		f.Add(data)
	}
	ref := kernels.Registry()[0].MatMul[tensor.Q8_0].Form
	f.Fuzz(func(t *testing.T, data []byte) {
		x := make([]float32, 64)
		for i := range min(len(x), len(data)/4) {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		want := quantize(t, ref, x, 1, len(x))
		for _, set := range kernels.Registry() {
			for _, form := range formsOf(set) {
				got := quantize(t, form, x, 1, len(x))
				for b := range len(x) / 32 {
					d, v := form.Block(got, 1, len(x), 0, b)
					wantD, wantV := ref.Block(want, 1, len(x), 0, b)
					finite := !slices.ContainsFunc(sharingScale(form, x, b), func(v float32) bool { return v-v != 0 })
					if (d == d) != finite {
						t.Fatalf("%s: d = %v for finite values: %v", set.Name, d, finite)
					}
					if form.Name == "q8" && (!sameBits(d, wantD) || v != wantV) {
						t.Fatalf("%s: %v %v, want %v %v", set.Name, d, v, wantD, wantV)
					}
				}
			}
		}
	})
}

func BenchmarkQuantize(b *testing.B) {
	for _, set := range kernels.Registry() {
		for _, form := range formsOf(set) {
			const k = 4096
			b.Run(fmt.Sprintf("form=%s/n=1/k=%d/impl=%s", form.Name, k, set.Name), func(b *testing.B) {
				x := normal(newRand(), k)
				q := make([]byte, form.RowBytes(k))
				b.SetBytes(int64(4*k + len(q)))
				for b.Loop() {
					form.Quantize(q, x, 1, k)
				}
			})
		}
	}
}
