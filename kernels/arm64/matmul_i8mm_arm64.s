#include "textflag.h"
#include "enc_arm64.h"

// Products of Q4_0 weights with activations in crossForm, and of Q8_0 and unpacked weights with activations in pairForm.

// STEP adds the products of the 16 rows of column group j, V(a), V(b), V(c), V(d): as they are with a1, shifted left to
// V(e) … V(h) with c0.
#define STEP(j, a, b, c, d, e, f, g, h) \
	SHL16(4, a, e) \
	SHL16(4, b, f) \
	SHL16(4, c, g) \
	SHL16(4, d, h) \
	USDOTE(17, j, a, 20) \
	USDOTE(17, j, b, 21) \
	USDOTE(17, j, c, 22) \
	USDOTE(17, j, d, 23) \
	USDOTE(16, j, e, 20) \
	USDOTE(16, j, f, 21) \
	USDOTE(16, j, g, 22) \
	USDOTE(16, j, h, 23)

// The products with several rows, of one block of 4 rows of weights × 32 columns a turn, have these registers:
//
//	R0  dst of 4 rows of weights      R1  bytes from row to row of dst     R2  weights, 16 B of each 64
//	R3  activations                   R4  stride less the rows of a turn   R5  blocks
//	R6  activations of the block      R7  blocks left                      R8  1.5·2^23
//	R9  scales of the weights         R10 row of dst                       R11 weights of the block
//	R12 scales of the first block     R13 row groups left             R14 minima of the weights
//	V0-V7    weights, 2 rows × 8 columns each: rows 0, 1 and 2, 3 of columns 0-7, then of 8-15, 16-23, 24-31
//	V8, V9   their scales, those of rows 0, 0, 1, 1 and 2, 2, 3, 3
//	V10, V11 sums of the block for rows of weights 0, 1 and 2, 3: [0a, 0b, 1a, 1b], [2a, 2b, 3a, 3b]
//	V12, V13 activations, then 1.5·2^23 and a product of scales    V14 scales a, b, a, b    V15 product of scales
//	V16-V31  sums of the rows, two registers for each pair a, b of rows of activations

// UNPACKQ4, UNPACKQ8, LOADUNPACKED and LOADPAIRS make one block of 4 rows of weights ready.
#define UNPACKQ4 \
	FMOVD (R9), F8 \
	FMOVQ (R11), F0 \
	FMOVQ 64(R11), F1 \
	FMOVQ 128(R11), F2 \
	FMOVQ 192(R11), F3 \
	ADD   $288, R9 \
	ADD   $288, R11 \
	FCVTL4(8, 8) \
	VZIP2 V8.S4, V8.S4, V9.S4 \
	VZIP1 V8.S4, V8.S4, V8.S4 \
	VZIP1 V1.S4, V0.S4, V4.S4 \
	VZIP2 V1.S4, V0.S4, V5.S4 \
	VZIP1 V3.S4, V2.S4, V6.S4 \
	VZIP2 V3.S4, V2.S4, V7.S4 \
	VSHL  $4, V4.B16, V0.B16 \
	VSHL  $4, V5.B16, V1.B16 \
	VSHL  $4, V6.B16, V2.B16 \
	VSHL  $4, V7.B16, V3.B16

#define UNPACKQ8 \
	FMOVD (R9), F8 \
	FMOVQ (R11), F10 \
	FMOVQ 64(R11), F11 \
	FMOVQ 128(R11), F12 \
	FMOVQ 192(R11), F13 \
	FCVTL4(8, 8) \
	VZIP2 V8.S4, V8.S4, V9.S4 \
	VZIP1 V8.S4, V8.S4, V8.S4 \
	VZIP1 V11.S4, V10.S4, V0.S4 \
	VZIP2 V11.S4, V10.S4, V1.S4 \
	VZIP1 V13.S4, V12.S4, V2.S4 \
	VZIP2 V13.S4, V12.S4, V3.S4 \
	FMOVQ 256(R11), F10 \
	FMOVQ 320(R11), F11 \
	FMOVQ 384(R11), F12 \
	FMOVQ 448(R11), F13 \
	ADD   $544, R9 \
	ADD   $544, R11 \
	VZIP1 V11.S4, V10.S4, V4.S4 \
	VZIP2 V11.S4, V10.S4, V5.S4 \
	VZIP1 V13.S4, V12.S4, V6.S4 \
	VZIP2 V13.S4, V12.S4, V7.S4

#define LOADUNPACKED \
	FMOVQ (R9), F8 \
	FMOVQ (R11), F10 \
	FMOVQ 64(R11), F11 \
	FMOVQ 128(R11), F12 \
	FMOVQ 192(R11), F13 \
	VZIP2 V8.S4, V8.S4, V9.S4 \
	VZIP1 V8.S4, V8.S4, V8.S4 \
	VZIP1 V11.S4, V10.S4, V0.S4 \
	VZIP2 V11.S4, V10.S4, V1.S4 \
	VZIP1 V13.S4, V12.S4, V2.S4 \
	VZIP2 V13.S4, V12.S4, V3.S4 \
	FMOVQ 256(R11), F10 \
	FMOVQ 320(R11), F11 \
	FMOVQ 384(R11), F12 \
	FMOVQ 448(R11), F13 \
	ADD   $576, R9 \
	ADD   $576, R11 \
	VZIP1 V11.S4, V10.S4, V4.S4 \
	VZIP2 V11.S4, V10.S4, V5.S4 \
	VZIP1 V13.S4, V12.S4, V6.S4 \
	VZIP2 V13.S4, V12.S4, V7.S4

// LOADPAIRS is LOADUNPACKED for rows in pairs with minima, of which it leaves those of rows 0, 0, 1, 1 and 2, 2, 3, 3 at R14.
#define LOADPAIRS \
	FLDPQ (R9), (F8, F9) \
	FLDPQ (R11), (F0, F1) \
	FLDPQ 128(R11), (F2, F3) \
	FLDPQ 256(R11), (F4, F5) \
	FLDPQ 384(R11), (F6, F7) \
	ADD   $128, R9, R14 \
	ADD   $768, R9 \
	ADD   $768, R11

// SUMS makes the block's products with the next two rows of activations, which take bytes; MMLA is SMMLA or USMMLA.
#define SUMS(MMLA, bytes) \
	FLDPQ   64(R6), (F10, F14) \
	FMOVQ   64(R6), F11 \
	FLDPQ   32(R6), (F12, F13) \
	MMLA(12, 4, 10) \
	MMLA(12, 5, 11) \
	MMLA(13, 6, 10) \
	MMLA(13, 7, 11) \
	FLDPQ.P bytes(R6), (F12, F13) \
	MMLA(12, 0, 10) \
	MMLA(12, 1, 11) \
	MMLA(13, 2, 10) \
	MMLA(13, 3, 11)

// ADDSUMS adds them to V(a), V(b).
#define ADDSUMS(a, b) \
	FMOVQ   (R8), F12 \
	FMUL4(14, 8, 15) \
	FMUL4(14, 9, 13) \
	FSUB4(12, 10, 10) \
	FSUB4(12, 11, 11) \
	FMLA4(15, 10, a) \
	FMLA4(13, 11, b)

#define PAIRQ4(a, b) SUMS(USMMLA, 96) \
	ADDSUMS(a, b)
#define PAIRQ8(a, b) SUMS(SMMLA, 112) \
	ADDSUMS(a, b)

// PAIRMINIMA is PAIRQ8, and first subtracts minima times the sums of the activations, the last 16 bytes of their block.
#define PAIRMINIMA(a, b) SUMS(SMMLA, 112) \
	FMOVQ   -16(R6), F12 \
	FLDPQ   (R14), (F13, F15) \
	FMLS4(13, 12, a) \
	FMLS4(15, 12, b) \
	ADDSUMS(a, b)

#define ZERO2(a, b) \
	ZERO(a) \
	ZERO(b)

// STORE writes two rows of dst.
#define STORE(a, b) \
	UZP14(b, a, 10) \
	UZP24(b, a, 11) \
	STQ(10, 10) \
	ADD R1, R10 \
	STQ(10, 11) \
	ADD R1, R10

// PAIRS1(OP) is OP for the first two rows, and so on.
#define PAIRS1(OP) OP(16, 17)
#define PAIRS2(OP) PAIRS1(OP) \
	OP(18, 19)
#define PAIRS4(OP) PAIRS2(OP) \
	OP(20, 21) \
	OP(22, 23)
#define PAIRS8(OP) PAIRS4(OP) \
	OP(24, 25) \
	OP(26, 27) \
	OP(28, 29) \
	OP(30, 31)

// GEMM is the body for the rows of PAIRS, whose activations take bytes a block. A scale of weights takes scale bytes, the integers begin at byte at, and four rows
// of weights are step bytes after the four before.
#define GEMM(PAIRS, bytes, scale, at, step, UNPACK, PRODUCTS) \
	MOVD  dst+0(FP), R0 \
	MOVD  ldd+8(FP), R1 \
	MOVD  w+16(FP), R12 \
	MOVD  q+24(FP), R3 \
	MOVD  stride+32(FP), R4 \
	MOVD  blocks+40(FP), R5 \
	LSL   $2, R1 \
	SUB   $bytes, R4 \
	ADD   $at, R12, R2 \
	MOVD  $4, R13 \
	MOVD  $·start(SB), R8 \
group_loop: \
	MOVD  R3, R6 \
	MOVD  R5, R7 \
	MOVD  R12, R9 \
	MOVD  R2, R11 \
	PAIRS(ZERO2) \
block_loop: \
	UNPACK \
	PAIRS(PRODUCTS) \
	ADD   R4, R6 \
	SUBS  $1, R7 \
	BNE   block_loop \
	MOVD  R0, R10 \
	PAIRS(STORE) \
	ADD   $16, R0 \
	ADD   $step, R2 \
	ADD   $(4*scale), R12 \
	SUBS  $1, R13 \
	BNE   group_loop \
	RET

// func gemvQ4I8mm(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
//
//	R0  dst            R1  block of weights        R2  tiles left
//	R3  activations    R4  stride                  R5  blocks
//	R6  block of activations    R7  blocks left    R8  1.5·2^23
//	V0-V15   weights and the same shifted; then V0-V3 products of scales
//	V16, V17 activations c0, a1    V18 their scale    V19 scales of the weights
//	V20-V23  sums of the block    V24-V27 sums of the rows    V29 1.5·2^23
//
// One block of 16 rows × 32 columns a turn.
TEXT ·gemvQ4I8mm(SB), NOSPLIT, $0-48
	MOVD  dst+0(FP), R0
	MOVD  w+8(FP), R1
	MOVD  tiles+16(FP), R2
	MOVD  q+24(FP), R3
	MOVD  stride+32(FP), R4
	MOVD  blocks+40(FP), R5
	MOVD  $·start(SB), R8
	FMOVQ (R8), F29

tile_loop:
	MOVD R3, R6
	MOVD R5, R7
	ZERO(24)
	ZERO(25)
	ZERO(26)
	ZERO(27)

block_loop:
	FLDPQ (R6), (F16, F17)
	FMOVQ 32(R6), F20
	FMOVQ 32(R6), F21
	FMOVQ 32(R6), F22
	FMOVQ 32(R6), F23
	FMOVS 48(R6), F18
	ADD   R4, R6

	FLDPQ 32(R1), (F0, F1)
	FLDPQ 64(R1), (F2, F3)
	STEP(0, 0, 1, 2, 3, 4, 5, 6, 7)

	FLDPQ 96(R1), (F8, F9)
	FLDPQ 128(R1), (F10, F11)
	STEP(1, 8, 9, 10, 11, 12, 13, 14, 15)

	FLDPQ 160(R1), (F0, F1)
	FLDPQ 192(R1), (F2, F3)
	STEP(2, 0, 1, 2, 3, 4, 5, 6, 7)

	FLDPQ 224(R1), (F8, F9)
	FLDPQ 256(R1), (F10, F11)
	STEP(3, 8, 9, 10, 11, 12, 13, 14, 15)

	// scale of weight × scale of activations
	FLDPQ (R1), (F19, F4)
	ADD   $288, R1
	FCVTL4(19, 0)
	FCVTLH4(19, 1)
	FCVTL4(4, 2)
	FCVTLH4(4, 3)
	FMULE(18, 0, 0, 0)
	FMULE(18, 0, 1, 1)
	FMULE(18, 0, 2, 2)
	FMULE(18, 0, 3, 3)

	// sums of the block as floats, to the sums of the rows
	FSUB4(29, 20, 20)
	FSUB4(29, 21, 21)
	FSUB4(29, 22, 22)
	FSUB4(29, 23, 23)
	FMLA4(0, 20, 24)
	FMLA4(1, 21, 25)
	FMLA4(2, 22, 26)
	FMLA4(3, 23, 27)

	SUBS $1, R7
	BNE  block_loop

	FSTPQ.P (F24, F25), 32(R0)
	FSTPQ.P (F26, F27), 32(R0)
	SUBS $1, R2
	BNE  tile_loop
	RET

// func gemmQ4I8mm16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ4I8mm16(SB), NOSPLIT, $0-48
	GEMM(PAIRS8, 768, 2, 32, 16, UNPACKQ4, PAIRQ4)

// func gemmQ4I8mm8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ4I8mm8(SB), NOSPLIT, $0-48
	GEMM(PAIRS4, 384, 2, 32, 16, UNPACKQ4, PAIRQ4)

// func gemmQ4I8mm4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ4I8mm4(SB), NOSPLIT, $0-48
	GEMM(PAIRS2, 192, 2, 32, 16, UNPACKQ4, PAIRQ4)

// func gemmQ4I8mm2(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ4I8mm2(SB), NOSPLIT, $0-48
	GEMM(PAIRS1, 96, 2, 32, 16, UNPACKQ4, PAIRQ4)

// func gemmQ8I8mm16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ8I8mm16(SB), NOSPLIT, $0-48
	GEMM(PAIRS8, 896, 2, 32, 16, UNPACKQ8, PAIRQ8)

// func gemmQ8I8mm8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ8I8mm8(SB), NOSPLIT, $0-48
	GEMM(PAIRS4, 448, 2, 32, 16, UNPACKQ8, PAIRQ8)

// func gemmQ8I8mm4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ8I8mm4(SB), NOSPLIT, $0-48
	GEMM(PAIRS2, 224, 2, 32, 16, UNPACKQ8, PAIRQ8)

// func gemmQ8I8mm2(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ8I8mm2(SB), NOSPLIT, $0-48
	GEMM(PAIRS1, 112, 2, 32, 16, UNPACKQ8, PAIRQ8)

// func gemmUnpackedI8mm16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmUnpackedI8mm16(SB), NOSPLIT, $0-48
	GEMM(PAIRS8, 896, 4, 64, 16, LOADUNPACKED, PAIRQ8)

// func gemmUnpackedI8mm8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmUnpackedI8mm8(SB), NOSPLIT, $0-48
	GEMM(PAIRS4, 448, 4, 64, 16, LOADUNPACKED, PAIRQ8)

// func gemmUnpackedI8mm4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmUnpackedI8mm4(SB), NOSPLIT, $0-48
	GEMM(PAIRS2, 224, 4, 64, 16, LOADUNPACKED, PAIRQ8)

// func gemmUnpackedI8mm2(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmUnpackedI8mm2(SB), NOSPLIT, $0-48
	GEMM(PAIRS1, 112, 4, 64, 16, LOADUNPACKED, PAIRQ8)

// func gemmMinimaI8mm16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmMinimaI8mm16(SB), NOSPLIT, $0-48
	GEMM(PAIRS8, 896, 8, 256, 32, LOADPAIRS, PAIRMINIMA)

// func gemmMinimaI8mm8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmMinimaI8mm8(SB), NOSPLIT, $0-48
	GEMM(PAIRS4, 448, 8, 256, 32, LOADPAIRS, PAIRMINIMA)

// func gemmMinimaI8mm4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmMinimaI8mm4(SB), NOSPLIT, $0-48
	GEMM(PAIRS2, 224, 8, 256, 32, LOADPAIRS, PAIRMINIMA)

// func gemmMinimaI8mm2(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmMinimaI8mm2(SB), NOSPLIT, $0-48
	GEMM(PAIRS1, 112, 8, 256, 32, LOADPAIRS, PAIRMINIMA)
