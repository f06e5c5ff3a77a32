package kernels

import (
	"math"

	"github.com/lever-go/lever/tensor"
)

func f16ToF32Go(dst []float32, src []uint16) {
	for i, h := range src[:len(dst)] {
		if isNormalHalf(h) {
			dst[i] = normalHalf(h)
		} else {
			dst[i] = tensor.F16ToF32(h)
		}
	}
}

func f32ToF16Go(dst []uint16, src []float32) {
	for i, f := range src[:len(dst)] {
		if bits := math.Float32bits(f); becomesNormalHalf(bits) {
			dst[i] = toNormalHalf(bits)
		} else {
			dst[i] = tensor.F32ToF16(f)
		}
	}
}
