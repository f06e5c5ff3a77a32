package tensor

import "github.com/lever-go/lever/internal/quants"

const iq4nlD, iq4nlQs, iq4nlBytes = 0, 2, iq4nlQs + smallBlock/2

var _ = [1]int{}[iq4nlBytes-18]

var formatIQ4_NL = format{
	name: "iq4_nl", blockElems: smallBlock, blockBytes: iq4nlBytes,
	decode: decodeIQ4_NL, fitter: newFitterIQ4_NL,
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

// fitterIQ4_NL fits one scale, of full precision.
type fitterIQ4_NL struct {
	d      float32 // as F16 holds it
	values [smallBlock]int8
}

func newFitterIQ4_NL() fitter { return &fitterIQ4_NL{} }

func (r *fitterIQ4_NL) fit(x, importance []float32) (err error) {
	var weights [smallBlock]float32
	errorWeights(weights[:], x, importance)
	if r.d, err = roundScale(fitScale(x, weights[:], levelsIQ4)); err != nil {
		return err
	}
	var rounded [smallBlock]float32
	r.round(rounded[:], 0, x, nil)
	return nil
}

func (r *fitterIQ4_NL) group() int { return 1 }

func (r *fitterIQ4_NL) run() int { return smallBlock }

func (r *fitterIQ4_NL) nudge(int, int) bool { return false }

func (r *fitterIQ4_NL) round(dst []float32, first int, x, _ []float32) {
	roundTo(dst, r.values[first:], x, r.d, levelsIQ4)
}

func (r *fitterIQ4_NL) put(dst []byte) {
	putF16(dst[iq4nlD:], r.d)
	putNibbles(dst[iq4nlQs:iq4nlBytes], r.values[:], levelsIQ4)
}
