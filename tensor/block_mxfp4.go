package tensor

import "github.com/lever-go/lever/internal/quants"

const mxfp4E, mxfp4Qs, mxfp4Bytes = 0, 1, mxfp4Qs + smallBlock/2

var _ = [1]int{}[mxfp4Bytes-17]

var formatMXFP4 = format{
	name: "mxfp4", blockElems: smallBlock, blockBytes: mxfp4Bytes,
	decode: decodeMXFP4,
	fields: []Field{{"e", mxfp4E, 1, 1}, {"qs", mxfp4Qs, mxfp4Bytes - mxfp4Qs, 4}},
}

// decodeMXFP4 halves scales, not products: a product with the largest scale may be too large where half of it is not. What is beyond
// float32 (2 and more with the largest scale) becomes an infinity.
func decodeMXFP4(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[smallBlock:], src[mxfp4Bytes:] {
		decodeNibbles(dst[:smallBlock], E8M0ToF32(src[mxfp4E])/2, src[mxfp4Qs:mxfp4Bytes], &quants.E2M1)
	}
}
