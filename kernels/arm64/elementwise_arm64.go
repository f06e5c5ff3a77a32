package arm64

import "math"

// The assembly takes whole groups of elements; the loops here do what remains.

func addNeon(dst, x []float32) {
	n := len(x) &^ 7
	if n > 0 {
		add(&dst[0], &x[0], n)
	}
	for i := n; i < len(x); i++ {
		dst[i] += x[i]
	}
}

func mulNeon(dst, x []float32) {
	n := len(x) &^ 7
	if n > 0 {
		mul(&dst[0], &x[0], n)
	}
	for i := n; i < len(x); i++ {
		dst[i] *= x[i]
	}
}

func scaleNeon(dst []float32, s float32) {
	n := len(dst) &^ 7
	if n > 0 {
		scale(&dst[0], n, s)
	}
	for i := n; i < len(dst); i++ {
		dst[i] *= s
	}
}

// rmsNormNeon sums in float64, where no float32 square overflows.
func rmsNormNeon(dst, x, gain []float32, eps float32) {
	sum, n := 0.0, len(x)&^7
	if n > 0 {
		sum = sumSquares(&x[0], n)
	}
	for _, v := range x[n:] {
		sum += float64(v) * float64(v)
	}
	s := float32(1 / math.Sqrt(sum/float64(len(x))+float64(eps)))
	if n > 0 {
		scaleGain(&dst[0], &x[0], &gain[0], n, s)
	}
	for i := n; i < len(x); i++ {
		dst[i] = x[i] * s * gain[i]
	}
}

func ropeHalvesNeon(x, cos, sin []float32, heads, headDim int) {
	half := headDim / 2
	n := half &^ 3
	if n > 0 && heads > 0 {
		ropeHalves(&x[0], &cos[0], &sin[0], heads, headDim, n)
	}
	for h := range heads {
		for i := n; i < half; i++ {
			rotate(&x[h*headDim+i], &x[h*headDim+i+half], cos[i], sin[i])
		}
	}
}

func ropeAdjacentNeon(x, cos, sin []float32, heads, headDim int) {
	half := headDim / 2
	n := half &^ 3
	if n > 0 && heads > 0 {
		ropeAdjacent(&x[0], &cos[0], &sin[0], heads, headDim, n)
	}
	for h := range heads {
		for i := n; i < half; i++ {
			rotate(&x[h*headDim+2*i], &x[h*headDim+2*i+1], cos[i], sin[i])
		}
	}
}

func rotate(a, b *float32, cos, sin float32) {
	*a, *b = *a*cos-*b*sin, *b*cos+*a*sin
}

// add is for i < n: dst[i] += x[i]. n > 0 is a multiple of 8, here and in the next four.
//
//go:noescape
func add(dst, x *float32, n int)

// mul is for i < n: dst[i] *= x[i].
//
//go:noescape
func mul(dst, x *float32, n int)

// scale is for i < n: dst[i] *= s.
//
//go:noescape
func scale(dst *float32, n int, s float32)

// sumSquares returns Σ x[i]², computed in float64.
//
//go:noescape
func sumSquares(x *float32, n int) float64

// scaleGain is for i < n: dst[i] = x[i]·s·gain[i].
//
//go:noescape
func scaleGain(dst, x, gain *float32, n int, s float32)

// ropeHalves rotates the first n pairs (i, i+headDim/2) of every head. n > 0 is a multiple of 4.
//
//go:noescape
func ropeHalves(x, cos, sin *float32, heads, headDim, n int)

// ropeAdjacent rotates the first n pairs (2i, 2i+1) of every head. n > 0 is a multiple of 4.
//
//go:noescape
func ropeAdjacent(x, cos, sin *float32, heads, headDim, n int)
