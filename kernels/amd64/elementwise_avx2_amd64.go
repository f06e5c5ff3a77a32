//go:build !purego

package amd64

// addAvx2 is for i := range dst { dst[i] += x[i] }.
//
//go:noescape
func addAvx2(dst, x []float32)

// mulAvx2 is for i := range dst { dst[i] *= x[i] }.
//
//go:noescape
func mulAvx2(dst, x []float32)

// scaleAvx2 is for i := range dst { dst[i] *= s }.
//
//go:noescape
func scaleAvx2(dst []float32, s float32)

// siluAvx2 is for i := range dst { dst[i] = x[i] / (1 + exp(-x[i])) }.
//
//go:noescape
func siluAvx2(dst, x []float32)

// siluMulAvx2 is for i := range dst { dst[i] = gate[i] / (1 + exp(-gate[i])) * up[i] }.
//
//go:noescape
func siluMulAvx2(dst, gate, up []float32)

// rmsNormAvx2 is
//
//	s := float32(1 / math.Sqrt(Σ x[i]² / len(x) + eps)) // float64
//	for i := range dst { dst[i] = x[i] * s * gain[i] }
//
//go:noescape
func rmsNormAvx2(dst, x, gain []float32, eps float32)

// ropeHalvesAvx2 rotates the pairs (i, i+headDim/2) of each head.
//
//go:noescape
func ropeHalvesAvx2(x, cos, sin []float32, heads, headDim int)

// ropeAdjacentAvx2 rotates the pairs (2i, 2i+1) of each head.
//
//go:noescape
func ropeAdjacentAvx2(x, cos, sin []float32, heads, headDim int)
