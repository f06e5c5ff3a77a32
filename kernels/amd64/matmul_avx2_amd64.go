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

// tileMinimaAvx2 adds to dst what tileQ4Avx2 computes, for blocks blocks of an unpacked tile of the layout Minima.
//
//go:noescape
func tileMinimaAvx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)

// tileOffset16Avx2 is tileMinimaAvx2 for the layout Offset16.
//
//go:noescape
func tileOffset16Avx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)

// tileOffset32Avx2 is tileMinimaAvx2 for the layout Offset32.
//
//go:noescape
func tileOffset32Avx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)

// tileRunsAvx2 is tileMinimaAvx2 for the layout Runs.
//
//go:noescape
func tileRunsAvx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)

// tileMaskedAvx2 is tileMinimaAvx2 for the layout Masked.
//
//go:noescape
func tileMaskedAvx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)

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

// matMulUnpackedAvx2 is table.Kernels.MatMulUnpacked. Products of unsigned weights take fewer instructions than of signed ones.
var matMulUnpackedAvx2 = map[table.Layout]table.QuantMatMul{
	table.Minima:   unpackedProductAvx2(table.Minima, tileMinimaAvx2),
	table.Offset16: unpackedProductAvx2(table.Offset16, tileOffset16Avx2),
	table.Offset32: unpackedProductAvx2(table.Offset32, tileOffset32Avx2),
	table.Runs:     unpackedProductAvx2(table.Runs, tileRunsAvx2),
	table.Masked:   unpackedProductAvx2(table.Masked, tileMaskedAvx2),
}

// unpackedProductAvx2 returns the product with parts of unpacked tiles of a layout.
func unpackedProductAvx2(layout table.Layout, tile func(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)) table.QuantMatMul {
	blockBytes := layout.BlockBytes()
	return table.QuantMatMul{Form: &q8, RunPart: func(dst []float32, ldd int, w []byte, q []byte, n, k, first int) {
		rowBytes := q8RowBytes(k)
		q = q[q8RowBytes(first):]
		for i := 0; i < n; i += 2 {
			tile(&dst[i*ldd], ldd, &w[0], &q[i*rowBytes], min(2, n-i), len(w)/blockBytes, rowBytes)
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
