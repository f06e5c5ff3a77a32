package kernels

import "github.com/lever-go/lever/tensor"

func attentionScoresF16Ref(s []float32, lds int, q []float32, heads, headDim int, k []uint16, keys int, scale float32) {
	for h := range heads {
		for j := range keys {
			sum := float32(0)
			for c := range headDim {
				sum += q[h*headDim+c] * tensor.F16ToF32(k[j*headDim+c])
			}
			s[h*lds+j] = scale * sum
		}
	}
}

func attentionScoresF32Ref(s []float32, lds int, q []float32, heads, headDim int, k []float32, keys int, scale float32) {
	for h := range heads {
		for j := range keys {
			sum := float32(0)
			for c := range headDim {
				sum += q[h*headDim+c] * k[j*headDim+c]
			}
			s[h*lds+j] = scale * sum
		}
	}
}

func attentionValuesF16Ref(acc []float32, p []float32, ldp int, heads, headDim int, v []uint16, keys int) {
	for h := range heads {
		for j := range keys {
			for c := range headDim {
				acc[h*headDim+c] += p[h*ldp+j] * tensor.F16ToF32(v[j*headDim+c])
			}
		}
	}
}

func attentionValuesF32Ref(acc []float32, p []float32, ldp int, heads, headDim int, v []float32, keys int) {
	for h := range heads {
		for j := range keys {
			for c := range headDim {
				acc[h*headDim+c] += p[h*ldp+j] * v[j*headDim+c]
			}
		}
	}
}

func attentionScoresQ8Ref(s []float32, lds int, q []int8, heads, headDim int, k []int8, keys int, d []float32, ldd int) {
	for h := range heads {
		for j := range keys {
			sum := float32(0)
			for b := range headDim / quantBlock {
				dot := int32(0)
				for c := b * quantBlock; c < (b+1)*quantBlock; c++ {
					dot += int32(q[h*headDim+c]) * int32(k[j*headDim+c])
				}
				sum += d[b*ldd+j] * float32(dot)
			}
			s[h*lds+j] = sum
		}
	}
}

func attentionValuesQ8Ref(acc []float32, w []float32, ldw int, heads, headDim int, v []uint8, keys int) {
	for h := range heads {
		for j := range keys {
			for c := range headDim {
				acc[h*headDim+c] += w[(h*headDim+c)/quantBlock*ldw+j] * float32(v[j*headDim+c])
			}
		}
	}
}

func attentionValuesQ4Ref(acc []float32, w []float32, ldw int, heads, headDim int, v []uint8, keys int) {
	for h := range heads {
		for j := range keys {
			for c := range headDim {
				acc[h*headDim+c] += w[(h*headDim+c)/quantBlock*ldw+j] * float32(Nibble(v, j*headDim+c))
			}
		}
	}
}
