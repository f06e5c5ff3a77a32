package tensor

import "math"

// F16ToF32 returns the value of the IEEE 754 binary16 number with bits h. The conversion is exact; a NaN keeps its
// sign and payload.
func F16ToF32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	abs := uint32(h & 0x7FFF)
	switch {
	case abs >= 0x7C00: // infinity or NaN
		return math.Float32frombits(sign | 0x7F800000 | abs<<13)
	case abs < 0x0400: // zero or subnormal: a multiple of 2⁻²⁴
		return math.Float32frombits(sign | math.Float32bits(float32(abs)*0x1p-24))
	}
	return math.Float32frombits(sign | (abs<<13 + (127-15)<<23))
}

// F32ToF16 returns the bits of the binary16 number nearest to x, ties to even. What is too large becomes an infinity,
// as IEEE 754 says; a NaN stays one: it is made quiet and keeps its sign and the upper bits of its payload.
func F32ToF16(x float32) uint16 {
	bits := math.Float32bits(x)
	sign := uint16(bits >> 16 & 0x8000)
	abs := bits & 0x7FFFFFFF
	switch {
	case abs > 0x7F800000: // NaN
		return sign | 0x7E00 | uint16(abs>>13&0x03FF)
	case abs >= 0x47800000: // 2¹⁶ and above
		return sign | 0x7C00
	case abs < 0x38800000: // below 2⁻¹⁴: adding ½, whose last bit is 2⁻²⁴, rounds to a multiple of that
		return sign | uint16(math.Float32bits(math.Float32frombits(abs)+0.5)-0x3F000000)
	}
	abs += 0x0FFF + abs>>13&1 // may carry into the exponent, up to infinity: that is the right result
	return sign | uint16((abs-(127-15)<<23)>>13)
}

// BF16ToF32 returns the value of the bfloat16 number with bits h. The conversion is exact.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// F32ToBF16 returns the bits of the bfloat16 number nearest to x, ties to even. A NaN stays one, as in [F32ToF16].
func F32ToBF16(x float32) uint16 {
	bits := math.Float32bits(x)
	if bits&0x7FFFFFFF > 0x7F800000 {
		return uint16(bits>>16) | 0x0040
	}
	return uint16((bits + 0x7FFF + bits>>16&1) >> 16)
}

// E8M0ToF32 returns the scale 2^(e−127) whose exponent is e, of the block formats of OCP Microscaling (MX) 1.0, section 5.4.1. It is exact;
// 255 is a NaN.
func E8M0ToF32(e uint8) float32 {
	switch e {
	case 0:
		return 0x1p-127 // subnormal
	case 255:
		return float32(math.NaN())
	}
	return math.Float32frombits(uint32(e) << 23)
}
