package arm64

import "github.com/lever-go/lever/tensor"

var (
	q4KNeon    = blocked{dtype: tensor.Q4_K, x: &wideLayout, gemv: gemvQ4KNeon}
	q6KNeon    = blocked{dtype: tensor.Q6_K, x: &wideLayout, gemv: gemvQ6KNeon}
	q4KDotprod = blocked{dtype: tensor.Q4_K, x: &wideLayout, gemv: gemvQ4KDotprod, rows: gemmQ4KDotprod}
	q6KDotprod = blocked{dtype: tensor.Q6_K, x: &wideLayout, gemv: gemvQ6KDotprod, rows: gemmQ6KDotprod}
	q4KI8mm    = blocked{
		dtype: tensor.Q4_K, x: &wideLayout,
		gemv: gemvQ4KDotprod, rows: gemmQ4KDotprod, pairs: gemmQ4KI8mm, minPairs: 4,
	}
	q6KI8mm = blocked{
		dtype: tensor.Q6_K, x: &wideLayout,
		gemv: gemvQ6KDotprod, rows: gemmQ6KDotprod, pairs: gemmQ6KI8mm, minPairs: 12,
	}
)

// gemvQ4KDotprod multiplies tiles tiles with one row of activations in wideForm whose blocks lie stride bytes apart.
// For each block of 256 columns, fused multiply-adds do
//
//	dst[r] += d[r]·Σ_64 dx·float32(Σ_j sc[r][j]·Σ_c w[r][c]·q[c]); dst[r] -= dmin[r]·Σ_64 dx·float32(Σ_j m[r][j]·Σ_c q[c])
//
//go:noescape
func gemvQ4KDotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

// gemvQ6KDotprod is the same without minima.
//
//go:noescape
func gemvQ6KDotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

// gemvQ4KNeon is gemvQ4KDotprod on processors without SDOT.
//
//go:noescape
func gemvQ4KNeon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

// gemvQ6KNeon is gemvQ6KDotprod on processors without SDOT.
//
//go:noescape
func gemvQ6KNeon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

// gemmQ4KDotprod multiplies one tile with rows rows, as gemvQ4KDotprod does with each.
//
//go:noescape
func gemmQ4KDotprod(dst *float32, ldd int, w *byte, q *byte, stride, blocks, rows int)

//go:noescape
func gemmQ6KDotprod(dst *float32, ldd int, w *byte, q *byte, stride, blocks, rows int)

// gemmQ4KI8mm multiplies one tile with an even number of rows, as gemvQ4KDotprod does with each.
//
//go:noescape
func gemmQ4KI8mm(dst *float32, ldd int, w *byte, q *byte, stride, blocks, rows int)

//go:noescape
func gemmQ6KI8mm(dst *float32, ldd int, w *byte, q *byte, stride, blocks, rows int)
