package tensor

import (
	"encoding/binary"

	"github.com/lever-go/lever/internal/quants"
)

const (
	iq2xsD, iq2xsQs         = 0, 2
	iq2xsScales, iq2xsBytes = iq2xsQs + superBlock/4, iq2xsScales + superBlock/32
)

var _ = [1]int{}[iq2xsBytes-74]

var formatIQ2_XS = format{name: "iq2_xs", blockElems: superBlock, blockBytes: iq2xsBytes, decode: decodeIQ2_XS}

// decodeIQ2_XS: each 8 elements have 16 bits, which are the index of a vector of magnitudes and, above 9 bits, seven signs; each 16 elements
// have a nibble of scales.
func decodeIQ2_XS(dst []float32, src []byte) {
	vectors := iq2xsCodebook()
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[iq2xsBytes:] {
		d := f16At(src, iq2xsD)
		for j := range superBlock / 8 {
			q := binary.LittleEndian.Uint16(src[iq2xsQs+2*j:])
			scale := d * (float32(src[iq2xsScales+j/4]>>(j/2%2*4)&15) + 0.5) / 4
			decodeSigned(dst[8*j:][:8], scale, &vectors[q&511], quants.EvenSigns(uint8(q>>9)))
		}
	}
}
