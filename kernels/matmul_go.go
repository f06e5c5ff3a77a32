package kernels

import (
	"encoding/binary"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// rowSums are the sums of a tile for a group of activation rows.
type rowSums [table.GroupRows][tensor.TileRows]float32

// store writes the sums of rows activation rows.
func (s *rowSums) store(dst []float32, ldd, rows int) {
	for i := range rows {
		copy(dst[i*ldd:i*ldd+tensor.TileRows], s[i][:])
	}
}

// forTiles has multiply compute every tile for every group of activation rows. A tile stays in the cache while the groups
// pass.
func forTiles(dst []float32, ldd int, w []byte, tiles int, q []byte, n, rowBytes int, multiply func(dst []float32, ldd int, tile, q []byte, rows int)) {
	tileBytes := len(w) / tiles
	for t := range tiles {
		tile := w[t*tileBytes : (t+1)*tileBytes]
		for i := 0; i < n; i += table.GroupRows {
			rows := min(table.GroupRows, n-i)
			multiply(dst[i*ldd+t*tensor.TileRows:], ldd, tile, q[i*rowBytes:(i+rows)*rowBytes], rows)
		}
	}
}

// productGo is the portable product with a format of weights whose tiles tile multiplies with activations of a form.
func productGo(form *table.Form, tile func(dst []float32, ldd int, tile, q []byte, rows int)) table.QuantMatMul {
	return table.QuantMatMul{Form: form, Run: func(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
		forTiles(dst, ldd, w, tiles, q, n, form.RowBytes(k), tile)
	}}
}

// rowFloats are 16 numbers, one for each row of a tile: scales, or a column.
type rowFloats [tensor.TileRows]float32

// read converts 16 F16 numbers.
func (d *rowFloats) read(b []byte) {
	_ = b[f16Bytes-1]
	for r := range d {
		if h := binary.LittleEndian.Uint16(b[2*r:]); isNormalHalf(h) {
			d[r] = normalHalf(h)
		} else {
			d[r] = tensor.F16ToF32(h)
		}
	}
}

// scaleAndSum reads the end of a block of activations.
func scaleAndSum(tail []byte) (d float32, sum int32) {
	_ = tail[7]
	return f32At(tail, 0), int32(binary.LittleEndian.Uint32(tail[4:]))
}
