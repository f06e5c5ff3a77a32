package kernels

// Softmax replaces x by exp(x[i]) / Σ exp(x[j]), computed from the largest element so that nothing overflows. A NaN or
// +Inf makes all of x NaN.
func (s *Set) Softmax(x []float32) {
	if len(x) == 0 {
		return
	}
	s.k.Scale(x, 1/s.k.ExpSum(x, s.k.Max(x)))
}
