package kernels

import "math"

func siluGo(dst, x []float32) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = v / (1 + exp32(-v))
	}
}

func siluMulGo(dst, gate, up []float32) {
	dst, up = dst[:len(gate)], up[:len(gate)]
	for i, g := range gate {
		dst[i] = g / (1 + exp32(-g)) * up[i]
	}
}

// rmsNormGo sums in float64, where no float32 square overflows, in four chains.
func rmsNormGo(dst, x, gain []float32, eps float32) {
	var s0, s1, s2, s3 float64
	rest := x
	for len(rest) >= 4 {
		s0 += float64(rest[0]) * float64(rest[0])
		s1 += float64(rest[1]) * float64(rest[1])
		s2 += float64(rest[2]) * float64(rest[2])
		s3 += float64(rest[3]) * float64(rest[3])
		rest = rest[4:]
	}
	for _, v := range rest {
		s0 += float64(v) * float64(v)
	}
	scale := float32(1 / math.Sqrt((s0+s1+s2+s3)/float64(len(x))+float64(eps)))
	dst, gain = dst[:len(x)], gain[:len(x)]
	for i, v := range x {
		dst[i] = v * scale * gain[i]
	}
}

func ropeAdjacentGo(x, cos, sin []float32, heads, headDim int) {
	sin = sin[:len(cos)]
	for ; len(x) >= headDim; x = x[headDim:] {
		head := x[:headDim]
		for i, c := range cos {
			if len(head) < 2 {
				break
			}
			v, w := head[0], head[1]
			head[0] = v*c - w*sin[i]
			head[1] = w*c + v*sin[i]
			head = head[2:]
		}
	}
}

func expSumGo(x []float32, max float32) float32 {
	sum := 0.0
	for i, v := range x {
		e := exp32(v - max)
		x[i] = e
		sum += float64(e)
	}
	return float32(sum)
}

// maxGo compares in four chains.
func maxGo(x []float32) float32 {
	inf := float32(math.Inf(-1))
	m0, m1, m2, m3 := inf, inf, inf, inf
	for len(x) >= 4 {
		if x[0] > m0 {
			m0 = x[0]
		}
		if x[1] > m1 {
			m1 = x[1]
		}
		if x[2] > m2 {
			m2 = x[2]
		}
		if x[3] > m3 {
			m3 = x[3]
		}
		x = x[4:]
	}
	return max(m0, m1, m2, m3, maxRef(x))
}

// argmaxGo finds the largest value first, then where it is.
func argmaxGo(x []float32) int {
	m := maxGo(x)
	for i, v := range x {
		if v == m {
			return i
		}
	}
	return 0
}

func indexAboveGo(x []float32, threshold float32) int {
	i := 0
	for ; len(x)-i >= 4; i += 4 {
		v := (*[4]float32)(x[i:])
		if v[0] > threshold || v[1] > threshold || v[2] > threshold || v[3] > threshold {
			break
		}
	}
	return i + indexAboveRef(x[i:], threshold)
}
