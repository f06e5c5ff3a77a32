//go:build !purego

package amd64

import (

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

