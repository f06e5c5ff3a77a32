package arm64

import "github.com/lever-go/lever/tensor"

// With one row of Q8_0, SDOT does as much in an instruction as matrices could: that is the kernel of the dotprod set.
var (
	q4I8mm = blocked{
		dtype: tensor.Q4_0, x: &crossLayout,
		gemv: gemvQ4I8mm,
		gemm: []gemm{{16, gemmQ4I8mm16}, {8, gemmQ4I8mm8}, {4, gemmQ4I8mm4}, {2, gemmQ4I8mm2}},
	}
	q8I8mm = blocked{
		dtype: tensor.Q8_0, x: &pairLayout,
		gemv: gemvQ8Dotprod,
		gemm: []gemm{{16, gemmQ8I8mm16}, {8, gemmQ8I8mm8}, {4, gemmQ8I8mm4}, {2, gemmQ8I8mm2}},
	}
	unpackedI8mm = blocked{
		dtype: unpackedType, x: &pairLayout,
		gemv: gemvUnpackedDotprod,
		gemm: []gemm{{16, gemmUnpackedI8mm16}, {8, gemmUnpackedI8mm8}, {4, gemmUnpackedI8mm4}, {2, gemmUnpackedI8mm2}},
	}
	minimaI8mm = blocked{
		dtype: unpackedType, x: &pairLayout,
		gemv: gemvPairsDotprod,
		gemm: []gemm{{16, gemmMinimaI8mm16}, {8, gemmMinimaI8mm8}, {4, gemmMinimaI8mm4}, {2, gemmMinimaI8mm2}},
	}
)

// gemvQ4I8mm is gemvQ4Dotprod for activations in crossForm.
//
//go:noescape
func gemvQ4I8mm(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)

//go:noescape
func gemmQ4I8mm16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmQ4I8mm8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmQ4I8mm4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmQ4I8mm2(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmQ8I8mm16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmQ8I8mm8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmQ8I8mm4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmQ8I8mm2(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmUnpackedI8mm16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmUnpackedI8mm8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmUnpackedI8mm4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmUnpackedI8mm2(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmMinimaI8mm16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmMinimaI8mm8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmMinimaI8mm4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)

//go:noescape
func gemmMinimaI8mm2(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
