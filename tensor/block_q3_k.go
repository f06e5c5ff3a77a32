package tensor

const (
	q3kHmask, q3kQs, q3kScales = 0, superBlock / 8, q3kQs + superBlock/4
	q3kD, q3kBytes             = q3kScales + 12, q3kD + 2
)

var _ = [1]int{}[q3kBytes-110]

var formatQ3_K = format{
	name: "q3_k", blockElems: superBlock, blockBytes: q3kBytes,
	decode: decodeQ3_K, fitter: newFitterQ3_K,
	fields: []Field{{"d", q3kD, 2, 2}, {"scales", q3kScales, q3kD - q3kScales, 1}, {"qs", q3kQs, q3kScales - q3kQs, 4}, {"hmask", q3kHmask, q3kQs - q3kHmask, 4}},
}

// q3kScale returns the j-th (0..15) scale from the 12 bytes that hold them: the low four bits are the nibbles of bytes 0..7, low ones before
// high ones; the high two are the bit pairs of bytes 8..11, the lowest of each before the next.
func q3kScale(scales []byte, j int) int {
	return int(scales[j%8]>>(j/8*4)&15|scales[8+j%4]>>(j/4*2)&3<<4) - 32
}

// putScaleQ3_K is the inverse of q3kScale, where scales are zero.
func putScaleQ3_K(scales []byte, j, scale int) {
	scales[j%8] |= byte(scale+32) & 15 << (j / 8 * 4)
	scales[8+j%4] |= byte(scale+32) >> 4 << (j / 4 * 2)
}

// decodeQ3_K: each half of 128 elements has 32 bytes of qs; its j-th run of 32 elements takes their j-th bit pair and, as the third bit, bit
// 4·half+j of hmask; each 16 elements have a scale.
func decodeQ3_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[q3kBytes:] {
		d, hmask := f16At(src, q3kD), src[q3kHmask:q3kQs]
		for run := range 8 {
			half, j := run/4, run%4
			y := dst[32*run:][:32]
			scales := [2]float32{d * float32(q3kScale(src[q3kScales:], 2*run)), d * float32(q3kScale(src[q3kScales:], 2*run+1))}
			for i, q := range src[q3kQs+32*half:][:32] {
				y[i] = scales[i/16] * float32(int(q>>(2*j)&3|hmask[i]>>run&1<<2)-4)
			}
		}
	}
}

var levelsQ3_K = newLevels(-4, -3, -2, -1, 0, 1, 2, 3)

type fitterQ3_K struct{ runs }

func newFitterQ3_K() fitter { return &fitterQ3_K{runs{size: 16, levels: levelsQ3_K, limit: 32}} }

func (r *fitterQ3_K) put(dst []byte) {
	clear(dst)
	putF16(dst[q3kD:], r.d)
	for j, scale := range r.scales[:16] {
		putScaleQ3_K(dst[q3kScales:], j, scale)
	}
	for i, v := range r.values {
		run, l := i/32, i%32
		q := byte(v + 4)
		dst[q3kQs+32*(run/4)+l] |= q & 3 << (2 * (run % 4))
		dst[q3kHmask+l] |= q >> 2 << run
	}
}
