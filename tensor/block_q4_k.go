package tensor

const (
	q4kD, q4kDmin, q4kScales = 0, 2, 4
	q4kQs, q4kBytes          = q4kScales + 12, q4kQs + superBlock/2
)

var _ = [1]int{}[q4kBytes-144]

var formatQ4_K = format{
	name: "q4_k", blockElems: superBlock, blockBytes: q4kBytes,
	decode: decodeQ4_K, fitter: newFitterQ4_K,
	fields: []Field{{"d", q4kD, 2, 2}, {"dmin", q4kDmin, 2, 2}, {"scales", q4kScales, q4kQs - q4kScales, 1}, {"qs", q4kQs, q4kBytes - q4kQs, 4}},
}

// decodeQ4_K: each run of 32 bytes of qs holds 64 elements, the low nibbles before the high ones; each 32 elements have a scale
// and a minimum.
func decodeQ4_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[q4kBytes:] {
		d, dmin := f16At(src, q4kD), f16At(src, q4kDmin)
		scales := src[q4kScales:q4kQs]
		for j := range 8 {
			sc, m := scaleMin(scales, j)
			scale, minimum := d*float32(sc), dmin*float32(m)
			y := dst[32*j:][:32]
			shift := j % 2 * 4
			for i, q := range src[q4kQs+j/2*32:][:32] {
				y[i] = scale*float32(q>>shift&15) - minimum
			}
		}
	}
}

type fitterQ4_K struct{ shiftedRuns }

func newFitterQ4_K() fitter { return &fitterQ4_K{shiftedRuns{limit: 15}} }

func (r *fitterQ4_K) put(dst []byte) {
	clear(dst)
	putF16(dst[q4kD:], r.d)
	putF16(dst[q4kDmin:], r.dmin)
	for j := range r.scales {
		putScaleMin(dst[q4kScales:q4kQs], j, r.scales[j], r.mins[j])
	}
	for i, q := range r.q {
		run, l := i/32, i%32
		dst[q4kQs+run/2*32+l] |= q << (run % 2 * 4)
	}
}
