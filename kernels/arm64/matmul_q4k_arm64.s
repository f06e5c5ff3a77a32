#include "textflag.h"
#include "enc_arm64.h"
#include "scales_q4k_arm64.h"

// Products of Q4_K weights with activations in wideForm. The scales of the weights are multiplied in integers; the
// sums of 64 columns become floats and are multiplied with the scale of the activations, those of 256 with d (and dmin).

// For each group of 4 of 16 rows, TBL with these makes 32-bit lanes of its bytes. Behind them, a mask.
DATA widen<>+0(SB)/8, $0xffffff01ffffff00
DATA widen<>+8(SB)/8, $0xffffff03ffffff02
DATA widen<>+16(SB)/8, $0xffffff05ffffff04
DATA widen<>+24(SB)/8, $0xffffff07ffffff06
DATA widen<>+32(SB)/8, $0xffffff09ffffff08
DATA widen<>+40(SB)/8, $0xffffff0bffffff0a
DATA widen<>+48(SB)/8, $0xffffff0dffffff0c
DATA widen<>+56(SB)/8, $0xffffff0fffffff0e
DATA widen<>+64(SB)/8, $0x3f3f3f3f3f3f3f3f
DATA widen<>+72(SB)/8, $0x3f3f3f3f3f3f3f3f
GLOBL widen<>(SB), RODATA|NOPTR, $80

// STEP multiplies 16 rows of column group j, V0-V3, unpacked to V4-V7 (low nibbles) and themselves (high), with lanes j of
// V(lo), to V20-V23, and of V(hi), to V24-V27.
#define STEP(j, lo, hi) \
	AND16(14, 0, 4) \
	AND16(14, 1, 5) \
	AND16(14, 2, 6) \
	AND16(14, 3, 7) \
	USHR16(4, 0, 0) \
	USHR16(4, 1, 1) \
	USHR16(4, 2, 2) \
	USHR16(4, 3, 3) \
	SDOTE(lo, j, 4, 20) \
	SDOTE(lo, j, 5, 21) \
	SDOTE(lo, j, 6, 22) \
	SDOTE(lo, j, 7, 23) \
	SDOTE(hi, j, 0, 24) \
	SDOTE(hi, j, 1, 25) \
	SDOTE(hi, j, 2, 26) \
	SDOTE(hi, j, 3, 27)

// SCALED multiplies a group's sums with its scales, which TBL with V(widen) makes of V12 and V13, and adds them, as floats
// times the scale of the activations, to V(acc).
#define SCALED(widen, lo, hi, acc) \
	TBL16(widen, 12, 0) \
	TBL16(widen, 13, 1) \
	MUL4(0, lo, 2) \
	MLA4(1, hi, 2) \
	SCVTF4(2, 2) \
	FMLAE(15, 0, 2, acc)

// DOTSDOTPROD, DOTSUNPACKED and DOTSNEON make the sums of 64 columns: of the sub-block of low nibbles in V20-V23, of high ones in V24-V27.
#define DOTSDOTPROD \
	FLDPQ (R6), (F16, F17) \
	FLDPQ 32(R6), (F18, F19) \
	FLDPQ 16(R8), (F20, F21) \
	FLDPQ 16(R8), (F22, F23) \
	FLDPQ 16(R8), (F24, F25) \
	FLDPQ 16(R8), (F26, F27) \
	FLDPQ 0(R1), (F0, F1) \
	FLDPQ 32(R1), (F2, F3) \
	STEP(0, 16, 18) \
	FLDPQ 64(R1), (F0, F1) \
	FLDPQ 96(R1), (F2, F3) \
	STEP(1, 16, 18) \
	FLDPQ 128(R1), (F0, F1) \
	FLDPQ 160(R1), (F2, F3) \
	STEP(2, 16, 18) \
	FLDPQ 192(R1), (F0, F1) \
	FLDPQ 224(R1), (F2, F3) \
	STEP(3, 16, 18) \
	FLDPQ 256(R1), (F0, F1) \
	FLDPQ 288(R1), (F2, F3) \
	STEP(0, 17, 19) \
	FLDPQ 320(R1), (F0, F1) \
	FLDPQ 352(R1), (F2, F3) \
	STEP(1, 17, 19) \
	FLDPQ 384(R1), (F0, F1) \
	FLDPQ 416(R1), (F2, F3) \
	STEP(2, 17, 19) \
	FLDPQ 448(R1), (F0, F1) \
	FLDPQ 480(R1), (F2, F3) \
	STEP(3, 17, 19) \
	ADD   $512, R1

// UNPACK takes 16 rows of column group j at R1 apart: to R9 the low nibbles, 512 bytes behind them the high ones.
#define UNPACK(j) \
	FLDPQ (64*j)(R1), (F0, F1) \
	FLDPQ (64*j+32)(R1), (F2, F3) \
	VAND  V14.B16, V0.B16, V4.B16 \
	VAND  V14.B16, V1.B16, V5.B16 \
	VAND  V14.B16, V2.B16, V6.B16 \
	VAND  V14.B16, V3.B16, V7.B16 \
	VUSHR $4, V0.B16, V0.B16 \
	VUSHR $4, V1.B16, V1.B16 \
	VUSHR $4, V2.B16, V2.B16 \
	VUSHR $4, V3.B16, V3.B16 \
	FSTPQ (F4, F5), (64*j)(R9) \
	FSTPQ (F6, F7), (64*j+32)(R9) \
	FSTPQ (F0, F1), (512+64*j)(R9) \
	FSTPQ (F2, F3), (544+64*j)(R9)

// STEPUNPACKED is STEP for weights that are unpacked already.
#define STEPUNPACKED(j, off, lo, hi) \
	FLDPQ (off)(R1), (F0, F1) \
	FLDPQ (off+32)(R1), (F2, F3) \
	FLDPQ (off+512)(R1), (F4, F5) \
	FLDPQ (off+544)(R1), (F6, F7) \
	SDOTE(lo, j, 0, 20) \
	SDOTE(lo, j, 1, 21) \
	SDOTE(lo, j, 2, 22) \
	SDOTE(lo, j, 3, 23) \
	SDOTE(hi, j, 4, 24) \
	SDOTE(hi, j, 5, 25) \
	SDOTE(hi, j, 6, 26) \
	SDOTE(hi, j, 7, 27)

// DOTSUNPACKED is DOTSDOTPROD for unpacked weights.
#define DOTSUNPACKED \
	FLDPQ (R6), (F16, F17) \
	FLDPQ 32(R6), (F18, F19) \
	FLDPQ 16(R8), (F20, F21) \
	FLDPQ 16(R8), (F22, F23) \
	FLDPQ 16(R8), (F24, F25) \
	FLDPQ 16(R8), (F26, F27) \
	STEPUNPACKED(0, 0, 16, 18) \
	STEPUNPACKED(1, 64, 16, 18) \
	STEPUNPACKED(2, 128, 16, 18) \
	STEPUNPACKED(3, 192, 16, 18) \
	STEPUNPACKED(0, 256, 17, 19) \
	STEPUNPACKED(1, 320, 17, 19) \
	STEPUNPACKED(2, 384, 17, 19) \
	STEPUNPACKED(3, 448, 17, 19) \
	ADD   $1024, R1

// STEPNEON multiplies 4 rows of one column group, with MUL and MULH in the lower and upper halves, by the activations at R9
// (low nibbles) and R10, to V16, V17 and V18, V19 in 16 bits: eight products of 15·127 fit together.
#define STEPNEON(MUL, MULH, off) \
	FMOVQ (off)(R1), F0 \
	VLD1R.P 4(R9), [V1.S4] \
	VLD1R.P 4(R10), [V2.S4] \
	AND16(14, 0, 3) \
	USHR16(4, 0, 0) \
	MUL(1, 3, 16) \
	MULH(1, 3, 17) \
	MUL(2, 0, 18) \
	MULH(2, 0, 19)

#define GROUPNEON(g, lo, hi) \
	MOVD R6, R9 \
	ADD  $32, R6, R10 \
	STEPNEON(SMULL8, SMULLH8, (16*g)) \
	STEPNEON(SMLAL8, SMLALH8, (64+16*g)) \
	STEPNEON(SMLAL8, SMLALH8, (128+16*g)) \
	STEPNEON(SMLAL8, SMLALH8, (192+16*g)) \
	STEPNEON(SMLAL8, SMLALH8, (256+16*g)) \
	STEPNEON(SMLAL8, SMLALH8, (320+16*g)) \
	STEPNEON(SMLAL8, SMLALH8, (384+16*g)) \
	STEPNEON(SMLAL8, SMLALH8, (448+16*g)) \
	SADDLP4(16, 16) \
	SADDLP4(17, 17) \
	SADDLP4(18, 18) \
	SADDLP4(19, 19) \
	ADDP4(17, 16, lo) \
	ADDP4(19, 18, hi)

#define DOTSNEON \
	GROUPNEON(0, 20, 24) \
	GROUPNEON(1, 21, 25) \
	GROUPNEON(2, 22, 26) \
	GROUPNEON(3, 23, 27) \
	ADD $512, R1

// CHUNK multiplies 64 columns: the sub-blocks of the low and of the high nibbles.
#define CHUNK(DOTS, SCALES, c) \
	DOTS \
	FMOVQ 128(R6), F15 \
	ADD   R4, R6 \
	FLDPQ (R12), (F16, F17) \
	FLDPQ 32(R12), (F18, F19) \
	SCALES(c) \
	SCALED(16, 20, 24, 28) \
	SCALED(17, 21, 25, 29) \
	SCALED(18, 22, 26, 30) \
	SCALED(19, 23, 27, 31) \
	MINIMA

// MINIMA multiplies the minima with the sums of the activations and adds them, as floats times the scale of the
// activations, to V8-V11.
#define MINIMA \
	VUXTL2 V4.B16, V5.H8 \
	VUXTL  V4.B8, V4.H8 \
	VUXTL2 V6.B16, V7.H8 \
	VUXTL  V6.B8, V6.H8 \
	FMOVQ  (R8), F0 \
	FMOVQ  (R8), F1 \
	FMOVQ  (R8), F2 \
	FMOVQ  (R8), F3 \
	FMOVQ  (R8), F12 \
	SMLALE4(15, 2, 4, 0) \
	SMLALEH4(15, 2, 4, 1) \
	SMLALE4(15, 2, 5, 2) \
	SMLALEH4(15, 2, 5, 3) \
	SMLALE4(15, 3, 6, 0) \
	SMLALEH4(15, 3, 6, 1) \
	SMLALE4(15, 3, 7, 2) \
	SMLALEH4(15, 3, 7, 3) \
	FSUB4(12, 0, 0) \
	FSUB4(12, 1, 1) \
	FSUB4(12, 2, 2) \
	FSUB4(12, 3, 3) \
	FMLAE(15, 0, 0, 8) \
	FMLAE(15, 0, 1, 9) \
	FMLAE(15, 0, 2, 10) \
	FMLAE(15, 0, 3, 11)

// BLOCK multiplies 16 rows × 256 columns, in four chunks of 64. At the end, the block's sums times d, less those of the
// minima times dmin, are added to dst, which serves as the sums of the rows.
//
//	R0  dst            R1  weights of the chunk    R2  tiles left
//	R3  activations    R4  stride                  R5  blocks
//	R6  activations of the chunk    R7  blocks left    R8  start    R9, R10 activations of low and high nibbles
//	R11 block of weights            R12 widen<>
//	V0-V7    weights and their low nibbles, then temporary
//	V8-V11   sums of the block's minima    V12, V13 scales of the chunk    V14 mask 0x0f
//	V15      scale of the activations; sums of their two halves as elements 2 and 3 of H
//	V16-V19  activations    V20-V27 sums of the chunk    V28-V31 sums of the block
#define BLOCK(DOTS) \
	FLDPQ 16(R8), (F8, F9) \
	FLDPQ 16(R8), (F10, F11) \
	FLDPQ 16(R8), (F28, F29) \
	FLDPQ 16(R8), (F30, F31) \
	CHUNK(DOTS, LOWSCALES, 0) \
	CHUNK(DOTS, LOWSCALES, 1) \
	CHUNK(DOTS, HIGHSCALES, 0) \
	CHUNK(DOTS, HIGHSCALES, 1) \
	FLDPQ (R11), (F1, F3) \
	FLDPQ 32(R11), (F5, F7) \
	FLDPQ (R0), (F16, F17) \
	FLDPQ 32(R0), (F18, F19) \
	FCVTL4(1, 0) \
	FCVTLH4(1, 1) \
	FCVTL4(3, 2) \
	FCVTLH4(3, 3) \
	FCVTL4(5, 4) \
	FCVTLH4(5, 5) \
	FCVTL4(7, 6) \
	FCVTLH4(7, 7) \
	VFMLA V28.S4, V0.S4, V16.S4 \
	VFMLA V29.S4, V1.S4, V17.S4 \
	VFMLA V30.S4, V2.S4, V18.S4 \
	VFMLA V31.S4, V3.S4, V19.S4 \
	VFMLS V8.S4, V4.S4, V16.S4 \
	VFMLS V9.S4, V5.S4, V17.S4 \
	VFMLS V10.S4, V6.S4, V18.S4 \
	VFMLS V11.S4, V7.S4, V19.S4 \
	FSTPQ (F16, F17), (R0) \
	FSTPQ (F18, F19), 32(R0)

// GEMV is the body of a product with one row.
#define GEMV(DOTS) \
	MOVD  dst+0(FP), R0 \
	MOVD  w+8(FP), R11 \
	MOVD  tiles+16(FP), R2 \
	MOVD  q+24(FP), R3 \
	MOVD  stride+32(FP), R4 \
	MOVD  blocks+40(FP), R5 \
	MOVD  $·start(SB), R8 \
	MOVD  $widen<>(SB), R12 \
	VMOVI $0x0f, V14.B16 \
tile_loop: \
	MOVD  R3, R6 \
	MOVD  R5, R7 \
	FLDPQ 16(R8), (F0, F1) \
	FSTPQ (F0, F1), (R0) \
	FSTPQ (F0, F1), 32(R0) \
block_loop: \
	ADD   $256, R11, R1 \
	BLOCK(DOTS) \
	ADD   $2304, R11 \
	SUBS  $1, R7 \
	BNE   block_loop \
	ADD   $64, R0 \
	SUBS  $1, R2 \
	BNE   tile_loop \
	RET

// func gemvQ4KDotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
TEXT ·gemvQ4KDotprod(SB), NOSPLIT, $0-48
	GEMV(DOTSDOTPROD)

// func gemvQ4KNeon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
TEXT ·gemvQ4KNeon(SB), NOSPLIT, $0-48
	GEMV(DOTSNEON)

// func gemmQ4KDotprod(dst *float32, ldd int, w *byte, q *byte, stride, blocks, rows int)
//
// As in BLOCK, but
//
//	R3  activations of the block, first row    R19 of the next row
//	R5  blocks left    R7 rows left    R9 where to unpack    R10 chunks left
//	R13 first row of dst    R14 bytes from row to row of it    R15 rows
//
// Every block is unpacked to scratch memory and then multiplied with the rows one by one.
TEXT ·gemmQ4KDotprod(SB), $4096-56
	MOVD  dst+0(FP), R13
	MOVD  ldd+8(FP), R14
	MOVD  w+16(FP), R11
	MOVD  q+24(FP), R3
	MOVD  stride+32(FP), R4
	MOVD  blocks+40(FP), R5
	MOVD  rows+48(FP), R15
	LSL   $2, R14
	MOVD  $·start(SB), R8
	MOVD  $widen<>(SB), R12
	VMOVI $0x0f, V14.B16

	MOVD  R13, R0
	MOVD  R15, R7
	FLDPQ 16(R8), (F0, F1)

zero_loop:
	FSTPQ (F0, F1), (R0)
	FSTPQ (F0, F1), 32(R0)
	ADD   R14, R0
	SUBS  $1, R7
	BNE   zero_loop

block_loop:
	ADD  $256, R11, R1
	MOVD $scratch-4096(SP), R9
	MOVD $4, R10

unpack_loop:
	UNPACK(0)
	UNPACK(1)
	UNPACK(2)
	UNPACK(3)
	UNPACK(4)
	UNPACK(5)
	UNPACK(6)
	UNPACK(7)
	ADD  $512, R1
	ADD  $1024, R9
	SUBS $1, R10
	BNE  unpack_loop

	MOVD R13, R0
	MOVD R3, R19
	MOVD R15, R7

row_loop:
	MOVD R19, R6
	ADD  $144, R19
	MOVD $scratch-4096(SP), R1
	BLOCK(DOTSUNPACKED)
	ADD  R14, R0
	SUBS $1, R7
	BNE  row_loop

	ADD  $2304, R11
	ADD  R4<<2, R3
	SUBS $1, R5
	BNE  block_loop
	RET
