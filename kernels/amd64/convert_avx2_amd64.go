//go:build !purego

package amd64

// f16ToF32Avx2 widens src to dst.
//
//go:noescape
func f16ToF32Avx2(dst []float32, src []uint16)

// f32ToF16Avx2 narrows src to dst, rounding to nearest even.
//
//go:noescape
func f32ToF16Avx2(dst []uint16, src []float32)

// bf16ToF32Avx2 widens src to dst.
//
//go:noescape
func bf16ToF32Avx2(dst []float32, src []uint16)

// f32ToBF16Avx2 narrows src to dst, rounding to nearest even.
//
//go:noescape
func f32ToBF16Avx2(dst []uint16, src []float32)
