package tensor

import (
	"encoding/binary"
	"math"
	"slices"
)

// A format of blocks is a file, block_NAME.go, and a row of formats. Its names are those of GGUF: d (scale), m (minimum), dmin (scale of
// the minima), scales, qs and ql (low bits), qh (high bits).
//
// A scale has 11 significant bits and the integers it is multiplied by have at most 13 together, so that every product is exact in
// float32 and no contraction to a fused multiply-add can change what a decoder gives.

// Elements of a block of the simple quantised formats, and of the "K" formats.
const (
	smallBlock = 32
	superBlock = 256
)

// A Field is a part of a block of a format.
type Field struct {
	Name   string // as GGUF calls it
	Offset int    // in bytes, from the start of a block
	Size   int    // in bytes
	// Unit is the bytes that stand together in [Packed], which then has those of the next row. Units of 2 are F16 numbers.
	Unit int
}

// Fields returns the fields of a block of d in the order in which [Packed] stores them, or nil if d has no packed form.
func (d DType) Fields() []Field {
	if !d.valid() {
		return nil
	}
	return slices.Clone(formats[d].fields)
}

// f16At returns the F16 value at b[at:].
func f16At(b []byte, at int) float32 { return F16ToF32(binary.LittleEndian.Uint16(b[at:])) }

// scaleMin returns the j-th (0..7) 6-bit scale and minimum from the 12 bytes in which the formats Q4_K and Q5_K keep them:
// the first four of each kind stand in the low 6 bits of bytes 0..3 and 4..7; of the last four, the low 4 bits stand in bytes
// 8..11 (scale low nibble, minimum high nibble) and the high 2 bits above those of the first four.
func scaleMin(scales []byte, j int) (scale, minimum uint8) {
	if j < 4 {
		return scales[j] & 63, scales[j+4] & 63
	}
	return scales[j+4]&15 | scales[j-4]>>6<<4, scales[j+4]>>4 | scales[j]>>6<<4
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
