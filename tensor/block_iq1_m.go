package tensor

import "encoding/binary"

const iq1mQs, iq1mQh, iq1mScales, iq1mBytes = 0, superBlock / 8, iq1mQh + superBlock/16, iq1mScales + superBlock/32

var _ = [1]int{}[iq1mBytes-56]

var formatIQ1_M = format{name: "iq1_m", blockElems: superBlock, blockBytes: iq1mBytes, decode: decodeIQ1_M}

// decodeIQ1_M: each 8 elements have the index of a vector, whose low eight bits stand in qs and whose high three bits in a nibble of qh, below the
// sign of the shift. scales are four times 16 bits, each of which holds four scales of three bits, of 16 elements each, and a quarter of
// the bits of d.
func decodeIQ1_M(dst []float32, src []byte) {
	vectors := iq1Codebook()
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[iq1mBytes:] {
		var scales [4]uint16
		var bits uint16
		for i := range scales {
			scales[i] = binary.LittleEndian.Uint16(src[iq1mScales+2*i:])
			bits |= scales[i] >> 12 << (4 * i)
		}
		d := F16ToF32(bits)
		for j := range superBlock / 8 {
			scale := d * float32(scales[j/8]>>(j/2%4*3)&7*2+1)
			high := src[iq1mQh+j/2] >> (j % 2 * 4)
			index := int(src[iq1mQs+j]) | int(high&7)<<8
			decodeShifted(dst[8*j:][:8], scale, &vectors[index], high&8 != 0)
		}
	}
}
