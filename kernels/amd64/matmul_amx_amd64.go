//go:build !purego

package amd64

import (
	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// minRowsAmx is the number of activation rows from which on tile registers are used; see "AMX" in the package comment.
const minRowsAmx = 8

// tileShapes is what LDTILECFG reads: how many of its 64 bytes and 16 rows each tile register uses.
type tileShapes struct {
	palette, startRow byte
	_                 [14]byte
	rowBytes          [16]uint16
	rows              [16]byte
}

// Shapes for products of 1 to 16 activation rows with blocks of 32 and of 16 columns.
var (
	shapes32 = shapesFor(32)
	shapes16 = shapesFor(16)
)

// shapesFor returns the shapes for every number of activation rows, in the roles that tile_amx_amd64.h gives the registers.
func shapesFor(columns int) (shapes [table.GroupRows + 1]tileShapes) {
	for n := range shapes {
		s := &shapes[n]
		s.palette = 1
		for sums := range 4 {
			s.rows[sums], s.rowBytes[sums] = byte(n), 4*tensor.TileRows
		}
		for activations := 4; activations < 6; activations++ {
			s.rows[activations], s.rowBytes[activations] = byte(n), uint16(columns)
		}
		for weights := 6; weights < 8; weights++ {
			s.rows[weights], s.rowBytes[weights] = byte(columns/4), 4*tensor.TileRows
		}
	}
	return shapes
}

// tilesQ4Amx is tileQ4Avx512, bit for bit, for a number of tiles that lie one after the other in w:
//
//	for t < tiles: tileQ4Avx512(&dst[16*t], ldd, &w[t*tileBytes], q, rows, blocks)
//
// shapes are those for rows and the columns that share a scale of the weights. The tile registers hold nothing before or after.
//
//go:noescape
func tilesQ4Amx(dst *float32, ldd int, w, q *byte, rows, blocks, tiles int, shapes *tileShapes)

// tilesQ8Amx is tilesQ4Amx for Q8_0 weights.
//
//go:noescape
func tilesQ8Amx(dst *float32, ldd int, w, q *byte, rows, blocks, tiles int, shapes *tileShapes)

// tilesQ4KAmx is tilesQ4Amx for Q4_K weights, in blocks of 256 columns.
//
//go:noescape
func tilesQ4KAmx(dst *float32, ldd int, w, q *byte, rows, blocks, tiles int, shapes *tileShapes)

// tilesQ6KAmx is tilesQ4Amx for Q6_K weights, in blocks of 256 columns.
//
//go:noescape
func tilesQ6KAmx(dst *float32, ldd int, w, q *byte, rows, blocks, tiles int, shapes *tileShapes)

// productAmx returns the product with weights of type d, with a kernel for many rows of activations and one for few.
func productAmx(
	d tensor.DType, shapes *[table.GroupRows + 1]tileShapes,
	many func(dst *float32, ldd int, w, q *byte, rows, blocks, tiles int, shapes *tileShapes),
	few func(dst *float32, ldd int, w, q *byte, rows, blocks int),
) table.QuantMatMul {
	return table.QuantMatMul{Form: &q8x16, Run: func(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
		size, rowBytes, blocks := tensor.TileBytes(d, k), q8x16RowBytes(k), k/d.BlockElems()
		walkStretches(tiles, size, n, func(first, last, i, rows int) {
			if rows >= minRowsAmx {
				many(&dst[i*ldd+first*tensor.TileRows], ldd, &w[first*size], &q[i*rowBytes], rows, blocks, last-first, &shapes[rows])
				return
			}
			for t := first; t < last; t++ {
				few(&dst[i*ldd+t*tensor.TileRows], ldd, &w[t*size], &q[i*rowBytes], rows, blocks)
			}
		})
	}}
}
