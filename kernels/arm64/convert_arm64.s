#include "textflag.h"
#include "enc_arm64.h"

// Conversions between float32 and 16-bit floats, eight elements a turn: R0 dst, R1 src, R2 elements left.

#define ARGUMENTS \
	MOVD dst+0(FP), R0 \
	MOVD src+8(FP), R1 \
	MOVD n+16(FP), R2

// func f16ToF32(dst *float32, src *uint16, n int)
TEXT ·f16ToF32(SB), NOSPLIT, $0-24
	ARGUMENTS

loop8:
	FMOVQ.P 16(R1), F0
	FCVTL4(0, 1)
	FCVTLH4(0, 2)
	FSTPQ.P (F1, F2), 32(R0)
	SUBS    $8, R2
	BNE     loop8
	RET

// func f32ToF16(dst *uint16, src *float32, n int)
TEXT ·f32ToF16(SB), NOSPLIT, $0-24
	ARGUMENTS

loop8:
	FLDPQ.P 32(R1), (F0, F1)
	FCVTN4(0, 2)
	FCVTNH4(1, 2)
	FMOVQ.P F2, 16(R0)
	SUBS    $8, R2
	BNE     loop8
	RET

// func bf16ToF32(dst *float32, src *uint16, n int)
TEXT ·bf16ToF32(SB), NOSPLIT, $0-24
	ARGUMENTS
	ZERO(3)

loop8:
	FMOVQ.P 16(R1), F0
	VZIP1   V0.H8, V3.H8, V1.H8 // the 16 bits above 16 zeros
	VZIP2   V0.H8, V3.H8, V2.H8
	FSTPQ.P (F1, F2), 32(R0)
	SUBS    $8, R2
	BNE     loop8
	RET

// ROUND makes of the bits V(x) those of the nearest bfloat16, ties to even, in the upper half of each lane: they grow by
// 0x7fff and by one more if the last bit that stays is set. Of a NaN the bits stay, and it is made quiet.
#define ROUND(x) \
	FCMEQ4(x, x, 3) \
	USHR4(16, x, 4) \
	AND16(17, 4, 4) \
	ADD4(16, 4, 4) \
	ADD4(x, 4, 4) \
	ORR16(18, x, x) \
	BIT16(3, 4, x)

// func f32ToBF16(dst *uint16, src *float32, n int)
//
//	V0, V1 src    V3 mask    V4 rounded    V16 0x7fff    V17 1    V18 1<<22
TEXT ·f32ToBF16(SB), NOSPLIT, $0-24
	ARGUMENTS
	MOVD $0x7fff, R3
	VDUP R3, V16.S4
	MOVD $1, R3
	VDUP R3, V17.S4
	MOVD $0x00400000, R3
	VDUP R3, V18.S4

loop8:
	FLDPQ.P 32(R1), (F0, F1)
	ROUND(0)
	ROUND(1)
	VUZP2   V1.H8, V0.H8, V2.H8 // upper halves
	FMOVQ.P F2, 16(R0)
	SUBS    $8, R2
	BNE     loop8
	RET
