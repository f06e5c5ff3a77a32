package tensor

import "encoding/binary"

const iq1sD, iq1sQs, iq1sQh, iq1sBytes = 0, 2, iq1sQs + superBlock/8, iq1sQh + superBlock/16

var _ = [1]int{}[iq1sBytes-50]

var formatIQ1_S = format{name: "iq1_s", blockElems: superBlock, blockBytes: iq1sBytes, decode: decodeIQ1_S}

// decodeIQ1_S: each 8 elements have the index of a vector, whose low eight bits stand in qs. Each 32 elements have 16 bits of qh: the high bits of
// four indices, a scale of three bits, and the sign of the shift.
func decodeIQ1_S(dst []float32, src []byte) {
	vectors := iq1Codebook()
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[iq1sBytes:] {
		d := f16At(src, iq1sD)
		for j := range superBlock / 8 {
			qh := binary.LittleEndian.Uint16(src[iq1sQh+j/4*2:])
			scale := d * float32(qh>>12&7*2+1)
			index := int(src[iq1sQs+j]) | int(qh>>(j%4*3)&7)<<8
			decodeShifted(dst[8*j:][:8], scale, &vectors[index], qh>>15 != 0)
		}
	}
}

// decodeShifted writes scale times a vector whose elements are all shifted by an eighth, upwards or downwards.
func decodeShifted(dst []float32, scale float32, vector *[8]int8, downwards bool) {
	shift := float32(0.125)
	if downwards {
		shift = -shift
	}
	for i, v := range vector {
		dst[i] = scale * (float32(v) + shift)
	}
}
