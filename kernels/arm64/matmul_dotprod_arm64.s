#include "textflag.h"
#include "enc_arm64.h"

// Products of Q4_0, Q8_0 and unpacked weights with activations in rowForm. A register of weights is 4 rows × 4 columns: of Q8_0
// columns 4j..4j+3 of the block; of Q4_0 the same in the low and columns 16+4j..16+4j+3 in the high halves of the bytes.

// SCALE multiplies the 16 scales of the weights at R1 with that of the activations, V18, to V0-V3.
#define SCALE \
	FLDPQ (R1), (F19, F4) \
	FCVTL4(19, 0) \
	FCVTLH4(19, 1) \
	FCVTL4(4, 2) \
	FCVTLH4(4, 3) \
	FMULE(18, 0, 0, 0) \
	FMULE(18, 0, 1, 1) \
	FMULE(18, 0, 2, 2) \
	FMULE(18, 0, 3, 3)

// SCALE32 is SCALE for scales that are float32.
#define SCALE32 \
	FLDPQ (R1), (F0, F1) \
	FLDPQ 32(R1), (F2, F3) \
	FMULE(18, 0, 0, 0) \
	FMULE(18, 0, 1, 1) \
	FMULE(18, 0, 2, 2) \
	FMULE(18, 0, 3, 3)

// SCALEMINIMA is SCALE32, and subtracts minima times the sum of the activations, which stands behind their scale.
#define SCALEMINIMA \
	FLDPQ 64(R1), (F4, F5) \
	FLDPQ 96(R1), (F6, F7) \
	SCALE32 \
	FMLSE(18, 1, 4, 24) \
	FMLSE(18, 1, 5, 25) \
	FMLSE(18, 1, 6, 26) \
	FMLSE(18, 1, 7, 27)

// ADDUP reads the block's sums as floats and adds them, scaled, to the sums of the rows.
#define ADDUP \
	FSUB4(29, 20, 20) \
	FSUB4(29, 21, 21) \
	FSUB4(29, 22, 22) \
	FSUB4(29, 23, 23) \
	FMLA4(0, 20, 24) \
	FMLA4(1, 21, 25) \
	FMLA4(2, 22, 26) \
	FMLA4(3, 23, 27)

// GEMV is the body of a product with one row; BLOCK computes one block, of which the weights take bytes, and SCALE their scales.
#define GEMV(BLOCK, SCALE, bytes) \
	MOVD  dst+0(FP), R0 \
	MOVD  w+8(FP), R1 \
	MOVD  tiles+16(FP), R2 \
	MOVD  q+24(FP), R3 \
	MOVD  stride+32(FP), R4 \
	MOVD  blocks+40(FP), R5 \
	MOVD  $·start(SB), R8 \
	FMOVQ (R8), F29 \
	VMOVI $0x0f, V28.B16 \
tile_loop: \
	MOVD R3, R6 \
	MOVD R5, R7 \
	ZERO(24) \
	ZERO(25) \
	ZERO(26) \
	ZERO(27) \
block_loop: \
	BLOCK \
	SCALE \
	ADD  $bytes, R1 \
	ADD  R4, R6 \
	ADDUP \
	SUBS $1, R7 \
	BNE  block_loop \
	FSTPQ.P (F24, F25), 32(R0) \
	FSTPQ.P (F26, F27), 32(R0) \
	SUBS $1, R2 \
	BNE  tile_loop \
	RET

// The products with one row, of one block of 16 rows × 32 columns a turn, have these registers:
//
//	R0  dst            R1  block of weights        R2  tiles left
//	R3  activations    R4  stride                  R5  blocks
//	R6  block of activations    R7  blocks left    R8  1.5·2^23
//	V0-V15   weights; then V0-V3 products of scales
//	V16, V17 activations    V18 their scale    V19 scales of the weights
//	V20-V23  sums of the block    V24-V27 sums of the rows
//	V28 mask 0x0f    V29 1.5·2^23

// STEP unpacks the 16 rows of column group j, V(a), V(b), V(c), V(d), to V(e) … V(h), the low nibbles, and themselves, the
// high ones, and adds the products. Steps that do not wait for one another stand together, for processors that run
// instructions in order.
#define STEP(j, a, b, c, d, e, f, g, h) \
	AND16(28, a, e) \
	AND16(28, b, f) \
	AND16(28, c, g) \
	AND16(28, d, h) \
	USHR16(4, a, a) \
	USHR16(4, b, b) \
	USHR16(4, c, c) \
	USHR16(4, d, d) \
	SDOTE(16, j, e, 20) \
	SDOTE(16, j, f, 21) \
	SDOTE(16, j, g, 22) \
	SDOTE(16, j, h, 23) \
	SDOTE(17, j, a, 20) \
	SDOTE(17, j, b, 21) \
	SDOTE(17, j, c, 22) \
	SDOTE(17, j, d, 23)

#define BLOCKQ4 \
	FLDPQ (R6), (F16, F17) \
	FMOVQ 32(R6), F20 \
	FMOVQ 32(R6), F21 \
	FMOVQ 32(R6), F22 \
	FMOVQ 32(R6), F23 \
	FMOVS 48(R6), F18 \
	FLDPQ 32(R1), (F0, F1) \
	FLDPQ 64(R1), (F2, F3) \
	STEP(0, 0, 1, 2, 3, 4, 5, 6, 7) \
	FLDPQ 96(R1), (F8, F9) \
	FLDPQ 128(R1), (F10, F11) \
	STEP(1, 8, 9, 10, 11, 12, 13, 14, 15) \
	FLDPQ 160(R1), (F0, F1) \
	FLDPQ 192(R1), (F2, F3) \
	STEP(2, 0, 1, 2, 3, 4, 5, 6, 7) \
	FLDPQ 224(R1), (F8, F9) \
	FLDPQ 256(R1), (F10, F11) \
	STEP(3, 8, 9, 10, 11, 12, 13, 14, 15)

// BLOCKBYTES(at) is for bytes that begin at byte at of a block.
#define BLOCKBYTES(at) \
	FLDPQ (R6), (F16, F17) \
	FMOVQ (R8), F20 \
	FMOVQ (R8), F21 \
	FMOVQ (R8), F22 \
	FMOVQ (R8), F23 \
	FMOVD 48(R6), F18 \
	FLDPQ at(R1), (F0, F1) \
	FLDPQ (at+32)(R1), (F2, F3) \
	SDOTE(16, 0, 0, 20) \
	SDOTE(16, 0, 1, 21) \
	SDOTE(16, 0, 2, 22) \
	SDOTE(16, 0, 3, 23) \
	FLDPQ (at+64)(R1), (F4, F5) \
	FLDPQ (at+96)(R1), (F6, F7) \
	SDOTE(16, 1, 4, 20) \
	SDOTE(16, 1, 5, 21) \
	SDOTE(16, 1, 6, 22) \
	SDOTE(16, 1, 7, 23) \
	FLDPQ (at+128)(R1), (F8, F9) \
	FLDPQ (at+160)(R1), (F10, F11) \
	SDOTE(16, 2, 8, 20) \
	SDOTE(16, 2, 9, 21) \
	SDOTE(16, 2, 10, 22) \
	SDOTE(16, 2, 11, 23) \
	FLDPQ (at+192)(R1), (F12, F13) \
	FLDPQ (at+224)(R1), (F14, F15) \
	SDOTE(16, 3, 12, 20) \
	SDOTE(16, 3, 13, 21) \
	SDOTE(16, 3, 14, 22) \
	SDOTE(16, 3, 15, 23) \
	FLDPQ (at+256)(R1), (F0, F1) \
	FLDPQ (at+288)(R1), (F2, F3) \
	SDOTE(17, 0, 0, 20) \
	SDOTE(17, 0, 1, 21) \
	SDOTE(17, 0, 2, 22) \
	SDOTE(17, 0, 3, 23) \
	FLDPQ (at+320)(R1), (F4, F5) \
	FLDPQ (at+352)(R1), (F6, F7) \
	SDOTE(17, 1, 4, 20) \
	SDOTE(17, 1, 5, 21) \
	SDOTE(17, 1, 6, 22) \
	SDOTE(17, 1, 7, 23) \
	FLDPQ (at+384)(R1), (F8, F9) \
	FLDPQ (at+416)(R1), (F10, F11) \
	SDOTE(17, 2, 8, 20) \
	SDOTE(17, 2, 9, 21) \
	SDOTE(17, 2, 10, 22) \
	SDOTE(17, 2, 11, 23) \
	FLDPQ (at+448)(R1), (F12, F13) \
	FLDPQ (at+480)(R1), (F14, F15) \
	SDOTE(17, 3, 12, 20) \
	SDOTE(17, 3, 13, 21) \
	SDOTE(17, 3, 14, 22) \
	SDOTE(17, 3, 15, 23)

#define BLOCKQ8 BLOCKBYTES(32)
#define BLOCKUNPACKED BLOCKBYTES(64)
#define BLOCKMINIMA BLOCKBYTES(128)

// DOTPAIRS(at) adds to V8-V15 the products of the next eight columns with their weights, of rows in pairs, at so many bytes of the block.
#define DOTPAIRS(at) \
	VLD1R.P 8(R9), [V16.D2] \
	FLDPQ (at)(R1), (F0, F1) \
	FLDPQ (at+32)(R1), (F2, F3) \
	FLDPQ (at+64)(R1), (F4, F5) \
	FLDPQ (at+96)(R1), (F6, F7) \
	SDOT16(16, 0, 8) \
	SDOT16(16, 1, 9) \
	SDOT16(16, 2, 10) \
	SDOT16(16, 3, 11) \
	SDOT16(16, 4, 12) \
	SDOT16(16, 5, 13) \
	SDOT16(16, 6, 14) \
	SDOT16(16, 7, 15)

// BLOCKPAIRS does so with rows in pairs: V8-V15 are sums of four columns of rows 0, 0, 1, 1, then 2, 2, 3, 3, and so on.
#define BLOCKPAIRS \
	FMOVD 48(R6), F18 \
	MOVD  R6, R9 \
	ZERO(8) \
	ZERO(9) \
	ZERO(10) \
	ZERO(11) \
	ZERO(12) \
	ZERO(13) \
	ZERO(14) \
	ZERO(15) \
	DOTPAIRS(256) \
	DOTPAIRS(384) \
	DOTPAIRS(512) \
	DOTPAIRS(640) \
	ADDP4(9, 8, 20) \
	ADDP4(11, 10, 21) \
	ADDP4(13, 12, 22) \
	ADDP4(15, 14, 23) \
	ADD4(29, 20, 20) \
	ADD4(29, 21, 21) \
	ADD4(29, 22, 22) \
	ADD4(29, 23, 23)

// SCALEPAIRS is SCALEMINIMA for them.
#define SCALEPAIRS \
	FLDPQ 128(R1), (F4, F8) \
	FLDPQ 160(R1), (F5, F9) \
	FLDPQ 192(R1), (F6, F10) \
	FLDPQ 224(R1), (F7, F11) \
	UZP14(8, 4, 4) \
	UZP14(9, 5, 5) \
	UZP14(10, 6, 6) \
	UZP14(11, 7, 7) \
	FLDPQ (R1), (F0, F12) \
	FLDPQ 32(R1), (F1, F13) \
	FLDPQ 64(R1), (F2, F14) \
	FLDPQ 96(R1), (F3, F15) \
	UZP14(12, 0, 0) \
	UZP14(13, 1, 1) \
	UZP14(14, 2, 2) \
	UZP14(15, 3, 3) \
	FMULE(18, 0, 0, 0) \
	FMULE(18, 0, 1, 1) \
	FMULE(18, 0, 2, 2) \
	FMULE(18, 0, 3, 3) \
	FMLSE(18, 1, 4, 24) \
	FMLSE(18, 1, 5, 25) \
	FMLSE(18, 1, 6, 26) \
	FMLSE(18, 1, 7, 27)

// The products with several rows, of one block of 4 rows × 32 columns a turn, have these:
//
//	R0  dst of 4 rows of weights      R1  bytes from row to row of dst     R2  weights, 16 B of each 64
//	R3  activations                   R4  stride less the rows of a turn   R5  blocks
//	R6  activations of the block      R7  blocks left                      R8  1.5·2^23
//	R9  scales of the weights         R10 row of dst                       R11 weights of the block
//	R12 scales of the first block     R13 row groups left
//	V0-V7    weights, by column group
//	V8       their scales
//	V9, V10  activations    V11 sums of the block    V12 their scale    V13 1.5·2^23    V14 product of scales
//	V15      mask 0x0f, or minima      V16-V31 sums of the rows, one register for each row of activations

// UNPACKQ4, UNPACKQ8, LOADUNPACKED and LOADMINIMA make one block of 4 rows of weights ready.
#define UNPACKQ4 \
	FMOVD (R9), F8 \
	FMOVQ (R11), F0 \
	FMOVQ 64(R11), F1 \
	FMOVQ 128(R11), F2 \
	FMOVQ 192(R11), F3 \
	ADD   $288, R9 \
	ADD   $288, R11 \
	FCVTL4(8, 8) \
	VUSHR $4, V0.B16, V4.B16 \
	VUSHR $4, V1.B16, V5.B16 \
	VUSHR $4, V2.B16, V6.B16 \
	VUSHR $4, V3.B16, V7.B16 \
	VAND  V15.B16, V0.B16, V0.B16 \
	VAND  V15.B16, V1.B16, V1.B16 \
	VAND  V15.B16, V2.B16, V2.B16 \
	VAND  V15.B16, V3.B16, V3.B16

#define UNPACKQ8 \
	FMOVD (R9), F8 \
	FMOVQ (R11), F0 \
	FMOVQ 64(R11), F1 \
	FMOVQ 128(R11), F2 \
	FMOVQ 192(R11), F3 \
	FMOVQ 256(R11), F4 \
	FMOVQ 320(R11), F5 \
	FMOVQ 384(R11), F6 \
	FMOVQ 448(R11), F7 \
	ADD   $544, R9 \
	ADD   $544, R11 \
	FCVTL4(8, 8)

#define LOADUNPACKED \
	FMOVQ (R9), F8 \
	FMOVQ (R11), F0 \
	FMOVQ 64(R11), F1 \
	FMOVQ 128(R11), F2 \
	FMOVQ 192(R11), F3 \
	FMOVQ 256(R11), F4 \
	FMOVQ 320(R11), F5 \
	FMOVQ 384(R11), F6 \
	FMOVQ 448(R11), F7 \
	ADD   $576, R9 \
	ADD   $576, R11

#define LOADMINIMA \
	FMOVQ (R9), F8 \
	FMOVQ 64(R9), F15 \
	FMOVQ (R11), F0 \
	FMOVQ 64(R11), F1 \
	FMOVQ 128(R11), F2 \
	FMOVQ 192(R11), F3 \
	FMOVQ 256(R11), F4 \
	FMOVQ 320(R11), F5 \
	FMOVQ 384(R11), F6 \
	FMOVQ 448(R11), F7 \
	ADD   $640, R9 \
	ADD   $640, R11

// ROWQ4(acc), ROWQ8(acc) and ROWMINIMA(acc) add the block's products with the next row of activations to V(acc).
#define ROWQ4(acc) \
	FLDPQ   32(R6), (F11, F12) \
	ROW(acc)

#define ROWQ8(acc) \
	FMOVQ   (R8), F11 \
	FMOVQ   48(R6), F12 \
	ROW(acc)

#define ROWMINIMA(acc) \
	FMOVQ   (R8), F11 \
	FMOVQ   48(R6), F12 \
	FMLSE(12, 1, 15, acc) \
	ROW(acc)

#define ROW(acc) \
	FLDPQ.P 64(R6), (F9, F10) \
	SDOTE(9, 0, 0, 11) \
	SDOTE(9, 1, 1, 11) \
	SDOTE(9, 2, 2, 11) \
	SDOTE(9, 3, 3, 11) \
	SDOTE(10, 0, 4, 11) \
	SDOTE(10, 1, 5, 11) \
	SDOTE(10, 2, 6, 11) \
	SDOTE(10, 3, 7, 11) \
	FMULE(12, 0, 8, 14) \
	FSUB4(13, 11, 11) \
	FMLA4(14, 11, acc)

// STORE writes one row of dst.
#define STORE(acc) \
	STQ(10, acc) \
	ADD   R1, R10

// ROWS4(OP) is OP for the first four rows, and so on.
#define ROWS4(OP) OP(16) \
	OP(17) \
	OP(18) \
	OP(19)
#define ROWS8(OP) ROWS4(OP) \
	OP(20) \
	OP(21) \
	OP(22) \
	OP(23)
#define ROWS16(OP) ROWS8(OP) \
	OP(24) \
	OP(25) \
	OP(26) \
	OP(27) \
	OP(28) \
	OP(29) \
	OP(30) \
	OP(31)

// GEMM is the body for the rows of ROWS, whose activations take bytes a block. A scale of weights takes scale bytes,
// and what comes before the weights of a block, header bytes.
#define GEMM(ROWS, bytes, header, scale, UNPACK, PRODUCTS) \
	MOVD  dst+0(FP), R0 \
	MOVD  ldd+8(FP), R1 \
	MOVD  w+16(FP), R12 \
	MOVD  q+24(FP), R3 \
	MOVD  stride+32(FP), R4 \
	MOVD  blocks+40(FP), R5 \
	LSL   $2, R1 \
	SUB   $bytes, R4 \
	ADD   $header, R12, R2 \
	MOVD  $4, R13 \
	VMOVI $0x0f, V15.B16 \
	MOVD  $·start(SB), R8 \
	FMOVQ (R8), F13 \
group_loop: \
	MOVD  R3, R6 \
	MOVD  R5, R7 \
	MOVD  R12, R9 \
	MOVD  R2, R11 \
	ROWS(ZERO) \
block_loop: \
	UNPACK \
	ROWS(PRODUCTS) \
	ADD   R4, R6 \
	SUBS  $1, R7 \
	BNE   block_loop \
	MOVD  R0, R10 \
	ROWS(STORE) \
	ADD   $16, R0 \
	ADD   $16, R2 \
	ADD   $(4*scale), R12 \
	SUBS  $1, R13 \
	BNE   group_loop \
	RET

// func gemvQ4Dotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
TEXT ·gemvQ4Dotprod(SB), NOSPLIT, $0-48
	GEMV(BLOCKQ4, SCALE, 288)

// func gemvQ8Dotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
TEXT ·gemvQ8Dotprod(SB), NOSPLIT, $0-48
	GEMV(BLOCKQ8, SCALE, 544)

// func gemmQ4Dotprod16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ4Dotprod16(SB), NOSPLIT, $0-48
	GEMM(ROWS16, 1024, 32, 2, UNPACKQ4, ROWQ4)

// func gemmQ4Dotprod8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ4Dotprod8(SB), NOSPLIT, $0-48
	GEMM(ROWS8, 512, 32, 2, UNPACKQ4, ROWQ4)

// func gemmQ4Dotprod4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ4Dotprod4(SB), NOSPLIT, $0-48
	GEMM(ROWS4, 256, 32, 2, UNPACKQ4, ROWQ4)

// func gemmQ8Dotprod16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ8Dotprod16(SB), NOSPLIT, $0-48
	GEMM(ROWS16, 1024, 32, 2, UNPACKQ8, ROWQ8)

// func gemmQ8Dotprod8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ8Dotprod8(SB), NOSPLIT, $0-48
	GEMM(ROWS8, 512, 32, 2, UNPACKQ8, ROWQ8)

// func gemmQ8Dotprod4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmQ8Dotprod4(SB), NOSPLIT, $0-48
	GEMM(ROWS4, 256, 32, 2, UNPACKQ8, ROWQ8)

// func gemvUnpackedDotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
TEXT ·gemvUnpackedDotprod(SB), NOSPLIT, $0-48
	GEMV(BLOCKUNPACKED, SCALE32, 576)

// func gemmUnpackedDotprod16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmUnpackedDotprod16(SB), NOSPLIT, $0-48
	GEMM(ROWS16, 1024, 64, 4, LOADUNPACKED, ROWQ8)

// func gemmUnpackedDotprod8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmUnpackedDotprod8(SB), NOSPLIT, $0-48
	GEMM(ROWS8, 512, 64, 4, LOADUNPACKED, ROWQ8)

// func gemmUnpackedDotprod4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmUnpackedDotprod4(SB), NOSPLIT, $0-48
	GEMM(ROWS4, 256, 64, 4, LOADUNPACKED, ROWQ8)

// func gemvMinimaDotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
TEXT ·gemvMinimaDotprod(SB), NOSPLIT, $0-48
	GEMV(BLOCKMINIMA, SCALEMINIMA, 640)

// func gemvPairsDotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
TEXT ·gemvPairsDotprod(SB), NOSPLIT, $0-48
	GEMV(BLOCKPAIRS, SCALEPAIRS, 768)

// func gemmMinimaDotprod16(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmMinimaDotprod16(SB), NOSPLIT, $0-48
	GEMM(ROWS16, 1024, 128, 4, LOADMINIMA, ROWMINIMA)

// func gemmMinimaDotprod8(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmMinimaDotprod8(SB), NOSPLIT, $0-48
	GEMM(ROWS8, 512, 128, 4, LOADMINIMA, ROWMINIMA)

// func gemmMinimaDotprod4(dst *float32, ldd int, w *byte, q *byte, stride, blocks int)
TEXT ·gemmMinimaDotprod4(SB), NOSPLIT, $0-48
	GEMM(ROWS4, 256, 128, 4, LOADMINIMA, ROWMINIMA)
