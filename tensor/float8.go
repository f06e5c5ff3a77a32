package tensor

import (
	"math"
	"sync"
)

// The 8-bit numbers of "FP8 Formats for Deep Learning" (arXiv 2209.05433), table 1. E5M2 is the upper half of an F16 number. E4M3 has
// a bias of 7 and, with all bits of the magnitude set, a NaN.

// f8e4m3Values are the values of all E4M3 numbers.
var f8e4m3Values = sync.OnceValue(func() *[256]float32 {
	var values [256]float32
	for b := range values {
		exponent, mantissa := b>>3&15, b&7
		x := math.Ldexp(float64(8+mantissa), exponent-10)
		switch {
		case exponent == 0:
			x = math.Ldexp(float64(mantissa), -9)
		case exponent == 15 && mantissa == 7:
			x = math.NaN()
		}
		values[b] = float32(math.Copysign(x, 1-float64(b>>7<<1)))
	}
	return &values
})

func decodeF8_E4M3(dst []float32, src []byte) {
	values := f8e4m3Values()
	for i, b := range src[:len(dst)] {
		dst[i] = values[b]
	}
}

func decodeF8_E5M2(dst []float32, src []byte) {
	for i, b := range src[:len(dst)] {
		dst[i] = F16ToF32(uint16(b) << 8)
	}
}
