//go:build !purego

#include "textflag.h"
#include "loop_avx512_amd64.h"

//	DI dst    SI src    CX elements left

#define LOAD_F16(at, z) VCVTPH2PS at, z
#define LOAD_F16_TAIL(at, z) VCVTPH2PS.Z at, K1, z
#define LOAD_BF16(at, z) VPMOVZXWD at, z
#define LOAD_BF16_TAIL(at, z) VPMOVZXWD.Z at, K1, z
#define STORE_HALF(y, at) VMOVDQU16 y, at
#define STORE_HALF_TAIL(y, at) VMOVDQU16 y, K1, at

#define F16_TO_F32(LD, ST) \
	LD((SI), Z0)           \
	ST(Z0, (DI))           \
	ADDQ $64, DI           \
	ADDQ $32, SI

// func f16ToF32Avx512(dst []float32, src []uint16)
TEXT ·f16ToF32Avx512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ src_base+24(FP), SI
	LOOP(F16_TO_F32, LOAD_F16, STORE, LOAD_F16_TAIL, STORE_TAIL)
	VZEROUPPER
	RET

#define F32_TO_F16(LD, ST) \
	LD((SI), Z0)           \
	VCVTPS2PH $0, Z0, Y0   \
	ST(Y0, (DI))           \
	ADDQ $32, DI           \
	ADDQ $64, SI

// func f32ToF16Avx512(dst []uint16, src []float32)
TEXT ·f32ToF16Avx512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ src_base+24(FP), SI
	LOOP(F32_TO_F16, LOAD, STORE_HALF, LOAD_TAIL, STORE_HALF_TAIL)
	VZEROUPPER
	RET

#define BF16_TO_F32(LD, ST) \
	LD((SI), Z0)            \
	VPSLLD $16, Z0, Z0      \
	ST(Z0, (DI))            \
	ADDQ $64, DI            \
	ADDQ $32, SI

// func bf16ToF32Avx512(dst []float32, src []uint16)
TEXT ·bf16ToF32Avx512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ src_base+24(FP), SI
	LOOP(BF16_TO_F32, LOAD_BF16, STORE, LOAD_BF16_TAIL, STORE_TAIL)
	VZEROUPPER
	RET

DATA bf16Data<>+0(SB)/4, $1
DATA bf16Data<>+4(SB)/4, $0x7fff
DATA bf16Data<>+8(SB)/4, $0x00400000
GLOBL bf16Data<>(SB), RODATA|NOPTR, $12

// F32_TO_BF16 adds half a unit of the result, less one when it is even, to the bits before they are cut; a NaN gets the quiet
// bit instead.
#define F32_TO_BF16(LD, ST) \
	LD((SI), Z0)            \
	VCMPPS  $3, Z0, Z0, K2  \
	VPSRLD  $16, Z0, Z1     \
	VPANDD  Z29, Z1, Z1     \
	VPADDD  Z30, Z1, Z1     \
	VPADDD  Z1, Z0, Z1      \
	VPORD   Z31, Z0, K2, Z1 \
	VPSRLD  $16, Z1, Z1     \
	VPMOVDW Z1, Y1          \
	ST(Y1, (DI))            \
	ADDQ $32, DI            \
	ADDQ $64, SI

// func f32ToBF16Avx512(dst []uint16, src []float32)
//
//	Z29 1    Z30 0x7fff    Z31 the quiet bit    K2 NaN lanes
TEXT ·f32ToBF16Avx512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ src_base+24(FP), SI
	VPBROADCASTD bf16Data<>+0(SB), Z29
	VPBROADCASTD bf16Data<>+4(SB), Z30
	VPBROADCASTD bf16Data<>+8(SB), Z31
	LOOP(F32_TO_BF16, LOAD, STORE_HALF, LOAD_TAIL, STORE_HALF_TAIL)
	VZEROUPPER
	RET
