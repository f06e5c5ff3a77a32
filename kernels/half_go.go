package kernels

import (
	"math"

	"github.com/lever-go/lever/tensor"
)

// halfToFloat is [tensor.F16ToF32], with normal numbers, the usual case, converted in place.
func halfToFloat(h uint16) float32 {
	if h&0x7c00-0x0400 < 0x7800 {
		return math.Float32frombits(uint32(int32(int16(h))<<13)&0x8fffffff + 112<<23)
	}
	return tensor.F16ToF32(h)
}

// floatToHalf is [tensor.F32ToF16], with what becomes a normal number converted in place.
func floatToHalf(f float32) uint16 {
	bits := math.Float32bits(f)
	if bits&0x7fffffff-0x38800000 < 0x47000000-0x38800000 { // 2^-14 … 2^15
		return uint16(bits>>16&0x8000) | uint16((bits&0x7fffffff-112<<23+0x0fff+bits>>13&1)>>13)
	}
	return tensor.F32ToF16(f)
}
