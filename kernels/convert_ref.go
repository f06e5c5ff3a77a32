package kernels

import "github.com/lever-go/lever/tensor"

func f16ToF32Ref(dst []float32, src []uint16) {
	for i, h := range src {
		dst[i] = tensor.F16ToF32(h)
	}
}

func f32ToF16Ref(dst []uint16, src []float32) {
	for i, f := range src {
		dst[i] = tensor.F32ToF16(f)
	}
}

func bf16ToF32Ref(dst []float32, src []uint16) {
	for i, h := range src {
		dst[i] = tensor.BF16ToF32(h)
	}
}

func f32ToBF16Ref(dst []uint16, src []float32) {
	for i, f := range src {
		dst[i] = tensor.F32ToBF16(f)
	}
}
