package tensor_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/lever-go/lever/tensor"
	"pgregory.net/rapid"
)

func importanceOf(t *testing.T, width int, values []float32) *tensor.Importance {
	t.Helper()
	of, err := (&tensor.Moments{Width: width, Values: values}).Importance()
	if err != nil {
		t.Fatal(err)
	}
	return of
}

// activations are rows of columns that depend on each other, as those of models do.
func activations(rng *rand.Rand, rows, cols int) [][]float64 {
	sources := make([]float64, 16)
	mixed := make([][]float64, cols)
	for c := range mixed {
		for range sources {
			mixed[c] = append(mixed[c], rng.NormFloat64())
		}
	}
	all := make([][]float64, rows)
	for r := range all {
		for i := range sources {
			sources[i] = rng.NormFloat64()
		}
		for c := range cols {
			x := rng.NormFloat64()
			for i, s := range sources {
				x += s * mixed[c][i] / 2
			}
			all[r] = append(all[r], x)
		}
	}
	return all
}

func momentsOf(rows [][]float64, width int) *tensor.Moments {
	cols := len(rows[0])
	m := &tensor.Moments{Width: width, Values: make([]float32, tensor.MomentsLen(cols, width))}
	for c := range cols {
		moments, first := m.Column(c)
		for i := range moments {
			sum := 0.0
			for _, x := range rows {
				sum += x[c] * x[first+i]
			}
			moments[i] = float32(sum / float64(len(rows)))
		}
	}
	return m
}

// TestMoments: columns that make up for the errors of others leave products far closer to what they were, for rows of activations that were not measured.
// More columns in a piece are no worse.
func TestMoments(t *testing.T) {
	const outputs, cols = 4, 512
	rng := rand.New(rand.NewPCG(3, 4))
	x := activations(rng, 1100, cols)
	measured, judged := x[:1000], x[1000:]
	alone, some, all := momentsOf(measured, 1), momentsOf(measured, 100), momentsOf(measured, 2048)
	matrix := make([]float32, outputs*cols)
	for i := range matrix {
		matrix[i] = float32(rng.NormFloat64()) / 50
	}
	lost := func(d tensor.DType, moments *tensor.Moments) (sum float64) {
		of := importanceOf(t, moments.Width, moments.Values)
		data, got := make([]byte, d.RowBytes(len(matrix))), make([]float32, len(matrix))
		if err := errors.Join(tensor.EncodeWeighted(data, matrix, d, of), tensor.Decode(got, data, d)); err != nil {
			t.Fatal(err)
		}
		for _, row := range judged {
			for o := range outputs {
				miss := 0.0
				for c, v := range row {
					miss += v * float64(got[o*cols+c]-matrix[o*cols+c])
				}
				sum += miss * miss
			}
		}
		return sum
	}
	for d, most := range map[tensor.DType]float64{
		tensor.Q3_K: 0.5, tensor.IQ4_XS: 0.45, tensor.IQ4_NL: 0.45, tensor.IQ3_S: 0.45, tensor.IQ3_XXS: 0.45, tensor.Q4_K: 0.45, tensor.Q5_K: 0.45, tensor.Q6_K: 0.45,
	} {
		alone, some, all := lost(d, alone), lost(d, some), lost(d, all)
		t.Logf("%v: %.3f of the error is left with pieces of 100 columns, %.3f with one", d, some/alone, all/alone)
		if all > most*alone || all > some || some > alone {
			t.Errorf("%v: the square error is %v, with pieces of 100 columns %v, with one %v", d, alone, some, all)
		}
		if !tensor.Weighted(d) {
			t.Errorf("%v is said not to be weighted", d)
		}
	}
}

// TestMomentsCols: any number of columns is told by how many values it has, and any column's place.
func TestMomentsCols(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cols, width := rapid.IntRange(0, 500).Draw(t, "cols"), rapid.IntRange(1, 300).Draw(t, "width")
		m := &tensor.Moments{Width: width, Values: make([]float32, tensor.MomentsLen(cols, width))}
		if got, err := m.Cols(); got != cols || err != nil {
			t.Fatal(got, err)
		}
		at := 0
		for c := range cols {
			moments, first := m.Column(c)
			if &moments[0] != &m.Values[at] || first+len(moments) != c+1 || first%width != 0 {
				t.Fatalf("column %d: %d values from column %d on", c, len(moments), first)
			}
			at += len(moments)
		}
		if at != len(m.Values) {
			t.Fatalf("%d of %d values", at, len(m.Values))
		}
	})
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		moments tensor.Moments
		want    error
	}{
		"good":      {tensor.Moments{Width: 2, Values: []float32{1, -2, 3}}, nil},
		"no width":  {tensor.Moments{Values: []float32{1}}, tensor.ErrShape},
		"a part":    {tensor.Moments{Width: 2, Values: []float32{1, 2}}, tensor.ErrShape},
		"no number": {tensor.Moments{Width: 2, Values: []float32{1, nan, 3}}, tensor.ErrNotFinite},
		"infinite":  {tensor.Moments{Width: 2, Values: []float32{1, 2, float32(math.Inf(1))}}, tensor.ErrNotFinite},
		"negative":  {tensor.Moments{Width: 2, Values: []float32{1, 2, -3}}, tensor.ErrNotFinite},
	} {
		if err := c.moments.Check(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Moments that none are, and elements that are far too large, lead to errors and not to nonsense.
func TestMomentsOfNothing(t *testing.T) {
	const cols = 256
	row, data, got := make([]float32, cols), make([]byte, tensor.Q3_K.RowBytes(cols)), make([]float32, cols)
	for c := range row {
		row[c] = float32(c%7) - 3
	}
	values := make([]float32, tensor.MomentsLen(cols, cols))
	zero := importanceOf(t, cols, values)
	for i := range values {
		values[i] = float32(i%5) * 1e30
	}
	for _, of := range []*tensor.Importance{zero, importanceOf(t, cols, values)} {
		if err := tensor.EncodeWeighted(data, row, tensor.Q3_K, of); err != nil {
			if !errors.Is(err, tensor.ErrNotFinite) {
				t.Error(err)
			}
			continue
		}
		if err := tensor.Decode(got, data, tensor.Q3_K); err != nil {
			t.Error(err)
		}
		for c, v := range got {
			if v-v != 0 {
				t.Fatalf("column %d is %v", c, v)
			}
		}
	}
	row[3] = float32(math.Inf(1))
	if err := tensor.EncodeWeighted(data, row, tensor.Q3_K, zero); !errors.Is(err, tensor.ErrNotFinite) {
		t.Error(err)
	}
}
