//go:build !purego

package amd64

import (
	"github.com/lever-go/lever/internal/quants"
	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// unpackAvx2 is table.Kernels.Unpack. Dequantising and multiplying would see the same numbers: a scale is exact in float32.
var unpackAvx2 = map[tensor.DType]table.Unpacker{
	tensor.IQ4_NL: {Layout: table.Masked, Run: func(dst, tile []byte) {
		unpackIQ4NLAvx2(&dst[0], &tile[0], blocksOf(tensor.IQ4_NL, tile), &iq4Magnitudes)
	}},
	tensor.MXFP4: {Layout: table.Offset16, Run: func(dst, tile []byte) {
		unpackMXFP4Avx2(&dst[0], &tile[0], blocksOf(tensor.MXFP4, tile), &e2m1Plus16)
	}},
	tensor.IQ4_XS: {Layout: table.Masked, Run: func(dst, tile []byte) {
		unpackIQ4XSAvx2(&dst[0], &tile[0], blocksOf(tensor.IQ4_XS, tile), &iq4Magnitudes)
	}},
	tensor.Q3_K: {Layout: table.Runs, Run: func(dst, tile []byte) {
		unpackQ3KAvx2(&dst[0], &tile[0], blocksOf(tensor.Q3_K, tile))
	}},
	tensor.Q5_K: {Layout: table.Minima, Run: func(dst, tile []byte) {
		unpackQ5KAvx2(&dst[0], &tile[0], blocksOf(tensor.Q5_K, tile))
	}},
	tensor.IQ3_S: {Layout: table.Offset16, Run: func(dst, tile []byte) {
		unpackIQ3SAvx2(&dst[0], &tile[0], blocksOf(tensor.IQ3_S, tile), &quants.IQ3S)
	}},
	tensor.IQ3_XXS: {Layout: table.Offset32, Run: func(dst, tile []byte) {
		unpackIQ3XXSAvx2(&dst[0], &tile[0], blocksOf(tensor.IQ3_XXS, tile), &iq3XXSHalves)
	}},
}

// e2m1Plus16 is what the quants of MXFP4 stand for, plus 16.
var e2m1Plus16 = func() (values [16]int8) {
	for i, v := range quants.E2M1 {
		values[i] = v + 16
	}
	return values
}()

// iq4Magnitudes are those of the quants of IQ4_NL and IQ4_XS, of which the first eight are negative.
var iq4Magnitudes = func() (magnitudes [16]int8) {
	for i, v := range quants.IQ4 {
		magnitudes[i] = max(v, -v)
	}
	return magnitudes
}()

// iq3XXSHalves are half of the magnitudes of IQ3_XXS, which are even.
var iq3XXSHalves = func() (magnitudes [256]uint32) {
	for i, m := range quants.IQ3XXS {
		magnitudes[i] = m >> 1
	}
	return magnitudes
}()

// blocksOf returns the number of blocks of a tile.
func blocksOf(d tensor.DType, tile []byte) int {
	return len(tile) / tensor.TileBytes(d, d.BlockElems())
}

// unpackIQ4NLAvx2 unpacks blocks blocks of a tile of IQ4_NL, whose quants have these magnitudes and are negative below 8.
//
//go:noescape
func unpackIQ4NLAvx2(dst, tile *byte, blocks int, magnitudes *[16]int8)

// unpackMXFP4Avx2 unpacks blocks blocks of a tile of MXFP4, whose quants stand for values.
//
//go:noescape
func unpackMXFP4Avx2(dst, tile *byte, blocks int, values *[16]int8)

// unpackIQ4XSAvx2 is unpackIQ4NLAvx2 for IQ4_XS, in blocks of 256 columns.
//
//go:noescape
func unpackIQ4XSAvx2(dst, tile *byte, blocks int, magnitudes *[16]int8)

// unpackQ3KAvx2 unpacks blocks blocks of a tile of Q3_K.
//
//go:noescape
func unpackQ3KAvx2(dst, tile *byte, blocks int)

// unpackQ5KAvx2 unpacks blocks blocks of a tile of Q5_K, which has minima.
//
//go:noescape
func unpackQ5KAvx2(dst, tile *byte, blocks int)

// unpackIQ3SAvx2 unpacks blocks blocks of a tile of IQ3_S, whose quants stand for four magnitudes each.
//
//go:noescape
func unpackIQ3SAvx2(dst, tile *byte, blocks int, magnitudes *[512]uint32)

// unpackIQ3XXSAvx2 is unpackIQ3SAvx2 for IQ3_XXS.
//
//go:noescape
func unpackIQ3XXSAvx2(dst, tile *byte, blocks int, magnitudes *[256]uint32)
