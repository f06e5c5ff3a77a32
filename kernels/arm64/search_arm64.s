#include "textflag.h"
#include "enc_arm64.h"

// Searches over many elements, sixteen a turn.

// LARGER keeps in V(m) the larger of each lane and V(x); what is not larger, NaN among it, is passed over.
#define LARGER(x, m) \
	FCMGT4(m, x, 4) \
	BIT16(4, x, m)

// func largest(x *float32, n int) float32
//
//	R0 x    R1 elements left    V0-V3 x    V4 mask    V16-V19 largest so far
TEXT ·largest(SB), NOSPLIT, $0-20
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	MOVD $0xff800000, R2 // -Inf
	VDUP R2, V16.S4
	VDUP R2, V17.S4
	VDUP R2, V18.S4
	VDUP R2, V19.S4

loop16:
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	LARGER(0, 16)
	LARGER(1, 17)
	LARGER(2, 18)
	LARGER(3, 19)
	SUBS   $16, R1
	BNE    loop16

	LARGER(17, 16)
	LARGER(19, 18)
	LARGER(18, 16)
	FMAXNMV(16, 16)
	FMOVS F16, ret+16(FP)
	RET

// FIND returns the index of the first sixteen elements of which one compares true with V4, or n.
//
//	R0 x    R1 elements left    R2 n    R3 found    V0-V3 x    V4 what to compare with
#define FIND(COMPARE) \
loop16: \
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4] \
	COMPARE(4, 0, 0) \
	COMPARE(4, 1, 1) \
	COMPARE(4, 2, 2) \
	COMPARE(4, 3, 3) \
	VORR  V1.B16, V0.B16, V0.B16 \
	VORR  V3.B16, V2.B16, V2.B16 \
	VORR  V2.B16, V0.B16, V0.B16 \
	UMAXV4(0, 0) \
	FMOVS F0, R3 \
	CBNZW R3, found \
	SUBS  $16, R1 \
	BNE   loop16 \
found: \
	SUB   R1, R2

// func firstAbove(x *float32, n int, threshold float32) int
TEXT ·firstAbove(SB), NOSPLIT, $0-32
	MOVD  x+0(FP), R0
	MOVD  n+8(FP), R1
	MOVD  R1, R2
	FMOVS threshold+16(FP), F4
	VDUP  V4.S[0], V4.S4
	FIND(FCMGT4)
	MOVD  R2, ret+24(FP)
	RET

// func firstEqual(x *float32, n int, value float32) int
TEXT ·firstEqual(SB), NOSPLIT, $0-32
	MOVD  x+0(FP), R0
	MOVD  n+8(FP), R1
	MOVD  R1, R2
	FMOVS value+16(FP), F4
	VDUP  V4.S[0], V4.S4
	FIND(FCMEQ4)
	MOVD  R2, ret+24(FP)
	RET
