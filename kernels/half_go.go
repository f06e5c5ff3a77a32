package kernels

import (
	"math"

	"github.com/lever-go/lever/tensor"
)

// Numbers that are normal in half precision, the usual case, are converted by the expressions below, which the compiler
// puts in place; the others by package tensor. The branch between them is easy to predict.

// halfToFloat is [tensor.F16ToF32] for one number; loops spell it out, because it is too long to be inlined.
func halfToFloat(h uint16) float32 {
	if isNormalHalf(h) {
		return normalHalf(h)
	}
	return tensor.F16ToF32(h)
}

// isNormalHalf reports whether the exponent of h is neither that of zero and subnormal numbers nor that of infinity and NaN.
func isNormalHalf(h uint16) bool { return h&0x7c00-0x0400 < 0x7800 }

// normalHalf moves sign, exponent and mantissa to their places in float32 and corrects the exponent's bias.
func normalHalf(h uint16) float32 {
	return math.Float32frombits(uint32(int32(int16(h))<<13)&0x8fffffff + 112<<23)
}

// becomesNormalHalf reports whether the number with the bits f has a magnitude in [2^-14, 2^15).
func becomesNormalHalf(f uint32) bool { return f&0x7fffffff-0x38800000 < 0x47000000-0x38800000 }

// toNormalHalf rounds the number with the bits f, ties to even.
func toNormalHalf(f uint32) uint16 {
	return uint16(f>>16&0x8000) | uint16((f&0x7fffffff-112<<23+0x0fff+f>>13&1)>>13)
}
