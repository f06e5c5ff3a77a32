package tensor

import (
	"encoding/binary"
	"math"
	"slices"
)

// Equal reports whether a and b have the same type, shape and values. Values are compared as Go compares numbers: zeros are equal whatever their
// sign, and a NaN equals nothing. A nil tensor equals none.
func Equal(a, b *Tensor) bool {
	if a.check() != nil || b.check() != nil || a.dtype != b.dtype || !slices.Equal(a.shape, b.shape) {
		return false
	}
	if !a.dtype.Integer() {
		return slices.Equal(a.float64s(), b.float64s())
	}
	x, y := make([]int64, a.Len()), make([]int64, a.Len())
	return a.CopyInts(x) == nil && b.CopyInts(y) == nil && slices.Equal(x, y)
}

// Close reports whether a and b, of any types, have the same shape and |a−b| ≤ absolute + relative·|b| for each pair of elements. Infinities are
// close to themselves, a NaN to nothing.
func Close(a, b *Tensor, relative, absolute float64) bool {
	if a.check() != nil || b.check() != nil || !slices.Equal(a.shape, b.shape) {
		return false
	}
	return slices.EqualFunc(a.float64s(), b.float64s(), func(x, y float64) bool {
		return x == y || math.Abs(x-y) <= absolute+relative*math.Abs(y) && !math.IsInf(y, 0)
	})
}

// float64s returns the elements in row-major order.
func (t *Tensor) float64s() []float64 {
	out := make([]float64, 0, t.Len())
	n, stride := t.row()
	row := make([]float32, n)
	for e := range t.rows() {
		if t.dtype != F64 {
			t.readRow(row, e, stride)
		}
		for i, x := range row {
			value := float64(x)
			if t.dtype == F64 {
				value = math.Float64frombits(binary.LittleEndian.Uint64(t.data[8*(e+i*stride):]))
			}
			out = append(out, value)
		}
	}
	return out
}
