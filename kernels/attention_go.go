package kernels

// headChunk is the number of columns of a key or value that are converted at a time: a whole head of all usual models.
const headChunk = 256

func attentionScoresF16Go(s []float32, lds int, q []float32, heads, headDim int, k []uint16, keys int, scale float32) {
	var buf [headChunk]float32
	for j := range keys {
		for first := 0; first < headDim; first += headChunk {
			cols := min(headChunk, headDim-first)
			key := buf[:cols]
			f16ToF32Go(key, k[j*headDim+first:][:cols])
			for h := range heads {
				dot := scale * dotF32Go(q[h*headDim+first:][:cols], key)
				if first == 0 {
					s[h*lds+j] = dot
				} else {
					s[h*lds+j] += dot
				}
			}
		}
	}
}

func attentionScoresF32Go(s []float32, lds int, q []float32, heads, headDim int, k []float32, keys int, scale float32) {
	for j := range keys {
		key := k[j*headDim : (j+1)*headDim]
		for h := range heads {
			s[h*lds+j] = scale * dotF32Go(q[h*headDim:(h+1)*headDim], key)
		}
	}
}

func attentionValuesF16Go(acc []float32, p []float32, ldp int, heads, headDim int, v []uint16, keys int) {
	var buf [headChunk]float32
	for j := range keys {
		for first := 0; first < headDim; first += headChunk {
			cols := min(headChunk, headDim-first)
			value := buf[:cols]
			f16ToF32Go(value, v[j*headDim+first:][:cols])
			for h := range heads {
				addScaledGo(acc[h*headDim+first:][:cols], p[h*ldp+j], value)
			}
		}
	}
}

func attentionValuesF32Go(acc []float32, p []float32, ldp int, heads, headDim int, v []float32, keys int) {
	for j := range keys {
		value := v[j*headDim : (j+1)*headDim]
		for h := range heads {
			addScaledGo(acc[h*headDim:(h+1)*headDim], p[h*ldp+j], value)
		}
	}
}

func attentionScoresQ8Go(s []float32, lds int, q []int8, heads, headDim int, k []int8, keys int, d []float32, ldd int) {
	for h := range heads {
		for j := range keys {
			sum := float32(0)
			for c := 0; c < headDim; c += quantBlock {
				sum += float32(d[c/quantBlock*ldd+j] * float32(dotBlockGo(q[h*headDim+c:], k[j*headDim+c:])))
			}
			s[h*lds+j] = sum
		}
	}
}

// dotBlockGo multiplies two blocks.
func dotBlockGo(x, y []int8) int32 {
	x, y = x[:quantBlock], y[:quantBlock]
	var a, b int32
	for i := 0; i < quantBlock; i += 2 {
		a += int32(x[i]) * int32(y[i])
		b += int32(x[i+1]) * int32(y[i+1])
	}
	return a + b
}

func attentionValuesQ8Go(acc []float32, w []float32, ldw int, heads, headDim int, v []uint8, keys int) {
	var value [quantBlock]float32
	for j := range keys {
		for c := 0; c < headDim; c += quantBlock {
			for i, b := range v[j*headDim+c:][:quantBlock] {
				value[i] = float32(b)
			}
			for h := range heads {
				addScaledGo(acc[h*headDim+c:][:quantBlock], w[(h*headDim+c)/quantBlock*ldw+j], value[:])
			}
		}
	}
}

func attentionValuesQ4Go(acc []float32, w []float32, ldw int, heads, headDim int, v []uint8, keys int) {
	const half = quantBlock / 2
	var value [half]float32
	for j := range keys {
		for c := 0; c < headDim; c += half {
			for i, b := range v[(j*headDim+c)/2:][:half/2] {
				value[i], value[half/2+i] = float32(b&15), float32(b>>4)
			}
			for h := range heads {
				addScaledGo(acc[h*headDim+c:][:half], w[(h*headDim+c)/quantBlock*ldw+j], value[:])
			}
		}
	}
}

// addScaledGo adds s·x to dst. The product is rounded before the addition in the unrolled part and in the tail alike.
func addScaledGo(dst []float32, s float32, x []float32) {
	for len(dst) >= 4 && len(x) >= 4 {
		dst[0] += float32(s * x[0])
		dst[1] += float32(s * x[1])
		dst[2] += float32(s * x[2])
		dst[3] += float32(s * x[3])
		dst, x = dst[4:], x[4:]
	}
	for i := range dst {
		dst[i] += float32(s * x[i])
	}
}
