package tensor

const (
	iq2sD, iq2sQs, iq2sSigns = 0, 2, iq2sQs + superBlock/8
	iq2sQh                   = iq2sSigns + superBlock/8
	iq2sScales, iq2sBytes    = iq2sQh + superBlock/32, iq2sScales + superBlock/32
)

var _ = [1]int{}[iq2sBytes-82]

var formatIQ2_S = format{name: "iq2_s", blockElems: superBlock, blockBytes: iq2sBytes, decode: decodeIQ2_S}

// decodeIQ2_S: each 8 elements have the index of a vector of magnitudes, whose low eight bits stand in qs and whose high bit pair in qh, and a
// byte of signs; each 16 elements have a nibble of scales.
func decodeIQ2_S(dst []float32, src []byte) {
	vectors := iq2sCodebook()
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[iq2sBytes:] {
		d := f16At(src, iq2sD)
		for j := range superBlock / 8 {
			index := int(src[iq2sQs+j]) | int(src[iq2sQh+j/4]>>(j%4*2)&3)<<8
			scale := d * (float32(src[iq2sScales+j/4]>>(j/2%2*4)&15) + 0.5) / 4
			decodeSigned(dst[8*j:][:8], scale, &vectors[index], src[iq2sSigns+j])
		}
	}
}
