package arm64

import "github.com/lever-go/lever/tensor"

var (
	q4Dotprod = blocked{
		dtype: tensor.Q4_0, x: &rowLayout,
		gemv: gemvQ4Dotprod,
		gemm: []gemm{{16, gemmQ4Dotprod16}, {8, gemmQ4Dotprod8}, {4, gemmQ4Dotprod4}},
	}
	q8Dotprod = blocked{
		dtype: tensor.Q8_0, x: &rowLayout,
		gemv: gemvQ8Dotprod,
		gemm: []gemm{{16, gemmQ8Dotprod16}, {8, gemmQ8Dotprod8}, {4, gemmQ8Dotprod4}},
	}
	unpackedDotprod = blocked{
		dtype: unpackedType, x: &rowLayout,
		gemv: gemvUnpackedDotprod,
		gemm: []gemm{{16, gemmUnpackedDotprod16}, {8, gemmUnpackedDotprod8}, {4, gemmUnpackedDotprod4}},
	}
	minimaDotprod = blocked{
		dtype: unpackedType, x: &rowLayout,
		gemv: gemvMinimaDotprod,
		gemm: []gemm{{16, gemmMinimaDotprod16}, {8, gemmMinimaDotprod8}, {4, gemmMinimaDotprod4}},
	}
)

// gemvQ4Dotprod multiplies tiles tiles with one row of activations in rowForm whose blocks lie stride bytes apart:
//
//	dst[r] = 0; for each block b: dst[r] += float32(Σ_c w[r][32b+c]·q[b][c]) · (dw[r][b]·d[b])
//
// with one rounding for the product of the scales and one for the sum (a fused multiply-add). All kernels of Q4_0 and Q8_0
// do this, in this order.
//
//go:noescape
func gemvQ4Dotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

//go:noescape
func gemmQ4Dotprod16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmQ4Dotprod8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmQ4Dotprod4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemvQ8Dotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

//go:noescape
func gemmQ8Dotprod16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmQ8Dotprod8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmQ8Dotprod4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemvUnpackedDotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

//go:noescape
func gemmUnpackedDotprod16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmUnpackedDotprod8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmUnpackedDotprod4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

// gemvMinimaDotprod does so with a tile that has minima: before a block adds to dst[r], m[r][b]·(d[b]·Σ_c q[b][c]) is subtracted.
//
//go:noescape
func gemvMinimaDotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

// gemvPairsDotprod is gemvMinimaDotprod for rows in pairs.
//
//go:noescape
func gemvPairsDotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

//go:noescape
func gemmMinimaDotprod16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmMinimaDotprod8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmMinimaDotprod4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
