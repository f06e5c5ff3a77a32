package arm64

import (
	"github.com/lever-go/lever/internal/quants"
	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// unpackNeon is table.Kernels.Unpack. Dequantising and multiplying would see the same numbers: a scale is exact in float32.
var unpackNeon = map[tensor.DType]table.Unpacker{
	tensor.IQ4_NL: {Run: func(dst, tile []byte) {
		unpackNibblesNeon(&dst[0], &tile[0], blocksOf(tensor.IQ4_NL, tile), &quants.IQ4)
	}},
	tensor.MXFP4: {Run: func(dst, tile []byte) {
		unpackMXFP4Neon(&dst[0], &tile[0], blocksOf(tensor.MXFP4, tile), &quants.E2M1)
	}},
	tensor.IQ4_XS: {Run: func(dst, tile []byte) {
		unpackIQ4XSNeon(&dst[0], &tile[0], blocksOf(tensor.IQ4_XS, tile), &quants.IQ4)
	}},
	tensor.Q3_K: {Run: func(dst, tile []byte) {
		unpackQ3KNeon(&dst[0], &tile[0], blocksOf(tensor.Q3_K, tile))
	}},
	tensor.Q5_K: {Layout: table.Minima, Run: func(dst, tile []byte) {
		unpackQ5KNeon(&dst[0], &tile[0], blocksOf(tensor.Q5_K, tile))
	}},
	tensor.IQ3_S: {Run: func(dst, tile []byte) {
		unpackIQ3SNeon(&dst[0], &tile[0], blocksOf(tensor.IQ3_S, tile), &quants.IQ3SSigned)
	}},
	tensor.IQ3_XXS: {Run: func(dst, tile []byte) {
		unpackIQ3XXSNeon(&dst[0], &tile[0], blocksOf(tensor.IQ3_XXS, tile), &quants.IQ3XXSSigned)
	}},
}

// blocksOf returns the number of blocks of a tile.
func blocksOf(d tensor.DType, tile []byte) int {
	return len(tile) / tensor.TileBytes(d, d.BlockElems())
}

// unpackNibblesNeon unpacks blocks blocks of a tile of IQ4_NL, whose quants stand for values.
//
//go:noescape
func unpackNibblesNeon(dst, tile *byte, blocks int, values *[16]int8)

// unpackMXFP4Neon is unpackNibblesNeon for MXFP4.
//
//go:noescape
func unpackMXFP4Neon(dst, tile *byte, blocks int, values *[16]int8)

// unpackIQ4XSNeon is unpackNibblesNeon for IQ4_XS, in blocks of 256 columns.
//
//go:noescape
func unpackIQ4XSNeon(dst, tile *byte, blocks int, values *[16]int8)

// unpackQ3KNeon unpacks blocks blocks of a tile of Q3_K: for each row, (32-s)·(q-4), with -d for a scale.
//
//go:noescape
func unpackQ3KNeon(dst, tile *byte, blocks int)

// unpackI8mm is what the i8mm set has in place of unpackNeon: in pairs of rows, as SMMLA takes them, so that
// they are not interleaved anew for every product.
var unpackI8mm = map[tensor.DType]table.Unpacker{
	tensor.Q5_K: {Layout: table.MinimaPairs, Run: func(dst, tile []byte) {
		unpackQ5KPairsNeon(&dst[0], &tile[0], blocksOf(tensor.Q5_K, tile))
	}},
}

// unpackQ5KPairsNeon is unpackQ5KNeon for rows in pairs.
//
//go:noescape
func unpackQ5KPairsNeon(dst, tile *byte, blocks int)

// unpackQ5KNeon unpacks blocks blocks of a tile of Q5_K, which has minima.
//
//go:noescape
func unpackQ5KNeon(dst, tile *byte, blocks int)

// unpackIQ3SNeon unpacks blocks blocks of a tile of IQ3_S, whose quants and four signs each stand for four values.
//
//go:noescape
func unpackIQ3SNeon(dst, tile *byte, blocks int, values *[16 * 512]uint32)

// unpackIQ3XXSNeon is unpackIQ3SNeon for IQ3_XXS.
//
//go:noescape
func unpackIQ3XXSNeon(dst, tile *byte, blocks int, values *[16 * 256]uint32)
