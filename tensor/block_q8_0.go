package tensor

import (
	"fmt"
	"math"
)

const q80D, q80Qs, q80Bytes = 0, 2, q80Qs + smallBlock

var _ = [1]int{}[q80Bytes-34]

var formatQ8_0 = format{
	name: "q8_0", blockElems: smallBlock, blockBytes: q80Bytes,
	decode: decodeQ8_0, encode: encodeQ8_0,
	fields: []Field{{"d", q80D, 2, 2}, {"qs", q80Qs, q80Bytes - q80Qs, 4}},
}

func decodeQ8_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[smallBlock:], src[q80Bytes:] {
		d := f16At(src, q80D)
		y := dst[:smallBlock]
		for i, q := range src[q80Qs:q80Bytes] {
			y[i] = d * float32(int8(q))
		}
	}
}

// encodeQ8_0 maps the largest magnitude to 127; quants round half away from zero.
func encodeQ8_0(dst []byte, src []float32) error {
	for at := 0; len(src) > 0; at, dst, src = at+smallBlock, dst[q80Bytes:], src[smallBlock:] {
		x := src[:smallBlock]
		extreme := extremeOf(x)
		inverse, err := putScale(dst[q80D:], float32(math.Abs(float64(extreme)))/127)
		if err != nil {
			return fmt.Errorf("block at element %d: largest %v: %w", at, extreme, err)
		}
		qs := dst[q80Qs:q80Bytes]
		for i, v := range x {
			q := float64(v * inverse) // in float64 the added half is exact
			qs[i] = byte(int8(q + math.Copysign(0.5, q)))
		}
	}
	return nil
}
