package tensor

const (
	q6kQl, q6kQh, q6kScales = 0, superBlock / 2, q6kQh + superBlock/4
	q6kD, q6kBytes          = q6kScales + superBlock/16, q6kD + 2
)

var _ = [1]int{}[q6kBytes-210]

var formatQ6_K = format{
	name: "q6_k", blockElems: superBlock, blockBytes: q6kBytes,
	decode: decodeQ6_K, fitter: newFitterQ6_K,
	fields: []Field{{"d", q6kD, 2, 2}, {"scales", q6kScales, q6kD - q6kScales, 1}, {"ql", q6kQl, q6kQh - q6kQl, 4}, {"qh", q6kQh, q6kScales - q6kQh, 4}},
}

// decodeQ6_K: each half of 128 elements has 64 bytes of ql and 32 of qh. Its j-th run of 32 elements takes nibble j/2 of the bytes
// ql[32·(j%2):] and the j-th bit pair of qh; each 16 elements have a scale.
func decodeQ6_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[q6kBytes:] {
		d := f16At(src, q6kD)
		for half := range 2 {
			qh := src[q6kQh+32*half:][:32]
			for j := range 4 {
				ql := src[q6kQl+64*half+32*(j%2):][:32]
				y := dst[128*half+32*j:][:32]
				scales := src[q6kScales+8*half+2*j:][:2]
				for i, q := range ql {
					scale := d * float32(int8(scales[i/16]))
					y[i] = scale * float32(int(q>>(j/2*4)&15|qh[i]>>(2*j)&3<<4)-32)
				}
			}
		}
	}
}

var levelsQ6_K = func() *levels {
	var values []int8
	for q := range 64 {
		values = append(values, int8(q-32))
	}
	return newLevels(values...)
}()

type fitterQ6_K struct{ runs }

func newFitterQ6_K() fitter { return &fitterQ6_K{runs{size: 16, levels: levelsQ6_K, limit: 128}} }

func (r *fitterQ6_K) put(dst []byte) {
	clear(dst)
	putF16(dst[q6kD:], r.d)
	for j, scale := range r.scales {
		dst[q6kScales+j] = byte(int8(scale))
	}
	for i, v := range r.values {
		half, j, l := i/128, i%128/32, i%32
		q := byte(v + 32)
		dst[q6kQl+64*half+32*(j%2)+l] |= q & 15 << (j / 2 * 4)
		dst[q6kQh+32*half+l] |= q >> 4 << (2 * j)
	}
}
