//go:build !purego

package amd64

// addAvx512 is for i := range dst { dst[i] += x[i] }.
//
//go:noescape
func addAvx512(dst, x []float32)

// mulAvx512 is for i := range dst { dst[i] *= x[i] }.
//
//go:noescape
func mulAvx512(dst, x []float32)

// scaleAvx512 is for i := range dst { dst[i] *= s }.
//
//go:noescape
func scaleAvx512(dst []float32, s float32)

// siluAvx512 is for i := range dst { dst[i] = x[i] / (1 + exp(-x[i])) }.
//
//go:noescape
func siluAvx512(dst, x []float32)

// siluMulAvx512 is for i := range dst { dst[i] = gate[i] / (1 + exp(-gate[i])) * up[i] }.
//
//go:noescape
func siluMulAvx512(dst, gate, up []float32)

// rmsNormAvx512 is
//
//	s := float32(1 / math.Sqrt(Σ x[i]² / len(x) + eps)) // float64
//	for i := range dst { dst[i] = x[i] * s * gain[i] }
//
//go:noescape
func rmsNormAvx512(dst, x, gain []float32, eps float32)

// ropeHalvesAvx512 rotates the pairs (i, i+headDim/2) of each head.
//
//go:noescape
func ropeHalvesAvx512(x, cos, sin []float32, heads, headDim int)

// ropeAdjacentAvx512 rotates the pairs (2i, 2i+1) of each head.
//
//go:noescape
func ropeAdjacentAvx512(x, cos, sin []float32, heads, headDim int)
