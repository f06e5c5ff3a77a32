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

// tileQ4KAvx512 is tileQ4Avx512 for Q4_K weights, in blocks of 256 columns.
//
//go:noescape
func tileQ4KAvx512(dst *float32, ldd int, w, q *byte, rows, blocks int)

// tileQ6KAvx512 is tileQ4Avx512 for Q6_K weights, in blocks of 256 columns.
//
//go:noescape
func tileQ6KAvx512(dst *float32, ldd int, w, q *byte, rows, blocks int)

// tileF16Avx512 multiplies one tile of F16 weights with rows rows of activations that lie ldx apart:
//
//	for i < rows: for r < 16: dst[i*ldd+r] = Σ_c w[r][c]·x[i*ldx+c] for c < 8·blocks
//
// 1 ≤ rows ≤ 16. Of the memory beyond it asks the caches for some.
//
//go:noescape
func tileF16Avx512(dst *float32, ldd int, w *byte, x *float32, rows, blocks, ldx int)

// productAvx512 returns the product with weights of type d, a group of activations and one tile being multiplied by tile.
func productAvx512(d tensor.DType, tile func(dst *float32, ldd int, w, q *byte, rows, blocks int)) table.QuantMatMul {
	return table.QuantMatMul{Form: &q8x16, Run: func(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
		size, rowBytes, blocks := tensor.TileBytes(d, k), q8x16RowBytes(k), k/d.BlockElems()
		walkTiles(tiles, size, n, func(t, i, rows int) {
			tile(&dst[i*ldd+t*tensor.TileRows], ldd, &w[t*size], &q[i*rowBytes], rows, blocks)
		})
	}}
}

func matMulF16F32Avx512(dst []float32, ldd int, w []byte, tiles int, x []float32, n, k int) {
	size := tensor.TileBytes(tensor.F16, k)
	walkTiles(tiles, size, n, func(t, i, rows int) {
		tile, out := w[t*size:(t+1)*size], dst[i*ldd+t*tensor.TileRows:]
		tileF16Avx512(&out[0], ldd, &tile[0], &x[i*k], rows, k/f16BlockCols, k)
		addColumns(out, ldd, tile, x[i*k:], rows, k)
	})
}

// dotF32Avx512 is Σ w[c]·x[c] for c < k.
//
//go:noescape
func dotF32Avx512(w, x *float32, k int) float32

func matMulF32F32Avx512(dst []float32, ldd int, w []float32, rows int, x []float32, n, k int) {
	if k == 0 {
		clearRows(dst, ldd, rows, n)
		return
	}
	for r := range rows {
		for i := range n {
			dst[i*ldd+r] = dotF32Avx512(&w[r*k], &x[i*k], k)
		}
	}
}
