package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The decoders follow the formulas at the DType constants. A scale has 11 significant bits and the integers it is multiplied by have
// at most 13 together, so that every product is exact in float32 and no contraction to a fused multiply-add can change a result.

// f16At returns the F16 value at b[at:].
func f16At(b []byte, at int) float32 { return F16ToF32(binary.LittleEndian.Uint16(b[at:])) }

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

func decodeQ4_1(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[smallBlock:], src[q41Bytes:] {
		d, m := f16At(src, q41D), f16At(src, q41M)
		lo, hi := dst[:smallBlock/2], dst[smallBlock/2:smallBlock]
		for i, q := range src[q41Qs:q41Bytes] {
			lo[i] = d*float32(q&15) + m
			hi[i] = d*float32(q>>4) + m
		}
	}
}

// decodeQ5_0: bit i of qh is the fifth bit of element i.
func decodeQ5_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[smallBlock:], src[q50Bytes:] {
		d, qh := f16At(src, q50D), binary.LittleEndian.Uint32(src[q50Qh:])
		lo, hi := dst[:smallBlock/2], dst[smallBlock/2:smallBlock]
		for i, q := range src[q50Qs:q50Bytes] {
			lo[i] = d * float32(int(uint32(q&15)|qh>>i&1<<4)-16)
			hi[i] = d * float32(int(uint32(q>>4)|qh>>(i+smallBlock/2)&1<<4)-16)
		}
	}
}

// decodeQ5_1 is decodeQ5_0 with a minimum in place of the middle.
func decodeQ5_1(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[smallBlock:], src[q51Bytes:] {
		d, m, qh := f16At(src, q51D), f16At(src, q51M), binary.LittleEndian.Uint32(src[q51Qh:])
		lo, hi := dst[:smallBlock/2], dst[smallBlock/2:smallBlock]
		for i, q := range src[q51Qs:q51Bytes] {
			lo[i] = d*float32(uint32(q&15)|qh>>i&1<<4) + m
			hi[i] = d*float32(uint32(q>>4)|qh>>(i+smallBlock/2)&1<<4) + m
		}
	}
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

// extremeOf returns the first element of the largest magnitude, or a NaN if there is one. Magnitudes are compared by their bits, whose order
// is that of the values, with the NaNs above infinity.
func extremeOf(x []float32) float32 {
	var extreme, largest uint32
	for _, v := range x {
		bits := math.Float32bits(v)
		if abs := bits &^ (1 << 31); abs > largest {
			extreme, largest = bits, abs
		}
	}
	return math.Float32frombits(extreme)
}

// putScale stores d as F16 and returns 1/d, taken from the unrounded d. The inverse of a d that is zero, or so small that its
// inverse overflows (it is then 0 in F16 as well), is given as 0.
func putScale(dst []byte, d float32) (inverse float32, err error) {
	h := F32ToF16(d)
	if h&0x7C00 == 0x7C00 {
		return 0, ErrNotFinite
	}
	binary.LittleEndian.PutUint16(dst, h)
	if h&0x7FFF == 0 && math.IsInf(float64(1/d), 0) {
		return 0, nil
	}
	return 1 / d, nil
}
