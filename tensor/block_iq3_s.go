package tensor

import "github.com/lever-go/lever/internal/quants"

const (
	iq3sD, iq3sQs, iq3sQh = 0, 2, iq3sQs + superBlock/4
	iq3sSigns, iq3sScales = iq3sQh + superBlock/32, iq3sSigns + superBlock/8
	iq3sBytes             = iq3sScales + superBlock/64
)

var _ = [1]int{}[iq3sBytes-110]

var formatIQ3_S = format{
	name: "iq3_s", blockElems: superBlock, blockBytes: iq3sBytes,
	decode: decodeIQ3_S, fitter: newFitterIQ3_S,
	fields: []Field{
		{"d", iq3sD, 2, 2}, {"scales", iq3sScales, iq3sBytes - iq3sScales, 1}, {"qh", iq3sQh, iq3sSigns - iq3sQh, 1},
		{"signs", iq3sSigns, iq3sScales - iq3sSigns, 1}, {"qs", iq3sQs, iq3sQh - iq3sQs, 1},
	},
}

// decodeIQ3_S: a byte of qs and a bit of qh stand for the magnitudes of four elements, each element has a bit of signs, each 32 elements a
// nibble of scales, d·(1+2·s).
func decodeIQ3_S(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[iq3sBytes:] {
		d := f16At(src, iq3sD)
		for i, q := range src[iq3sQs:iq3sQh] {
			scale := d * float32(1+2*(src[iq3sScales+i/16]>>(i/8%2*4)&15))
			high := int(src[iq3sQh+i/8]>>(i%8)&1) << 8
			decodeFour(dst[4*i:][:4], scale, quants.IQ3S[high|int(q)], src[iq3sSigns+i/2]>>(i%2*4))
		}
	}
}

type fitterIQ3_S struct{ gridRuns }

func newFitterIQ3_S() fitter { return &fitterIQ3_S{gridRuns{grid: gridIQ3_S()}} }

func (r *fitterIQ3_S) put(dst []byte) {
	clear(dst)
	putF16(dst[iq3sD:], r.unit)
	for run, s := range r.scales {
		dst[iq3sScales+run/2] |= s << (run % 2 * 4)
	}
	copy(dst[iq3sSigns:], r.signs[:])
	for i, q := range r.quants {
		dst[iq3sQs+i] = byte(q)
		dst[iq3sQh+i/8] |= byte(q>>8) << (i % 8)
	}
}
