package kernels

import "math"

func maxRef(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	return m
}

func expSumRef(x []float32, max float32) float32 {
	sum := 0.0
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v) - float64(max)))
		sum += float64(x[i])
	}
	return float32(sum)
}
