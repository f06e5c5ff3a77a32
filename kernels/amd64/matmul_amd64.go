//go:build !purego

package amd64

import (
	"encoding/binary"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// walkStretches calls f for tiles first … last-1 and a group of activation rows so that every pair of a tile and a group
// comes once, in an order that reads the tiles from memory once: as many as the second-level cache holds beside a group of
// activations are used for all groups, then the next.
func walkStretches(tiles, tileBytes, n int, f func(first, last, row, rows int)) {
	const cached = 256 << 10
	step := max(1, cached/tileBytes)
	for first := 0; first < tiles; first += step {
		last := min(first+step, tiles)
		for i := 0; i < n; i += table.GroupRows {
			f(first, last, i, min(table.GroupRows, n-i))
		}
	}
}

// walkTiles is walkStretches with one call for each tile.
func walkTiles(tiles, tileBytes, n int, f func(tile, row, rows int)) {
	walkStretches(tiles, tileBytes, n, func(first, last, row, rows int) {
		for t := first; t < last; t++ {
			f(t, row, rows)
		}
	})
}

// f16BlockCols is the number of columns that the kernels for F16 tiles take at a time.
const f16BlockCols = 8

// addColumns adds the products of the columns of a tile of F16 that make no whole block with rows activations that lie k
// apart.
func addColumns(dst []float32, ldd int, tile []byte, x []float32, rows, k int) {
	for c := k - k%f16BlockCols; c < k; c++ {
		for r := range tensor.TileRows {
			v := tensor.F16ToF32(binary.LittleEndian.Uint16(tile[2*(c*tensor.TileRows+r):]))
			for i := range rows {
				dst[i*ldd+r] += float32(v * x[i*k+c])
			}
		}
	}
}

// clearRows sets the first cols columns of n rows to 0.
func clearRows(dst []float32, ldd, cols, n int) {
	for i := range n {
		clear(dst[i*ldd : i*ldd+cols])
	}
}
