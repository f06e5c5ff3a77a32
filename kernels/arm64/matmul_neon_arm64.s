#include "textflag.h"
#include "enc_arm64.h"

// Products of Q4_0, Q8_0 and unpacked weights with activations in rowForm on processors without dot products. A register of weights
// is 4 rows × 4 columns, so the four activations stand repeated in theirs; its halves are multiplied to 16 bits: of Q4_0
// eight such products fit together (8·15·127), of Q8_0 two (2·128·127).

// One block of 16 rows × 32 columns a turn, in these registers:
//
//	R0  dst            R1  block of weights        R2  tiles left
//	R3  activations    R4  stride                  R5  blocks
//	R6  block of activations    R7  blocks left    R8  1.5·2^23
//	V0-V7    activations of 4 columns each, four times
//	V8-V11   weights    V12, V13 products    V14, V15 sums of the block for rows 0, 1 and 2, 3 of a group
//	V16-V19  products of scales    V20 scale of the activations    V21 start value
//	V22 mask 0x0f    V23 1.5·2^23    V24-V27 sums of the rows    V28-V31 low nibbles

// LOAD fetches 4 rows of the four column groups from byte at on.
#define LOAD(at, g) \
	FMOVQ (at+16*g)(R1), F8 \
	FMOVQ (at+64+16*g)(R1), F9 \
	FMOVQ (at+128+16*g)(R1), F10 \
	FMOVQ (at+192+16*g)(R1), F11

// FINISH adds the sums of neighbouring columns up and, as floats and scaled, to the sums of the rows.
#define FINISH(scale, sum) \
	VADDP V15.S4, V14.S4, V14.S4 \
	VADD  V21.S4, V14.S4, V14.S4 \
	FSUB4(23, 14, 14) \
	FMLA4(scale, 14, sum)

#define GROUPQ4(g, scale, sum) \
	LOAD(32, g) \
	AND16(22, 8, 28) \
	AND16(22, 9, 29) \
	AND16(22, 10, 30) \
	AND16(22, 11, 31) \
	USHR16(4, 8, 8) \
	USHR16(4, 9, 9) \
	USHR16(4, 10, 10) \
	USHR16(4, 11, 11) \
	SMULL8(0, 28, 14) \
	SMULLH8(0, 28, 15) \
	SMLAL8(1, 29, 14) \
	SMLALH8(1, 29, 15) \
	SMLAL8(2, 30, 14) \
	SMLALH8(2, 30, 15) \
	SMLAL8(3, 31, 14) \
	SMLALH8(3, 31, 15) \
	SMLAL8(4, 8, 14) \
	SMLALH8(4, 8, 15) \
	SMLAL8(5, 9, 14) \
	SMLALH8(5, 9, 15) \
	SMLAL8(6, 10, 14) \
	SMLALH8(6, 10, 15) \
	SMLAL8(7, 11, 14) \
	SMLALH8(7, 11, 15) \
	SADDLP4(14, 14) \
	SADDLP4(15, 15) \
	FINISH(scale, sum)

#define GROUPBYTES(at, g, scale, sum) \
	LOAD(at, g) \
	SMULL8(0, 8, 14) \
	SMULLH8(0, 8, 15) \
	SMLAL8(1, 9, 14) \
	SMLALH8(1, 9, 15) \
	SADDLP4(14, 14) \
	SADDLP4(15, 15) \
	SMULL8(2, 10, 12) \
	SMULLH8(2, 10, 13) \
	SMLAL8(3, 11, 12) \
	SMLALH8(3, 11, 13) \
	SADALP4(12, 14) \
	SADALP4(13, 15) \
	LOAD(at+256, g) \
	SMULL8(4, 8, 12) \
	SMULLH8(4, 8, 13) \
	SMLAL8(5, 9, 12) \
	SMLALH8(5, 9, 13) \
	SADALP4(12, 14) \
	SADALP4(13, 15) \
	SMULL8(6, 10, 12) \
	SMULLH8(6, 10, 13) \
	SMLAL8(7, 11, 12) \
	SMLALH8(7, 11, 13) \
	SADALP4(12, 14) \
	SADALP4(13, 15) \
	FINISH(scale, sum)

#define GROUPQ8(g, scale, sum) GROUPBYTES(32, g, scale, sum)
#define GROUPUNPACKED(g, scale, sum) GROUPBYTES(64, g, scale, sum)
#define GROUPMINIMA(g, scale, sum) GROUPBYTES(128, g, scale, sum)

// SPREAD repeats the activations of the block, V8 and V9.
#define SPREAD \
	VDUP V8.S[0], V0.S4 \
	VDUP V8.S[1], V1.S4 \
	VDUP V8.S[2], V2.S4 \
	VDUP V8.S[3], V3.S4 \
	VDUP V9.S[0], V4.S4 \
	VDUP V9.S[1], V5.S4 \
	VDUP V9.S[2], V6.S4 \
	VDUP V9.S[3], V7.S4

// SCALE multiplies the 16 scales of the weights with that of the activations.
#define SCALE \
	FLDPQ (R1), (F17, F19) \
	FCVTL4(17, 16) \
	FCVTLH4(17, 17) \
	FCVTL4(19, 18) \
	FCVTLH4(19, 19) \
	FMULE(20, 0, 16, 16) \
	FMULE(20, 0, 17, 17) \
	FMULE(20, 0, 18, 18) \
	FMULE(20, 0, 19, 19)

// SCALE32 is SCALE for scales that are float32.
#define SCALE32 \
	FLDPQ (R1), (F16, F17) \
	FLDPQ 32(R1), (F18, F19) \
	FMULE(20, 0, 16, 16) \
	FMULE(20, 0, 17, 17) \
	FMULE(20, 0, 18, 18) \
	FMULE(20, 0, 19, 19)

// SCALEMINIMA is SCALE32, and subtracts minima times the sum of the activations, which stands behind their scale.
#define SCALEMINIMA \
	FLDPQ 64(R1), (F16, F17) \
	FLDPQ 96(R1), (F18, F19) \
	FMLSE(20, 1, 16, 24) \
	FMLSE(20, 1, 17, 25) \
	FMLSE(20, 1, 18, 26) \
	FMLSE(20, 1, 19, 27) \
	SCALE32

// GEMV is the body of a product: START is where the start value stands, bytes the size of a block of weights.
#define GEMV(START, SCALE, GROUP, bytes) \
	MOVD  dst+0(FP), R0 \
	MOVD  w+8(FP), R1 \
	MOVD  tiles+16(FP), R2 \
	MOVD  q+24(FP), R3 \
	MOVD  stride+32(FP), R4 \
	MOVD  blocks+40(FP), R5 \
	MOVD  $·start(SB), R8 \
	FMOVQ (R8), F23 \
	VMOVI $0x0f, V22.B16 \
tile_loop: \
	MOVD R3, R6 \
	MOVD R5, R7 \
	ZERO(24) \
	ZERO(25) \
	ZERO(26) \
	ZERO(27) \
block_loop: \
	FLDPQ (R6), (F8, F9) \
	FMOVQ START, F21 \
	FMOVD 48(R6), F20 \
	ADD   R4, R6 \
	SPREAD \
	SCALE \
	GROUP(0, 16, 24) \
	GROUP(1, 17, 25) \
	GROUP(2, 18, 26) \
	GROUP(3, 19, 27) \
	ADD  $bytes, R1 \
	SUBS $1, R7 \
	BNE  block_loop \
	FSTPQ.P (F24, F25), 32(R0) \
	FSTPQ.P (F26, F27), 32(R0) \
	SUBS $1, R2 \
	BNE  tile_loop \
	RET

// func gemvQ4Neon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
TEXT ·gemvQ4Neon(SB), NOSPLIT, $0-48
	GEMV(32(R6), SCALE, GROUPQ4, 288)

// func gemvQ8Neon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
TEXT ·gemvQ8Neon(SB), NOSPLIT, $0-48
	GEMV((R8), SCALE, GROUPQ8, 544)

// func gemvUnpackedNeon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
TEXT ·gemvUnpackedNeon(SB), NOSPLIT, $0-48
	GEMV((R8), SCALE32, GROUPUNPACKED, 576)

// func gemvMinimaNeon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
TEXT ·gemvMinimaNeon(SB), NOSPLIT, $0-48
	GEMV((R8), SCALEMINIMA, GROUPMINIMA, 640)
