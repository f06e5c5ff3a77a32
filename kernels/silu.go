package kernels

// SiLU computes dst[i] = x[i] / (1 + exp(-x[i])). They have the same length; dst may be x.
func SiLU(dst, x []float32) {
	checkSame("SiLU", len(dst), len(x))
	active.SiLU(dst, x)
}

// SiLUMul computes dst[i] = silu(gate[i])·up[i], the activation of a gated MLP. All have the same length; dst may be gate
// or up.
func SiLUMul(dst, gate, up []float32) {
	checkSame("SiLUMul", len(dst), len(gate))
	checkSame("SiLUMul: up", len(up), len(gate))
	active.SiLUMul(dst, gate, up)
}
