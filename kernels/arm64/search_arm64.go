package arm64

import "math"

func maxNeon(x []float32) float32 {
	m, n := float32(math.Inf(-1)), len(x)&^15
	if n > 0 {
		m = largest(&x[0], n)
	}
	for _, v := range x[n:] {
		if v > m {
			m = v
		}
	}
	return m
}

func argmaxNeon(x []float32) int {
	m, i, n := maxNeon(x), 0, len(x)&^15
	if n > 0 {
		i = firstEqual(&x[0], n, m)
	}
	for ; i < len(x); i++ {
		if x[i] == m {
			return i
		}
	}
	return 0
}

func indexAboveNeon(x []float32, threshold float32) int {
	i, n := 0, len(x)&^15
	if n > 0 {
		i = firstAbove(&x[0], n, threshold)
	}
	for ; i < len(x); i++ {
		if x[i] > threshold {
			break
		}
	}
	return i
}

// largest returns the largest of n elements, NaN passed over. n > 0 is a multiple of 16, here and in the next two.
//
//go:noescape
func largest(x *float32, n int) float32

// firstAbove returns the largest multiple of 16 before which no x[i] > threshold.
//
//go:noescape
func firstAbove(x *float32, n int, threshold float32) int

// firstEqual returns the largest multiple of 16 before which no x[i] == value.
//
//go:noescape
func firstEqual(x *float32, n int, value float32) int
