//go:build !purego

package amd64

import (
	"encoding/binary"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// tileQ4Avx512 multiplies one tile of blocks Q4_0 blocks with one group of activations of the form q8x16:
//
//	for i < rows: for r < 16: dst[i*ldd+r] = Σ_b d[b][r]·(q[i][b].d · Σ_c w[b][r][c]·q[i][b].v[c])
//
// 1 ≤ rows ≤ 16, blocks ≥ 1. It touches no memory beyond, but asks the caches for some.
//
//go:noescape
func tileQ4Avx512(dst *float32, ldd int, w, q *byte, rows, blocks int)

// tileQ8Avx512 is tileQ4Avx512 for Q8_0 weights.
//
//go:noescape
func tileQ8Avx512(dst *float32, ldd int, w, q *byte, rows, blocks int)

// tileF16Avx512 multiplies one tile of F16 weights with rows rows of activations that lie ldx apart:
//
//	for i < rows: for r < 16: dst[i*ldd+r] = Σ_c w[r][c]·x[i*ldx+c] for c < 8·blocks
//
// 1 ≤ rows ≤ 16. Of the memory beyond it asks the caches for some.
//
//go:noescape
func tileF16Avx512(dst *float32, ldd int, w *byte, x *float32, rows, blocks, ldx int)

func matMulQ4Q8Avx512(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	size := tensor.TileBytes(tensor.Q4_0, k)
	walkTiles(tiles, size, n, func(t, i, rows int) {
		tileQ4Avx512(&dst[i*ldd+t*tensor.TileRows], ldd, &w[t*size], &q[i*q8x16RowBytes(k)], rows, k/32)
	})
}

func matMulQ8Q8Avx512(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
	size := tensor.TileBytes(tensor.Q8_0, k)
	walkTiles(tiles, size, n, func(t, i, rows int) {
		tileQ8Avx512(&dst[i*ldd+t*tensor.TileRows], ldd, &w[t*size], &q[i*q8x16RowBytes(k)], rows, k/32)
	})
}

func matMulF16F32Avx512(dst []float32, ldd int, w []byte, tiles int, x []float32, n, k int) {
	const blockCols = 8
	size := tensor.TileBytes(tensor.F16, k)
	walkTiles(tiles, size, n, func(t, i, rows int) {
		tile := w[t*size : (t+1)*size]
		out := dst[i*ldd+t*tensor.TileRows:]
		tileF16Avx512(&out[0], ldd, &tile[0], &x[i*k], rows, k/blockCols, k)
		for c := k - k%blockCols; c < k; c++ {
			addColumn(out, ldd, tile[c*size/k:], x[i*k+c:], rows, k)
		}
	})
}

// addColumn adds the products of one column of a tile of F16 with rows activations that lie k apart.
func addColumn(dst []float32, ldd int, w []byte, x []float32, rows, k int) {
	for r := range tensor.TileRows {
		v := tensor.F16ToF32(binary.LittleEndian.Uint16(w[2*r:]))
		for i := range rows {
			dst[i*ldd+r] += float32(v * x[i*k])
		}
	}
}

// dotF32Avx512 is Σ w[c]·x[c] for c < k.
//
//go:noescape
func dotF32Avx512(w, x *float32, k int) float32

func matMulF32F32Avx512(dst []float32, ldd int, w []float32, rows int, x []float32, n, k int) {
	if k == 0 {
		for i := range n {
			clear(dst[i*ldd : i*ldd+rows])
		}
		return
	}
	for r := range rows {
		for i := range n {
			dst[i*ldd+r] = dotF32Avx512(&w[r*k], &x[i*k], k)
		}
	}
}

// walkTiles calls f for every pair of a tile and a group of activation rows, in an order that reads the tiles from memory
// once: as many as the second-level cache holds beside a group of activations are used for all groups, then the next.
func walkTiles(tiles, tileBytes, n int, f func(tile, row, rows int)) {
	const cached = 256 << 10
	step := max(1, cached/tileBytes)
	for first := 0; first < tiles; first += step {
		last := min(first+step, tiles)
		for i := 0; i < n; i += table.GroupRows {
			rows := min(table.GroupRows, n-i)
			for t := first; t < last; t++ {
				f(t, i, rows)
			}
		}
	}
}
