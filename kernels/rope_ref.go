package kernels

func ropeHalvesRef(x, cos, sin []float32, heads, headDim int) {
	for h := range heads {
		head := x[h*headDim : (h+1)*headDim]
		for i := range headDim / 2 {
			rotate(&head[i], &head[i+headDim/2], cos[i], sin[i])
		}
	}
}

func ropeAdjacentRef(x, cos, sin []float32, heads, headDim int) {
	for h := range heads {
		head := x[h*headDim : (h+1)*headDim]
		for i := range headDim / 2 {
			rotate(&head[2*i], &head[2*i+1], cos[i], sin[i])
		}
	}
}

func rotate(a, b *float32, cos, sin float32) {
	*a, *b = *a*cos-*b*sin, *b*cos+*a*sin
}
