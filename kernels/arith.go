package kernels

// Add adds x to dst, element by element. They have the same length and may be the same slice.
func (s *Set) Add(dst, x []float32) {
	checkSame("Add", len(dst), len(x))
	s.k.Add(dst, x)
}

// Mul multiplies dst by x, element by element. They have the same length and may be the same slice.
func (s *Set) Mul(dst, x []float32) {
	checkSame("Mul", len(dst), len(x))
	s.k.Mul(dst, x)
}

// Scale multiplies every element of dst by factor.
func (s *Set) Scale(dst []float32, factor float32) { s.k.Scale(dst, factor) }
