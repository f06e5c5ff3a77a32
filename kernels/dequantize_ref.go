package kernels

func dequantizeF16Ref(dst []float32, tile []byte, r int) {
	for c := range dst {
		dst[c] = f16At(tile, c*f16Bytes+2*r)
	}
}

func dequantizeQ4Ref(dst []float32, tile []byte, r int)  { q4Ref.dequantize(dst, tile, r) }
func dequantizeQ8Ref(dst []float32, tile []byte, r int)  { q8Ref.dequantize(dst, tile, r) }
func dequantizeQ4KRef(dst []float32, tile []byte, r int) { q4KRef.dequantize(dst, tile, r) }
func dequantizeQ6KRef(dst []float32, tile []byte, r int) { q6KRef.dequantize(dst, tile, r) }
