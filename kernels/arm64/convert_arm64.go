package arm64

// The assembly converts eight elements at a time; the last ones go through a buffer of eight.

func f16ToF32Neon(dst []float32, src []uint16) {
	n := len(dst) &^ 7
	if n > 0 {
		f16ToF32(&dst[0], &src[0], n)
	}
	if n < len(dst) {
		var from [8]uint16
		var to [8]float32
		copy(from[:], src[n:])
		f16ToF32(&to[0], &from[0], 8)
		copy(dst[n:], to[:])
	}
}

func f32ToF16Neon(dst []uint16, src []float32) {
	n := len(dst) &^ 7
	if n > 0 {
		f32ToF16(&dst[0], &src[0], n)
	}
	if n < len(dst) {
		var from [8]float32
		var to [8]uint16
		copy(from[:], src[n:])
		f32ToF16(&to[0], &from[0], 8)
		copy(dst[n:], to[:])
	}
}

func bf16ToF32Neon(dst []float32, src []uint16) {
	n := len(dst) &^ 7
	if n > 0 {
		bf16ToF32(&dst[0], &src[0], n)
	}
	if n < len(dst) {
		var from [8]uint16
		var to [8]float32
		copy(from[:], src[n:])
		bf16ToF32(&to[0], &from[0], 8)
		copy(dst[n:], to[:])
	}
}

func f32ToBF16Neon(dst []uint16, src []float32) {
	n := len(dst) &^ 7
	if n > 0 {
		f32ToBF16(&dst[0], &src[0], n)
	}
	if n < len(dst) {
		var from [8]float32
		var to [8]uint16
		copy(from[:], src[n:])
		f32ToBF16(&to[0], &from[0], 8)
		copy(dst[n:], to[:])
	}
}

// f16ToF32 converts n elements, n > 0 a multiple of 8; so do the next three.
//
//go:noescape
func f16ToF32(dst *float32, src *uint16, n int)

//go:noescape
func f32ToF16(dst *uint16, src *float32, n int)

//go:noescape
func bf16ToF32(dst *float32, src *uint16, n int)

//go:noescape
func f32ToBF16(dst *uint16, src *float32, n int)
