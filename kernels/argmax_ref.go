package kernels

func argmaxRef(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] || x[best] != x[best] && v == v {
			best = i
		}
	}
	return best
}

func indexAboveRef(x []float32, threshold float32) int {
	for i, v := range x {
		if v > threshold {
			return i
		}
	}
	return len(x)
}
