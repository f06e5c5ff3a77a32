package kernels

// Argmax returns the index of the largest element, the lowest of equal ones. A NaN never wins; if there is nothing else the
// result is 0. x is not empty.
func (s *Set) Argmax(x []float32) int {
	if len(x) == 0 {
		panic("kernels: Argmax: no elements")
	}
	return s.k.Argmax(x)
}
