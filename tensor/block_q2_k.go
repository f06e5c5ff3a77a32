package tensor

const (
	q2kScales, q2kQs  = 0, superBlock / 16
	q2kD              = q2kQs + superBlock/4
	q2kDmin, q2kBytes = q2kD + 2, q2kD + 4
)

var _ = [1]int{}[q2kBytes-84]

var formatQ2_K = format{name: "q2_k", blockElems: superBlock, blockBytes: q2kBytes, decode: decodeQ2_K}

// decodeQ2_K: the j-th run of 32 elements of a half of 128 takes the j-th bit pair of the 32 bytes of qs that the half has; each 16 elements
// have a scale in the low nibble of a byte of scales and a minimum in the high one.
func decodeQ2_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[q2kBytes:] {
		d, dmin := f16At(src, q2kD), f16At(src, q2kDmin)
		for run, s := range src[q2kScales:q2kQs] { // of 16 elements
			scale, minimum := d*float32(s&15), dmin*float32(s>>4)
			y := dst[16*run:][:16]
			shift := run % 8 / 2 * 2
			for i, q := range src[q2kQs+run/8*32+run%2*16:][:16] {
				y[i] = scale*float32(q>>shift&3) - minimum
			}
		}
	}
}
