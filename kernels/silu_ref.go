package kernels

import "math"

func silu(x float32) float32 { return float32(float64(x) / (1 + math.Exp(-float64(x)))) }

func siluRef(dst, x []float32) {
	for i, v := range x {
		dst[i] = silu(v)
	}
}

func siluMulRef(dst, gate, up []float32) {
	for i, g := range gate {
		dst[i] = silu(g) * up[i]
	}
}
