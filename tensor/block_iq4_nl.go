package tensor

const iq4nlD, iq4nlQs, iq4nlBytes = 0, 2, iq4nlQs + smallBlock/2

var _ = [1]int{}[iq4nlBytes-18]

var formatIQ4_NL = format{
	name: "iq4_nl", blockElems: smallBlock, blockBytes: iq4nlBytes,
	decode: decodeIQ4_NL,
	fields: []Field{{"d", iq4nlD, 2, 2}, {"qs", iq4nlQs, iq4nlBytes - iq4nlQs, 4}},
}

// iq4nlValues are what the quants stand for: like weights, they are denser near zero.
var iq4nlValues = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

func decodeIQ4_NL(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[smallBlock:], src[iq4nlBytes:] {
		decodeNibbles(dst[:smallBlock], f16At(src, iq4nlD), src[iq4nlQs:iq4nlBytes], &iq4nlValues)
	}
}

// decodeNibbles writes d times the values that quants stand for, all low nibbles before the high ones.
func decodeNibbles(dst []float32, d float32, qs []byte, values *[16]int8) {
	lo, hi := dst[:len(qs)], dst[len(qs):2*len(qs)]
	for i, q := range qs {
		lo[i] = d * float32(values[q&15])
		hi[i] = d * float32(values[q>>4])
	}
}
