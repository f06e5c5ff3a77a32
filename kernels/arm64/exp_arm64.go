package arm64

import "math"

func expSumNeon(x []float32, max float32) float32 {
	sum, n := float32(0), len(x)&^3
	if n > 0 {
		sum = expSum(&x[0], n, max)
	}
	if rest := x[n:]; len(rest) > 0 {
		minusInf := float32(math.Inf(-1))
		four := [4]float32{minusInf, minusInf, minusInf, minusInf}
		copy(four[:], rest)
		sum += expSum(&four[0], 4, max)
		copy(rest, four[:])
	}
	return sum
}

func siluNeon(dst, x []float32) {
	n := len(x) &^ 3
	if n > 0 {
		silu(&dst[0], &x[0], n)
	}
	if n < len(x) {
		var four [4]float32
		copy(four[:], x[n:])
		silu(&four[0], &four[0], 4)
		copy(dst[n:], four[:len(x)-n])
	}
}

func siluMulNeon(dst, gate, up []float32) {
	n := len(gate) &^ 3
	if n > 0 {
		siluMul(&dst[0], &gate[0], &up[0], n)
	}
	if n < len(gate) {
		var g, u [4]float32
		copy(g[:], gate[n:])
		copy(u[:], up[n:])
		siluMul(&g[0], &g[0], &u[0], 4)
		copy(dst[n:], g[:len(gate)-n])
	}
}

// expSum is for i < n: x[i] = exp(x[i]-max); it returns the sum of x. n > 0 is a multiple of 4.
//
//go:noescape
func expSum(x *float32, n int, max float32) float32

// silu is for i < n: dst[i] = x[i] / (1 + exp(-x[i])). n > 0 is a multiple of 4. dst may be x.
//
//go:noescape
func silu(dst, x *float32, n int)

// siluMul is for i < n: dst[i] = gate[i] / (1 + exp(-gate[i])) · up[i]. n > 0 is a multiple of 4. dst may be gate or up.
//
//go:noescape
func siluMul(dst, gate, up *float32, n int)
