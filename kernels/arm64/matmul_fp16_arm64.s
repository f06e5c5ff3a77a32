#include "textflag.h"
#include "enc_arm64.h"

// Products of F16 weights with activations in halfForm. The products of 128 columns are added up in float16, one chain of
// fused multiply-adds over the columns in their order; these sums become float32 and are added up, times the scale of the
// activations, by one fused multiply-add each.

// All kernels have these registers; a unit is one row of activations, or one tile in gemvF16Fp16:
//
//	R4  bytes from block to block of activations    R5  columns left    R6  activations
//	R7  columns of the block left    R8  start    R10 block of activations
//	V0-V7    activations and weights, then temporary
//	V8-V15   sums of the block in float16, two registers for each unit
//	V16-V31  sums of the rows in float32, four registers for each unit

// UNITS4(OP, a, b) is OP for units 0 to 3, and so on.
#define UNITS1(OP, a, b) OP(0, a, b)
#define UNITS2(OP, a, b) UNITS1(OP, a, b) \
	OP(1, a, b)
#define UNITS4(OP, a, b) UNITS2(OP, a, b) \
	OP(2, a, b) \
	OP(3, a, b)

#define CLEAR(u, a, b) \
	ZERO(16+4*u) \
	ZERO(17+4*u) \
	ZERO(18+4*u) \
	ZERO(19+4*u)

// START begins the sums of a block with zeros; a load of them takes no turn of the vector units.
#define START(u, a, b) \
	LDQ(8, 1, 8+2*u) \
	LDQ(8, 1, 9+2*u)

// ACTIVATIONS loads 8 columns of row u.
#define ACTIVATIONS(u, a, b) LDQ(6, 17*u, u)

// MULTIPLY adds the products of a column of weights, V(w) and the register behind it, with element c of row u.
#define MULTIPLY(u, c, w) \
	FMLAE8(u, c, w, 8+2*u) \
	FMLAE8(u, c, w+1, 9+2*u)

#define COLUMNS2(UNITS, c) \
	FLDPQ (32*c)(R11), (F4, F5) \
	FLDPQ (32*c+32)(R11), (F6, F7) \
	UNITS(MULTIPLY, c, 4) \
	UNITS(MULTIPLY, c+1, 6)

// LAST loads one column of row u.
#define LAST(u, a, b) \
	ADD  $(272*u), R6, R12 \
	VLD1R (R12), [V4.H8] \
	ORR16(4, 4, u)

// WIDEN adds the sums of the block, times d, to those of the rows; SCALE loads the d of row u before.
#define SCALE(u, a, b) \
	FMOVS (256+272*u)(R10), F0 \
	WIDEN(u, a, b)

#define WIDEN(u, a, b) \
	FCVTL4(8+2*u, 4) \
	FCVTLH4(8+2*u, 5) \
	FCVTL4(9+2*u, 6) \
	FCVTLH4(9+2*u, 7) \
	FMLAE(0, 0, 4, 16+4*u) \
	FMLAE(0, 0, 5, 17+4*u) \
	FMLAE(0, 0, 6, 18+4*u) \
	FMLAE(0, 0, 7, 19+4*u)

// PUT writes a row of dst.
#define PUT(u, a, b) \
	STQAT(0, 0, 16+4*u) \
	STQAT(0, 1, 17+4*u) \
	STQAT(0, 2, 18+4*u) \
	STQAT(0, 3, 19+4*u) \
	ADD R1, R0

// GEMM is the body for the rows of UNITS: 16 rows of weights × 8 columns a turn, then the last columns one by one.
//
//	R0  dst    R1  bytes from row to row of dst    R11 weights    R12 temporary
#define GEMM(UNITS) \
	MOVD dst+0(FP), R0 \
	MOVD ldd+8(FP), R1 \
	MOVD w+16(FP), R11 \
	MOVD q+24(FP), R10 \
	MOVD stride+32(FP), R4 \
	MOVD k+40(FP), R5 \
	MOVD $·start(SB), R8 \
	LSL  $2, R1 \
	UNITS(CLEAR, 0, 0) \
block_loop: \
	MOVD $128, R7 \
	CMP  R7, R5 \
	CSEL LT, R5, R7, R7 \
	SUB  R7, R5 \
	MOVD R10, R6 \
	UNITS(START, 0, 0) \
	SUBS $8, R7 \
	BLT  tail \
column_loop: \
	UNITS(ACTIVATIONS, 0, 0) \
	COLUMNS2(UNITS, 0) \
	COLUMNS2(UNITS, 2) \
	COLUMNS2(UNITS, 4) \
	COLUMNS2(UNITS, 6) \
	ADD  $16, R6 \
	ADD  $256, R11 \
	SUBS $8, R7 \
	BGE  column_loop \
tail: \
	ADDS $8, R7 \
	BEQ  widen \
tail_loop: \
	UNITS(LAST, 0, 0) \
	FLDPQ.P 32(R11), (F4, F5) \
	UNITS(MULTIPLY, 0, 4) \
	ADD  $2, R6 \
	SUBS $1, R7 \
	BNE  tail_loop \
widen: \
	UNITS(SCALE, 0, 0) \
	ADD  R4, R10 \
	CBNZ R5, block_loop \
	UNITS(PUT, 0, 0) \
	RET

// func gemmF16Fp16Rows1(dst *float32, ldd int, w, q *byte, stride, k int)
TEXT ·gemmF16Fp16Rows1(SB), NOSPLIT, $0-48
	GEMM(UNITS1)

// func gemmF16Fp16Rows2(dst *float32, ldd int, w, q *byte, stride, k int)
TEXT ·gemmF16Fp16Rows2(SB), NOSPLIT, $0-48
	GEMM(UNITS2)

// func gemmF16Fp16Rows4(dst *float32, ldd int, w, q *byte, stride, k int)
TEXT ·gemmF16Fp16Rows4(SB), NOSPLIT, $0-48
	GEMM(UNITS4)

// COLUMN adds the products of column c of four tiles with element c of V0.
#define COLUMN(c) \
	FLDPQ (32*c)(R11), (F1, F2) \
	FLDPQ (32*c)(R12), (F3, F4) \
	FLDPQ (32*c)(R13), (F5, F6) \
	FMLAE8(0, c, 1, 8) \
	FMLAE8(0, c, 2, 9) \
	FLDPQ (32*c)(R14), (F1, F2) \
	FMLAE8(0, c, 3, 10) \
	FMLAE8(0, c, 4, 11) \
	FMLAE8(0, c, 5, 12) \
	FMLAE8(0, c, 6, 13) \
	FMLAE8(0, c, 1, 14) \
	FMLAE8(0, c, 2, 15)

// func gemvF16Fp16Tiles4(dst *float32, w, q *byte, stride, k int)
//
//	R0 dst    R1 bytes from row to row of dst, as tiles are here    R11-R14 weights of the tiles
//
// Four tiles × 8 columns a turn, so that there are as many chains of additions as the processor works on at a time.
TEXT ·gemvF16Fp16Tiles4(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD w+8(FP), R11
	MOVD q+16(FP), R10
	MOVD stride+24(FP), R4
	MOVD k+32(FP), R5
	MOVD $·start(SB), R8
	ADD  R5<<5, R11, R12
	ADD  R5<<5, R12, R13
	ADD  R5<<5, R13, R14
	MOVD $64, R1
	UNITS4(CLEAR, 0, 0)

block_loop:
	MOVD $128, R7
	CMP  R7, R5
	CSEL LT, R5, R7, R7
	SUB  R7, R5
	MOVD R10, R6
	UNITS4(START, 0, 0)
	SUBS $8, R7
	BLT  tail

column_loop:
	FMOVQ.P 16(R6), F0
	COLUMN(0)
	COLUMN(1)
	COLUMN(2)
	COLUMN(3)
	COLUMN(4)
	COLUMN(5)
	COLUMN(6)
	COLUMN(7)
	ADD  $256, R11
	ADD  $256, R12
	ADD  $256, R13
	ADD  $256, R14
	SUBS $8, R7
	BGE  column_loop

tail:
	ADDS $8, R7
	BEQ  widen

tail_loop:
	VLD1R.P 2(R6), [V0.H8]
	COLUMN(0)
	ADD  $32, R11
	ADD  $32, R12
	ADD  $32, R13
	ADD  $32, R14
	SUBS $1, R7
	BNE  tail_loop

widen:
	FMOVS 256(R10), F0
	UNITS4(WIDEN, 0, 0)
	ADD  R4, R10
	CBNZ R5, block_loop
	UNITS4(PUT, 0, 0)
	RET
