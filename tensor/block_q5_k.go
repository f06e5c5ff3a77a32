package tensor

const (
	q5kD, q5kDmin, q5kScales = 0, 2, 4
	q5kQh, q5kQs, q5kBytes   = q5kScales + 12, q5kQh + superBlock/8, q5kQs + superBlock/2
)

var _ = [1]int{}[q5kBytes-176]

var formatQ5_K = format{
	name: "q5_k", blockElems: superBlock, blockBytes: q5kBytes,
	decode: decodeQ5_K, fitter: newFitterQ5_K,
	fields: []Field{
		{"d", q5kD, 2, 2}, {"dmin", q5kDmin, 2, 2}, {"scales", q5kScales, q5kQh - q5kScales, 1},
		{"qs", q5kQs, q5kBytes - q5kQs, 4}, {"qh", q5kQh, q5kQs - q5kQh, 4},
	},
}

// decodeQ5_K is decodeQ4_K with bit j of qh[i] as the fifth bit of element i of the j-th run of 32.
func decodeQ5_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[q5kBytes:] {
		d, dmin := f16At(src, q5kD), f16At(src, q5kDmin)
		scales, qh := src[q5kScales:q5kQh], src[q5kQh:q5kQs]
		for j := range 8 {
			sc, m := scaleMin(scales, j)
			scale, minimum := d*float32(sc), dmin*float32(m)
			y := dst[32*j:][:32]
			shift := j % 2 * 4
			for i, q := range src[q5kQs+j/2*32:][:32] {
				y[i] = scale*float32(q>>shift&15|qh[i]>>j&1<<4) - minimum
			}
		}
	}
}

type fitterQ5_K struct{ shiftedRuns }

func newFitterQ5_K() fitter { return &fitterQ5_K{shiftedRuns{limit: 31}} }

func (r *fitterQ5_K) put(dst []byte) {
	clear(dst)
	putF16(dst[q5kD:], r.d)
	putF16(dst[q5kDmin:], r.dmin)
	for j := range r.scales {
		putScaleMin(dst[q5kScales:q5kQh], j, r.scales[j], r.mins[j])
	}
	for i, q := range r.q {
		run, l := i/32, i%32
		dst[q5kQs+run/2*32+l] |= q & 15 << (run % 2 * 4)
		dst[q5kQh+l] |= q >> 4 << run
	}
}
