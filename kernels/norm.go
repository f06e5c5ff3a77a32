package kernels

// RMSNorm scales one row to unit root mean square and by gain: dst[i] = x[i]·gain[i] / √(mean(x²) + eps). All three have
// the same length; dst may be x.
func (s *Set) RMSNorm(dst, x, gain []float32, eps float32) {
	checkSame("RMSNorm", len(dst), len(x))
	checkSame("RMSNorm: gain", len(gain), len(x))
	if len(x) > 0 {
		s.k.RMSNorm(dst, x, gain, eps)
	}
}
