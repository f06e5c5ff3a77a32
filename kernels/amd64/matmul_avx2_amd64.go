//go:build !purego

package amd64

import (
	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// tileQ4Avx2 multiplies one tile of blocks Q4_0 blocks with one or two rows of activations of the form q8 that lie ldq bytes
// apart:
//
//	for i < rows: for r < 16: dst[i*ldd+r] = Σ_b d[b][r]·(q[i][b].d · Σ_c w[b][r][c]·q[i][b].v[c])
//
// Of the memory beyond it asks the caches for some.
//
//go:noescape
func tileQ4Avx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)

// tileQ8Avx2 is tileQ4Avx2 for Q8_0 weights.
//
//go:noescape
func tileQ8Avx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)

// tileUnpackedAvx2 is tileQ4Avx2 for an unpacked tile, in blocks of 32 columns.
//
//go:noescape
func tileUnpackedAvx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)

// tileMinimaAvx2 is tileUnpackedAvx2 for a tile with minima.
//
//go:noescape
func tileMinimaAvx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)

// tileQ4KAvx2 is tileQ4Avx2 for Q4_K weights, in blocks of 256 columns.
//
//go:noescape
func tileQ4KAvx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)

// tileQ6KAvx2 is tileQ4Avx2 for Q6_K weights, in blocks of 256 columns.
//
//go:noescape
func tileQ6KAvx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)

// tileF16Avx2 multiplies one tile of F16 weights with one or two rows of activations that lie ldx apart:
//
//	for i < rows: for r < 16: dst[i*ldd+r] = Σ_c w[r][c]·x[i*ldx+c] for c < 8·blocks
//
// Of the memory beyond it asks the caches for some.
//
//go:noescape
func tileF16Avx2(dst *float32, ldd int, w *byte, x *float32, rows, blocks, ldx int)

// dotF32Avx2 is Σ w[c]·x[c] for c < k.
//
//go:noescape
func dotF32Avx2(w, x *float32, k int) float32

// productAvx2 returns the product with weights of type d, one or two rows of activations of one tile being multiplied by tile.
func productAvx2(d tensor.DType, tile func(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)) table.QuantMatMul {
	return table.QuantMatMul{Form: &q8, Run: func(dst []float32, ldd int, w []byte, tiles int, q []byte, n, k int) {
		size, rowBytes, blocks := tensor.TileBytes(d, k), q8RowBytes(k), k/d.BlockElems()
		walkPairs(tiles, size, n, func(t, i, rows int) {
			tile(&dst[i*ldd+t*tensor.TileRows], ldd, &w[t*size], &q[i*rowBytes], rows, blocks, rowBytes)
		})
	}}
}

// unpackedProductAvx2 returns the product with one unpacked tile.
func unpackedProductAvx2(tile func(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)) *table.QuantMatMul {
	return &table.QuantMatMul{Form: &q8, Run: func(dst []float32, ldd int, w []byte, _ int, q []byte, n, k int) {
		rowBytes := q8RowBytes(k)
		for i := 0; i < n; i += 2 {
			tile(&dst[i*ldd], ldd, &w[0], &q[i*rowBytes], min(2, n-i), k/32, rowBytes)
		}
	}}
}

func matMulF16F32Avx2(dst []float32, ldd int, w []byte, tiles int, x []float32, n, k int) {
	size := tensor.TileBytes(tensor.F16, k)
	walkPairs(tiles, size, n, func(t, i, rows int) {
		tile, out := w[t*size:(t+1)*size], dst[i*ldd+t*tensor.TileRows:]
		tileF16Avx2(&out[0], ldd, &tile[0], &x[i*k], rows, k/f16BlockCols, k)
		addColumns(out, ldd, tile, x[i*k:], rows, k)
	})
}

func matMulF32F32Avx2(dst []float32, ldd int, w []float32, rows int, x []float32, n, k int) {
	if k == 0 {
		clearRows(dst, ldd, rows, n)
		return
	}
	for r := range rows {
		for i := range n {
			dst[i*ldd+r] = dotF32Avx2(&w[r*k], &x[i*k], k)
		}
	}
}

// walkPairs is walkTiles with at most two rows a call.
func walkPairs(tiles, tileBytes, n int, f func(tile, row, rows int)) {
	walkTiles(tiles, tileBytes, n, func(t, i, rows int) {
		for last := i + rows; i < last; i += 2 {
			f(t, i, min(2, last-i))
		}
	})
}
