package kernels

func dequantizeF16Ref(dst []float32, tile []byte, r int) {
	for c := range dst {
		dst[c] = f16At(tile, c*f16Bytes+2*r)
	}
}
