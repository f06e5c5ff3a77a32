//go:build !purego

package amd64

// f16ToF32Avx512 widens src to dst.
//
//go:noescape
func f16ToF32Avx512(dst []float32, src []uint16)

// f32ToF16Avx512 narrows src to dst, rounding to nearest even.
//
//go:noescape
func f32ToF16Avx512(dst []uint16, src []float32)

// bf16ToF32Avx512 widens src to dst.
//
//go:noescape
func bf16ToF32Avx512(dst []float32, src []uint16)

// f32ToBF16Avx512 narrows src to dst, rounding to nearest even.
//
//go:noescape
func f32ToBF16Avx512(dst []uint16, src []float32)
