#include "textflag.h"
#include "enc_arm64.h"

// Operations element by element, and RMS normalisation and rotary positions. Lengths are multiples of what a turn takes.

// func add(dst, x *float32, n int)
//
//	R0 dst    R1 x    R2 elements left
TEXT ·add(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD n+16(FP), R2

loop8:
	FLDPQ   (R0), (F0, F1)
	FLDPQ.P 32(R1), (F2, F3)
	FADD4(2, 0, 0)
	FADD4(3, 1, 1)
	FSTPQ.P (F0, F1), 32(R0)
	SUBS    $8, R2
	BNE     loop8
	RET

// func mul(dst, x *float32, n int)
//
//	R0 dst    R1 x    R2 elements left
TEXT ·mul(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD n+16(FP), R2

loop8:
	FLDPQ   (R0), (F0, F1)
	FLDPQ.P 32(R1), (F2, F3)
	FMUL4(2, 0, 0)
	FMUL4(3, 1, 1)
	FSTPQ.P (F0, F1), 32(R0)
	SUBS    $8, R2
	BNE     loop8
	RET

// func scale(dst *float32, n int, s float32)
//
//	R0 dst    R1 elements left    V2 s
TEXT ·scale(SB), NOSPLIT, $0-20
	MOVD  dst+0(FP), R0
	MOVD  n+8(FP), R1
	FMOVS s+16(FP), F2

loop8:
	FLDPQ   (R0), (F0, F1)
	FMULE(2, 0, 0, 0)
	FMULE(2, 0, 1, 1)
	FSTPQ.P (F0, F1), 32(R0)
	SUBS    $8, R1
	BNE     loop8
	RET

// func sumSquares(x *float32, n int) float64
//
//	R0 x    R1 elements left    V0-V5 x and as float64    V16-V19 sums
TEXT ·sumSquares(SB), NOSPLIT, $0-24
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	ZERO(16)
	ZERO(17)
	ZERO(18)
	ZERO(19)

loop8:
	FLDPQ.P 32(R0), (F0, F1)
	FCVTL2(0, 2)
	FCVTLH2(0, 3)
	FCVTL2(1, 4)
	FCVTLH2(1, 5)
	VFMLA   V2.D2, V2.D2, V16.D2
	VFMLA   V3.D2, V3.D2, V17.D2
	VFMLA   V4.D2, V4.D2, V18.D2
	VFMLA   V5.D2, V5.D2, V19.D2
	SUBS    $8, R1
	BNE     loop8

	FADD2(17, 16, 16)
	FADD2(19, 18, 18)
	FADD2(18, 16, 16)
	FADDPD(16, 16)
	FMOVD F16, ret+16(FP)
	RET

// func scaleGain(dst, x, gain *float32, n int, s float32)
//
//	R0 dst    R1 x    R2 gain    R3 elements left    V4 s
TEXT ·scaleGain(SB), NOSPLIT, $0-36
	MOVD  dst+0(FP), R0
	MOVD  x+8(FP), R1
	MOVD  gain+16(FP), R2
	MOVD  n+24(FP), R3
	FMOVS s+32(FP), F4

loop8:
	FLDPQ.P 32(R1), (F0, F1)
	FLDPQ.P 32(R2), (F2, F3)
	FMULE(4, 0, 0, 0)
	FMULE(4, 0, 1, 1)
	FMUL4(2, 0, 0)
	FMUL4(3, 1, 1)
	FSTPQ.P (F0, F1), 32(R0)
	SUBS    $8, R3
	BNE     loop8
	RET

// ROTATE turns the pairs (V0, V1) by the angles of V2, V3 to (V4, V5): a·cos - b·sin, b·cos + a·sin.
#define ROTATE \
	FMUL4(2, 0, 4) \
	FMUL4(2, 1, 5) \
	VFMLS V3.S4, V1.S4, V4.S4 \
	VFMLA V3.S4, V0.S4, V5.S4

// func ropeHalves(x, cos, sin *float32, heads, headDim, n int)
//
//	R0 a    R1 cos    R2 sin    R3 heads left    R4 bytes from head to head    R5 pairs
//	R6 b    R7, R8, R9 a, cos, sin of the turn    R10 pairs left
TEXT ·ropeHalves(SB), NOSPLIT, $0-48
	MOVD x+0(FP), R0
	MOVD cos+8(FP), R1
	MOVD sin+16(FP), R2
	MOVD heads+24(FP), R3
	MOVD headDim+32(FP), R4
	MOVD n+40(FP), R5
	LSL  $2, R4

head_loop:
	MOVD R0, R7
	ADD  R4>>1, R0, R6
	MOVD R1, R8
	MOVD R2, R9
	MOVD R5, R10

pair_loop:
	FMOVQ   (R7), F0
	FMOVQ   (R6), F1
	FMOVQ.P 16(R8), F2
	FMOVQ.P 16(R9), F3
	ROTATE
	FMOVQ.P F4, 16(R7)
	FMOVQ.P F5, 16(R6)
	SUBS    $4, R10
	BNE     pair_loop

	ADD  R4, R0
	SUBS $1, R3
	BNE  head_loop
	RET

// func ropeAdjacent(x, cos, sin *float32, heads, headDim, n int)
//
//	R0 x    R1 cos    R2 sin    R3 heads left    R4 bytes from head to head    R5 pairs
//	R7, R8, R9 x, cos, sin of the turn    R10 pairs left
TEXT ·ropeAdjacent(SB), NOSPLIT, $0-48
	MOVD x+0(FP), R0
	MOVD cos+8(FP), R1
	MOVD sin+16(FP), R2
	MOVD heads+24(FP), R3
	MOVD headDim+32(FP), R4
	MOVD n+40(FP), R5
	LSL  $2, R4

head_loop:
	MOVD R0, R7
	MOVD R1, R8
	MOVD R2, R9
	MOVD R5, R10

pair_loop:
	VLD2    (R7), [V0.S4, V1.S4]
	FMOVQ.P 16(R8), F2
	FMOVQ.P 16(R9), F3
	ROTATE
	VST2.P  [V4.S4, V5.S4], 32(R7)
	SUBS    $4, R10
	BNE     pair_loop

	ADD  R4, R0
	SUBS $1, R3
	BNE  head_loop
	RET
