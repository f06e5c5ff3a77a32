package kernels

import (
	"fmt"

	"github.com/lever-go/lever/tensor"
)

// DequantizeRow writes the values of row row of w, counted from w's first row, to dst [w.Cols]. It serves embedding
// look-up. w is of any type that [MatMul] takes, or an F32 vector.
func (s *Set) DequantizeRow(dst []float32, w tensor.Packed, row int) {
	if err := w.Check(); err != nil {
		panic("kernels: DequantizeRow: " + err.Error())
	}
	if row < 0 || row >= w.Rows || len(dst) != w.Cols {
		panic(fmt.Sprintf("kernels: DequantizeRow: row %d of %d, %d elements for %d columns", row, w.Rows, len(dst), w.Cols))
	}
	if w.Type == tensor.F32 {
		for c := range dst {
			dst[c] = f32At(w.Data, 4*c)
		}
		return
	}
	dequantize := s.k.DequantizeF16
	if w.Type != tensor.F16 {
		dequantize = s.k.Dequantize[w.Type]
	}
	size := tensor.TileBytes(w.Type, w.Cols)
	first := row / tensor.TileRows * size
	dequantize(dst, w.Data[first:first+size], row%tensor.TileRows)
}
