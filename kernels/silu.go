package kernels

// SiLU computes dst[i] = x[i] / (1 + exp(-x[i])). They have the same length; dst may be x.
func (s *Set) SiLU(dst, x []float32) {
	checkSame("SiLU", len(dst), len(x))
	s.k.SiLU(dst, x)
}

// SiLUMul computes dst[i] = silu(gate[i])·up[i], the activation of a gated MLP. All have the same length; dst may be gate
// or up.
func (s *Set) SiLUMul(dst, gate, up []float32) {
	checkSame("SiLUMul", len(dst), len(gate))
	checkSame("SiLUMul: up", len(up), len(gate))
	s.k.SiLUMul(dst, gate, up)
}
