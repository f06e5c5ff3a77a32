package tensor

import "fmt"

// Offsets of the fields of a block of Q4_0, and its size; those of other formats are named alike.
const q40D, q40Qs, q40Bytes = 0, 2, q40Qs + smallBlock/2

// The size that files are made of. An index other than 0 does not compile.
var _ = [1]int{}[q40Bytes-18]

var formatQ4_0 = format{
	name: "q4_0", blockElems: smallBlock, blockBytes: q40Bytes,
	decode: decodeQ4_0, encode: encodeQ4_0,
	fields: []Field{{"d", q40D, 2, 2}, {"qs", q40Qs, q40Bytes - q40Qs, 4}},
}

func decodeQ4_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[smallBlock:], src[q40Bytes:] {
		d := f16At(src, q40D)
		qs := src[q40Qs:q40Bytes]
		lo, hi := dst[:smallBlock/2], dst[smallBlock/2:smallBlock]
		for i, q := range qs {
			lo[i] = d * float32(int(q&15)-8)
			hi[i] = d * float32(int(q>>4)-8)
		}
	}
}

// encodeQ4_0 maps the element of largest magnitude to −8, so that this end of the range is exact.
func encodeQ4_0(dst []byte, src []float32) error {
	for at := 0; len(src) > 0; at, dst, src = at+smallBlock, dst[q40Bytes:], src[smallBlock:] {
		x := src[:smallBlock]
		extreme := extremeOf(x)
		inverse, err := putScale(dst[q40D:], extreme/-8)
		if err != nil {
			return fmt.Errorf("block at element %d: largest %v: %w", at, extreme, err)
		}
		qs := dst[q40Qs:q40Bytes]
		for i := range qs {
			lo := min(15, int32(float32(x[i]*inverse)+8.5))
			hi := min(15, int32(float32(x[smallBlock/2+i]*inverse)+8.5))
			qs[i] = byte(lo | hi<<4)
		}
	}
	return nil
}
