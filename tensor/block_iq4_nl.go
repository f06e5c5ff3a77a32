package tensor

import "github.com/lever-go/lever/internal/quants"

const iq4nlD, iq4nlQs, iq4nlBytes = 0, 2, iq4nlQs + smallBlock/2

var _ = [1]int{}[iq4nlBytes-18]

var formatIQ4_NL = format{
	name: "iq4_nl", blockElems: smallBlock, blockBytes: iq4nlBytes,
	decode: decodeIQ4_NL, encodeBlock: encodeIQ4_NL,
	fields: []Field{{"d", iq4nlD, 2, 2}, {"qs", iq4nlQs, iq4nlBytes - iq4nlQs, 4}},
}

func decodeIQ4_NL(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[smallBlock:], src[iq4nlBytes:] {
		decodeNibbles(dst[:smallBlock], f16At(src, iq4nlD), src[iq4nlQs:iq4nlBytes], &quants.IQ4)
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

func encodeIQ4_NL(dst []byte, x, importance []float32) error {
	var weights [smallBlock]float32
	errorWeights(weights[:], x, importance)
	d, err := roundScale(fitScale(x, weights[:], levelsIQ4))
	if err != nil {
		return err
	}
	var values [smallBlock]int8
	if d != 0 {
		for i, v := range x {
			values[i] = levelsIQ4.of(v / d)
		}
	}
	putF16(dst[iq4nlD:], d)
	putNibbles(dst[iq4nlQs:iq4nlBytes], values[:], levelsIQ4)
	return nil
}
