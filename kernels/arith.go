package kernels

// Add adds x to dst, element by element. They have the same length and may be the same slice.
func Add(dst, x []float32) {
	checkSame("Add", len(dst), len(x))
	active.Add(dst, x)
}

// Mul multiplies dst by x, element by element. They have the same length and may be the same slice.
func Mul(dst, x []float32) {
	checkSame("Mul", len(dst), len(x))
	active.Mul(dst, x)
}

// Scale multiplies every element of dst by s.
func Scale(dst []float32, s float32) { active.Scale(dst, s) }
