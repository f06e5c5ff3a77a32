#include "textflag.h"
#include "enc_arm64.h"

// The exponential function and what is made of it.
//
// e^x = 2^n·e^r with n = round(x·log2(e)), r = x - n·ln 2 (ln 2 in two parts, as Cody and Waite do), |r| ≤ ½ ln 2, and e^r
// from its Taylor series up to r^7, whose remainder is below 2^-26. 2^n is multiplied in two halves, so that results become
// subnormal or infinite where they should. NaN stays NaN.

DATA exp<>+0(SB)/4, $0x3fb8aa3b // log2(e)
DATA exp<>+4(SB)/4, $0x3f317200 // ln 2, the 15 high bits
DATA exp<>+8(SB)/4, $0x35bfbe8e // ln 2, the rest
DATA exp<>+12(SB)/4, $0x4b400000 // 1.5·2^23
DATA exp<>+16(SB)/4, $0x39500d01 // 1/7!
DATA exp<>+20(SB)/4, $0x3ab60b61 // 1/6!
DATA exp<>+24(SB)/4, $0x3c088889 // 1/5!
DATA exp<>+28(SB)/4, $0x3d2aaaab // 1/4!
DATA exp<>+32(SB)/4, $0x3e2aaaab // 1/3!
DATA exp<>+36(SB)/4, $0x3f000000 // 1/2!
DATA exp<>+40(SB)/4, $0x3f800000 // 1
DATA exp<>+44(SB)/4, $0x42b20000 // above it e^x is infinite
DATA exp<>+48(SB)/4, $0xc2d00000 // below it e^x is 0
GLOBL exp<>(SB), RODATA|NOPTR, $52

// CONSTANTS loads V16-V28 through R8.
#define CONSTANTS \
	MOVD $exp<>(SB), R8 \
	VLD1R.P 4(R8), [V16.S4] \
	VLD1R.P 4(R8), [V17.S4] \
	VLD1R.P 4(R8), [V18.S4] \
	VLD1R.P 4(R8), [V19.S4] \
	VLD1R.P 4(R8), [V20.S4] \
	VLD1R.P 4(R8), [V21.S4] \
	VLD1R.P 4(R8), [V22.S4] \
	VLD1R.P 4(R8), [V23.S4] \
	VLD1R.P 4(R8), [V24.S4] \
	VLD1R.P 4(R8), [V25.S4] \
	VLD1R.P 4(R8), [V26.S4] \
	VLD1R.P 4(R8), [V27.S4] \
	VLD1R (R8), [V28.S4]

// EXP makes V0 e^V0, with V1-V5 as temporaries.
#define EXP \
	FMIN4(27, 0, 0) \
	FMAX4(28, 0, 0) \
	FMUL4(16, 0, 1) \
	FADD4(19, 1, 1) \
	FSUB4(19, 1, 2) \
	VFMLS V17.S4, V2.S4, V0.S4 \
	VFMLS V18.S4, V2.S4, V0.S4 \
	VMOV  V21.B16, V3.B16 \
	VFMLA V20.S4, V0.S4, V3.S4 \
	VMOV  V22.B16, V4.B16 \
	VFMLA V3.S4, V0.S4, V4.S4 \
	VMOV  V23.B16, V3.B16 \
	VFMLA V4.S4, V0.S4, V3.S4 \
	VMOV  V24.B16, V4.B16 \
	VFMLA V3.S4, V0.S4, V4.S4 \
	VMOV  V25.B16, V3.B16 \
	VFMLA V4.S4, V0.S4, V3.S4 \
	VMOV  V26.B16, V4.B16 \
	VFMLA V3.S4, V0.S4, V4.S4 \
	VMOV  V26.B16, V3.B16 \
	VFMLA V4.S4, V0.S4, V3.S4 \
	VSUB  V19.S4, V1.S4, V1.S4 \
	SSHR4(1, 1, 5) \
	VSUB  V5.S4, V1.S4, V1.S4 \
	VSHL  $23, V1.S4, V1.S4 \
	VSHL  $23, V5.S4, V5.S4 \
	VADD  V26.S4, V1.S4, V1.S4 \
	VADD  V26.S4, V5.S4, V5.S4 \
	FMUL4(5, 3, 0) \
	FMUL4(1, 0, 0)

// SILU makes V0 x / (1 + e^-x) of V6 = x.
#define SILU \
	FNEG4(6, 0) \
	EXP \
	FADD4(26, 0, 0) \
	FDIV4(0, 6, 0)

// func expSum(x *float32, n int, max float32) float32
//
//	R0 x    R1 elements left    V0-V5 see EXP    V6 max    V7 sums
TEXT ·expSum(SB), NOSPLIT, $0-28
	MOVD  x+0(FP), R0
	MOVD  n+8(FP), R1
	FMOVS max+16(FP), F6
	VDUP  V6.S[0], V6.S4
	CONSTANTS
	ZERO(7)

loop4:
	FMOVQ (R0), F0
	FSUB4(6, 0, 0)
	EXP
	FADD4(0, 7, 7)
	FMOVQ.P F0, 16(R0)
	SUBS  $4, R1
	BNE   loop4

	FADDP4(7, 7, 7)
	FADDPS(7, 7)
	FMOVS F7, ret+24(FP)
	RET

// func silu(dst, x *float32, n int)
//
//	R0 dst    R1 x    R2 elements left    V0-V5 see EXP    V6 x
TEXT ·silu(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD n+16(FP), R2
	CONSTANTS

loop4:
	FMOVQ.P 16(R1), F6
	SILU
	FMOVQ.P F0, 16(R0)
	SUBS    $4, R2
	BNE     loop4
	RET

// func siluMul(dst, gate, up *float32, n int)
//
//	R0 dst    R1 gate    R2 up    R3 elements left    V0-V5 see EXP    V6 gate    V7 up
TEXT ·siluMul(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), R0
	MOVD gate+8(FP), R1
	MOVD up+16(FP), R2
	MOVD n+24(FP), R3
	CONSTANTS

loop4:
	FMOVQ.P 16(R1), F6
	FMOVQ.P 16(R2), F7
	SILU
	FMUL4(7, 0, 0)
	FMOVQ.P F0, 16(R0)
	SUBS    $4, R3
	BNE     loop4
	RET
