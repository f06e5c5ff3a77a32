package kernels

import "math"

// The functions of this file are plain Go in every set.

// GELU computes dst[i] = x[i]·Φ(x[i]), where Φ is the distribution function of the standard normal distribution. They have the same length;
// dst may be x.
func (s *Set) GELU(dst, x []float32) {
	checkSame("GELU", len(dst), len(x))
	for i, v := range x {
		dst[i] = float32(0.5 * float64(v) * math.Erfc(-float64(v)/math.Sqrt2))
	}
}

// GELUTanh computes dst[i] = x[i]/2·(1 + tanh(√(2/π)·(x[i] + 0.044715·x[i]³))), an approximation of GELU. They have the same length; dst may
// be x.
func (s *Set) GELUTanh(dst, x []float32) {
	checkSame("GELUTanh", len(dst), len(x))
	const twice = 2 * 0.797884560802865355880 // 2·√(2/π); (1+tanh(u))/2 = 1/(1+exp(−2u))
	for i, v := range x {
		dst[i] = v / (1 + exp32(-twice*(v+0.044715*v*v*v)))
	}
}

// ReLU2 computes dst[i] = max(x[i], 0)². They have the same length; dst may be x.
func (s *Set) ReLU2(dst, x []float32) {
	checkSame("ReLU2", len(dst), len(x))
	for i, v := range x {
		v = max(v, 0)
		dst[i] = v * v
	}
}

// SoftCap replaces x[i] by limit·tanh(x[i]/limit), for a positive limit.
func (s *Set) SoftCap(x []float32, limit float32) {
	for i, v := range x {
		x[i] = limit * tanh32(v/limit)
	}
}

// tanh32 returns tanh x within 2^-22.
func tanh32(x float32) float32 {
	t := exp32(-2 * float32(math.Abs(float64(x))))
	return float32(math.Copysign(float64((1-t)/(1+t)), float64(x)))
}
