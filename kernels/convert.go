package kernels

// F16ToF32 converts IEEE half precision to float32, exactly. dst and src have the same length.
func (s *Set) F16ToF32(dst []float32, src []uint16) {
	checkSame("F16ToF32", len(dst), len(src))
	s.k.F16ToF32(dst, src)
}

// F32ToF16 rounds float32 to IEEE half precision, ties to even; what is too large becomes infinite, a NaN stays a NaN. dst
// and src have the same length.
func (s *Set) F32ToF16(dst []uint16, src []float32) {
	checkSame("F32ToF16", len(dst), len(src))
	s.k.F32ToF16(dst, src)
}

// BF16ToF32 converts bfloat16 to float32, exactly. dst and src have the same length.
func (s *Set) BF16ToF32(dst []float32, src []uint16) {
	checkSame("BF16ToF32", len(dst), len(src))
	s.k.BF16ToF32(dst, src)
}

// F32ToBF16 rounds float32 to bfloat16, ties to even; a NaN stays a NaN. dst and src have the same length.
func (s *Set) F32ToBF16(dst []uint16, src []float32) {
	checkSame("F32ToBF16", len(dst), len(src))
	s.k.F32ToBF16(dst, src)
}
