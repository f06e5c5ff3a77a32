#include "textflag.h"
#include "enc_arm64.h"

// Products of F16 weights (packed) and of float32 weights (row-major) with float32 activations.
//
// F16: a sum is one chain of fused multiply-adds over the columns in their order, in every kernel.
// float32: a sum is four such chains, over the columns of each remainder by 4, added up as (0+1)+(2+3); columns past the
// last multiple of 4 are added by the caller.

// COLUMNNEON converts 16 rows of one column of weights, V(lo) and V(hi), and adds their products with element i of V16.
#define COLUMNNEON(i, lo, hi) \
	FCVTL4(lo, 20) \
	FCVTLH4(lo, 21) \
	FCVTL4(hi, 22) \
	FCVTLH4(hi, 23) \
	PRODUCTS(i)

#define PRODUCTS(i) \
	FMLAE(16, i, 20, 24) \
	FMLAE(16, i, 21, 25) \
	FMLAE(16, i, 22, 26) \
	FMLAE(16, i, 23, 27)

// COLUMNI8MM is COLUMNNEON where a conversion takes two turns of one vector unit and 0 + 1·w, which is the same, one turn of
// any. V28 is ones.
#define COLUMNI8MM(i, lo, hi) \
	FLDPQ 16(R8), (F20, F21) \
	FLDPQ 16(R8), (F22, F23) \
	FMLAL4(28, lo, 20) \
	FMLALH4(28, lo, 21) \
	FMLAL4(28, hi, 22) \
	FMLALH4(28, hi, 23) \
	PRODUCTS(i)

// ONES makes R8 point at zeros less 16, and d eight ones.
#define ONES(d) \
	MOVD $·start(SB), R8 \
	MOVD $0x3c003c003c003c00, R12 \
	VDUP R12, d.D2

// WEIGHTS4NEON makes 4 columns of 4 rows of weights, V0-V3, WEIGHTS1NEON one, V0; those of I8MM as COLUMNI8MM does.
#define WEIGHTS4NEON \
	FMOVD (R11), F0 \
	FMOVD 32(R11), F1 \
	FMOVD 64(R11), F2 \
	FMOVD 96(R11), F3 \
	FCVTL4(0, 0) \
	FCVTL4(1, 1) \
	FCVTL4(2, 2) \
	FCVTL4(3, 3)

#define WEIGHTS1NEON \
	FMOVD (R11), F0 \
	FCVTL4(0, 0)

#define WEIGHTS4I8MM \
	FMOVD (R11), F5 \
	FMOVD 32(R11), F6 \
	FMOVD 64(R11), F7 \
	FMOVD 96(R11), F8 \
	FLDPQ 16(R12), (F0, F1) \
	FLDPQ 16(R12), (F2, F3) \
	FMLAL4(15, 5, 0) \
	FMLAL4(15, 6, 1) \
	FMLAL4(15, 7, 2) \
	FMLAL4(15, 8, 3)

#define WEIGHTS1I8MM \
	FMOVD (R11), F5 \
	FMOVQ 16(R12), F0 \
	FMLAL4(15, 5, 0)

// ROWS4(OP) is OP for the sums of the first four rows of activations, ROWS16(OP) for all.
#define ROWS4(OP) OP(16) \
	OP(17) \
	OP(18) \
	OP(19)
#define ROWS16(OP) ROWS4(OP) \
	OP(20) \
	OP(21) \
	OP(22) \
	OP(23) \
	OP(24) \
	OP(25) \
	OP(26) \
	OP(27) \
	OP(28) \
	OP(29) \
	OP(30) \
	OP(31)

// ROW adds the products of four columns of weights, V0-V3, with the row of activations at R9; ROW1 those of one column.
#define ROW(acc) \
	FMOVQ (R9), F4 \
	ADD   R5, R9 \
	FMLAE(4, 0, 0, acc) \
	FMLAE(4, 1, 1, acc) \
	FMLAE(4, 2, 2, acc) \
	FMLAE(4, 3, 3, acc)
#define ROW1(acc) \
	FMOVS (R9), F4 \
	ADD   R5, R9 \
	FMLAE(4, 0, 0, acc)

#define STORE(acc) \
	STQ(10, acc) \
	ADD R1, R10

// GEMMF16 is the body for the rows of ROWS. 4 rows of weights × 4 columns a turn, then the last columns one by one.
//
//	R0  dst of 4 rows of weights    R1  bytes from row to row of dst    R2  first of 4 rows of weights
//	R3  activations                 R5  bytes from row to row of them   R4  columns
//	R6  column of activations       R7  columns left                    R8  row groups left
//	R9  row of activations          R10 row of dst                      R11 column of weights
//	R12 start (I8MM)                V15 ones (I8MM)
//	V0-V3 columns of weights        V4 activations                      V16-V31 sums
#define GEMMF16(ROWS, WEIGHTS4, WEIGHTS1) \
	MOVD dst+0(FP), R0 \
	MOVD ldd+8(FP), R1 \
	MOVD w+16(FP), R2 \
	MOVD x+24(FP), R3 \
	MOVD k+32(FP), R4 \
	LSL  $2, R1 \
	LSL  $2, R4, R5 \
	MOVD $4, R8 \
group_loop: \
	MOVD R3, R6 \
	MOVD R2, R11 \
	ROWS(ZERO) \
	SUBS $4, R4, R7 \
	BLT  tail \
column_loop: \
	WEIGHTS4 \
	ADD   $128, R11 \
	MOVD  R6, R9 \
	ADD   $16, R6 \
	ROWS(ROW) \
	SUBS  $4, R7 \
	BGE   column_loop \
tail: \
	ADDS $4, R7 \
	BEQ  store \
tail_loop: \
	WEIGHTS1 \
	ADD   $32, R11 \
	MOVD  R6, R9 \
	ADD   $4, R6 \
	ROWS(ROW1) \
	SUBS  $1, R7 \
	BNE   tail_loop \
store: \
	MOVD R0, R10 \
	ROWS(STORE) \
	ADD  $16, R0 \
	ADD  $8, R2 \
	SUBS $1, R8 \
	BNE  group_loop \
	RET

// GEMVF16 is the body of a product with one row.
//
//	R0 dst    R1 weights    R2 tiles left    R3 activations    R4 columns    R6 activation    R7 columns left
//	R8 start (I8MM)    V28 ones (I8MM)
//	V0-V7 columns of weights    V16 activations    V20-V23 a column as float32    V24-V27 sums
//
// 16 rows × 4 columns a turn, then the last columns one by one.
#define GEMVF16(COLUMN) \
	MOVD dst+0(FP), R0 \
	MOVD w+8(FP), R1 \
	MOVD tiles+16(FP), R2 \
	MOVD x+24(FP), R3 \
	MOVD k+32(FP), R4 \
tile_loop: \
	MOVD R3, R6 \
	ZERO(24) \
	ZERO(25) \
	ZERO(26) \
	ZERO(27) \
	SUBS $4, R4, R7 \
	BLT  tail \
column_loop: \
	FMOVQ.P 16(R6), F16 \
	FLDPQ   (R1), (F0, F1) \
	FLDPQ   32(R1), (F2, F3) \
	FLDPQ   64(R1), (F4, F5) \
	FLDPQ   96(R1), (F6, F7) \
	ADD     $128, R1 \
	COLUMN(0, 0, 1) \
	COLUMN(1, 2, 3) \
	COLUMN(2, 4, 5) \
	COLUMN(3, 6, 7) \
	SUBS    $4, R7 \
	BGE     column_loop \
tail: \
	ADDS $4, R7 \
	BEQ  store \
tail_loop: \
	FMOVS.P 4(R6), F16 \
	FLDPQ.P 32(R1), (F0, F1) \
	COLUMN(0, 0, 1) \
	SUBS    $1, R7 \
	BNE     tail_loop \
store: \
	FSTPQ.P (F24, F25), 32(R0) \
	FSTPQ.P (F26, F27), 32(R0) \
	SUBS    $1, R2 \
	BNE     tile_loop \
	RET

// func gemvF16Neon(dst *float32, w *byte, tiles int, x *float32, k int)
TEXT ·gemvF16Neon(SB), NOSPLIT, $0-40
	GEMVF16(COLUMNNEON)

// func gemvF16I8mm(dst *float32, w *byte, tiles int, x *float32, k int)
TEXT ·gemvF16I8mm(SB), NOSPLIT, $0-40
	ONES(V28)
	GEMVF16(COLUMNI8MM)

// func gemmF16Neon16(dst *float32, ldd int, w *byte, x *float32, k int)
TEXT ·gemmF16Neon16(SB), NOSPLIT, $0-40
	GEMMF16(ROWS16, WEIGHTS4NEON, WEIGHTS1NEON)

// func gemmF16Neon4(dst *float32, ldd int, w *byte, x *float32, k int)
TEXT ·gemmF16Neon4(SB), NOSPLIT, $0-40
	GEMMF16(ROWS4, WEIGHTS4NEON, WEIGHTS1NEON)

// func gemmF16I8mm16(dst *float32, ldd int, w *byte, x *float32, k int)
TEXT ·gemmF16I8mm16(SB), NOSPLIT, $0-40
	ONES(V15)
	MOVD R8, R12
	GEMMF16(ROWS16, WEIGHTS4I8MM, WEIGHTS1I8MM)

// func gemmF16I8mm4(dst *float32, ldd int, w *byte, x *float32, k int)
TEXT ·gemmF16I8mm4(SB), NOSPLIT, $0-40
	ONES(V15)
	MOVD R8, R12
	GEMMF16(ROWS4, WEIGHTS4I8MM, WEIGHTS1I8MM)

// func gemmF32Neon4x4(dst *float32, ldd int, w, x *float32, k int)
//
//	R0 dst    R1 bytes from row to row of dst    R2-R5 rows of weights    R6-R9 rows of activations
//	R10 bytes from row to row of both    R11 columns left
//	V0-V3 weights    V4-V7 activations    V16-V31 sums: V(16+4i+r) of activation row i, weight row r
TEXT ·gemmF32Neon4x4(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD ldd+8(FP), R1
	MOVD w+16(FP), R2
	MOVD x+24(FP), R6
	MOVD k+32(FP), R11
	LSL  $2, R1
	LSL  $2, R11, R10
	ADD  R10, R2, R3
	ADD  R10, R3, R4
	ADD  R10, R4, R5
	ADD  R10, R6, R7
	ADD  R10, R7, R8
	ADD  R10, R8, R9
	ROWS16(ZERO)
	SUBS $4, R11
	BLT  sum

column_loop:
	FMOVQ.P 16(R2), F0
	FMOVQ.P 16(R3), F1
	FMOVQ.P 16(R4), F2
	FMOVQ.P 16(R5), F3
	FMOVQ.P 16(R6), F4
	FMOVQ.P 16(R7), F5
	FMOVQ.P 16(R8), F6
	FMOVQ.P 16(R9), F7
	FMLA4(0, 4, 16)
	FMLA4(1, 4, 17)
	FMLA4(2, 4, 18)
	FMLA4(3, 4, 19)
	FMLA4(0, 5, 20)
	FMLA4(1, 5, 21)
	FMLA4(2, 5, 22)
	FMLA4(3, 5, 23)
	FMLA4(0, 6, 24)
	FMLA4(1, 6, 25)
	FMLA4(2, 6, 26)
	FMLA4(3, 6, 27)
	FMLA4(0, 7, 28)
	FMLA4(1, 7, 29)
	FMLA4(2, 7, 30)
	FMLA4(3, 7, 31)
	SUBS    $4, R11
	BGE     column_loop

sum:
	FADDP4(17, 16, 16)
	FADDP4(19, 18, 18)
	FADDP4(18, 16, 16)
	FMOVQ F16, (R0)
	ADD R1, R0
	FADDP4(21, 20, 20)
	FADDP4(23, 22, 22)
	FADDP4(22, 20, 20)
	FMOVQ F20, (R0)
	ADD R1, R0
	FADDP4(25, 24, 24)
	FADDP4(27, 26, 26)
	FADDP4(26, 24, 24)
	FMOVQ F24, (R0)
	ADD R1, R0
	FADDP4(29, 28, 28)
	FADDP4(31, 30, 30)
	FADDP4(30, 28, 28)
	FMOVQ F28, (R0)
	RET

// func gemvF32Neon8(dst, w, x *float32, k int)
//
//	R0 dst    R1-R8 rows of weights    R9 activations    R10 bytes from row to row    R11 columns left
//	V0, V9 activations    V1-V8, V24-V31 weights    V16-V23 sums
//
// Eight columns a turn, then four if there are so many left.
TEXT ·gemvF32Neon8(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), R0
	MOVD w+8(FP), R1
	MOVD x+16(FP), R9
	MOVD k+24(FP), R11
	LSL  $2, R11, R10
	ADD  R10, R1, R2
	ADD  R10, R2, R3
	ADD  R10, R3, R4
	ADD  R10, R4, R5
	ADD  R10, R5, R6
	ADD  R10, R6, R7
	ADD  R10, R7, R8
	ZERO(16)
	ZERO(17)
	ZERO(18)
	ZERO(19)
	ZERO(20)
	ZERO(21)
	ZERO(22)
	ZERO(23)
	SUBS $8, R11
	BLT  four

column_loop:
	FLDPQ.P 32(R9), (F0, F9)
	FLDPQ.P 32(R1), (F1, F24)
	FLDPQ.P 32(R2), (F2, F25)
	FLDPQ.P 32(R3), (F3, F26)
	FLDPQ.P 32(R4), (F4, F27)
	FLDPQ.P 32(R5), (F5, F28)
	FLDPQ.P 32(R6), (F6, F29)
	FLDPQ.P 32(R7), (F7, F30)
	FLDPQ.P 32(R8), (F8, F31)
	FMLA4(0, 1, 16)
	FMLA4(0, 2, 17)
	FMLA4(0, 3, 18)
	FMLA4(0, 4, 19)
	FMLA4(0, 5, 20)
	FMLA4(0, 6, 21)
	FMLA4(0, 7, 22)
	FMLA4(0, 8, 23)
	FMLA4(9, 24, 16)
	FMLA4(9, 25, 17)
	FMLA4(9, 26, 18)
	FMLA4(9, 27, 19)
	FMLA4(9, 28, 20)
	FMLA4(9, 29, 21)
	FMLA4(9, 30, 22)
	FMLA4(9, 31, 23)
	SUBS    $8, R11
	BGE     column_loop

four:
	ADDS $4, R11
	BLT  sum
	FMOVQ (R9), F0
	FMOVQ (R1), F1
	FMOVQ (R2), F2
	FMOVQ (R3), F3
	FMOVQ (R4), F4
	FMOVQ (R5), F5
	FMOVQ (R6), F6
	FMOVQ (R7), F7
	FMOVQ (R8), F8
	FMLA4(0, 1, 16)
	FMLA4(0, 2, 17)
	FMLA4(0, 3, 18)
	FMLA4(0, 4, 19)
	FMLA4(0, 5, 20)
	FMLA4(0, 6, 21)
	FMLA4(0, 7, 22)
	FMLA4(0, 8, 23)

sum:
	FADDP4(17, 16, 16)
	FADDP4(19, 18, 18)
	FADDP4(18, 16, 16)
	FADDP4(21, 20, 20)
	FADDP4(23, 22, 22)
	FADDP4(22, 20, 20)
	FSTPQ (F16, F20), (R0)
	RET

// func dotF32Neon(w, x *float32, k int) float32
//
//	R0 weights    R1 activations    R2 columns left    V0, V1 both    V16 sums
TEXT ·dotF32Neon(SB), NOSPLIT, $0-28
	MOVD w+0(FP), R0
	MOVD x+8(FP), R1
	MOVD k+16(FP), R2
	ZERO(16)
	SUBS $4, R2
	BLT  sum

column_loop:
	FMOVQ.P 16(R0), F0
	FMOVQ.P 16(R1), F1
	FMLA4(0, 1, 16)
	SUBS    $4, R2
	BGE     column_loop

sum:
	FADDP4(16, 16, 16)
	FADDPS(16, 16)
	FMOVS F16, ret+24(FP)
	RET
