package kernels

func addRef(dst, x []float32) {
	for i, v := range x {
		dst[i] += v
	}
}

func mulRef(dst, x []float32) {
	for i, v := range x {
		dst[i] *= v
	}
}

func scaleRef(dst []float32, s float32) {
	for i := range dst {
		dst[i] *= s
	}
}
