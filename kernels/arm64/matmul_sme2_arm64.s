#include "textflag.h"
#include "enc_arm64.h"
#include "enc_sme2_arm64.h"

// Products of Q4_0 weights with activations in outerCrossForm, and of Q8_0 weights with activations in outerForm, by outer
// products: the same integers and the same operations on floats as in matmul_i8mm_arm64.s.
//
// A vector has L = 4, 8 or 16 lanes. A unit is L rows of weights; two units, A and B, are multiplied with L rows of
// activations at a time. Rows of a tile of ZA are rows of weights, columns are rows of activations:
//
//	ZA0, ZA2  the integer sums of a block for A, B, then the products of their scales
//	ZA1, ZA3  the sums of A, B
//
//	R0  dst                        R1  bytes from row to row of dst    R2  weights
//	R3  rows of weights            R4  activations                     R5  blocks
//	R6  rows of activations        R7  L                               R8, R9 0, 8: rows of ZA
//	R10 bytes of a tile of weights R11 first row of A                  R12 column of a tile of ZA
//	R13, R15 quants of A, B, less 128    R14, R16 their scales         R17 activations of the block
//	R19, R25 dst of A, B           R20 offset of quants                R21 blocks left
//	R22 group of activations       R23 rows left                       R24 first row of activations in the group
//	R26 temporary
//	Z0-Z15  integer sums as floats    Z16-Z18 activations, weights of A, B; d    Z19 1, 256    Z20-Z23 products of scales

// UNIT makes quants and scales point at the unit that begins at row r; R26 and r are temporary.
#define UNIT(r, quants, scales) \
	LSR  $4, r, R26 \
	MADD R10, R2, R26, R26 \
	AND  $15, r \
	ADD  r<<1, R26, scales \
	ADD  r<<2, R26, quants \
	SUB  $96, quants

// INTEGERS makes floats of tile t's integers in Z0-Z15, of 4 rows a time: of the first four, of those that vectors of 8
// lanes have as well, of those of 16.
#define INTEGERS(t, end) \
	READZA4(0, t, 0) \
	SCVTFZ4(0, 0) \
	TBNZ $2, R7, end \
	READZA4(0, t+4, 4) \
	SCVTFZ4(4, 4) \
	TBNZ $3, R7, end \
	READZA4(1, t, 8) \
	SCVTFZ4(8, 8) \
	READZA4(1, t+4, 12) \
	SCVTFZ4(12, 12) \
end:

// SCALED adds the floats, times the products of scales in tile t, to tile t+1.
#define SCALED(t, end) \
	READZA4(0, t, 20) \
	FMLAZA4(0, t+1, 20, 0) \
	TBNZ $2, R7, end \
	READZA4(0, t+4, 20) \
	FMLAZA4(0, t+5, 20, 4) \
	TBNZ $3, R7, end \
	READZA4(1, t, 20) \
	FMLAZA4(1, t+1, 20, 8) \
	READZA4(1, t+4, 20) \
	FMLAZA4(1, t+5, 20, 12) \
end:

// BLOCK adds the block of one unit to the sums: tile t has its integers, mask names it.
#define BLOCK(t, mask, scales, end1, end2) \
	INTEGERS(t, end1) \
	ZEROZA(mask) \
	LD1HWAT(scales, 18) \
	LD1WAT(17, 17) \
	FCVTZ(18, 18) \
	FMOPA(17, 18, t) \
	SCALED(t, end2)

// COLUMNS4Q8 multiplies 4 columns, of 64 bytes each.
#define COLUMNS4Q8 \
	LD1B(20, 17, 16) \
	LD1B(20, 13, 17) \
	LD1B(20, 15, 18) \
	SMOPAB(16, 17, 0) \
	SMOPAB(16, 18, 2) \
	ADD $64, R20

#define PRODUCTSQ8 \
	COLUMNS4Q8 \
	COLUMNS4Q8 \
	COLUMNS4Q8 \
	COLUMNS4Q8 \
	COLUMNS4Q8 \
	COLUMNS4Q8 \
	COLUMNS4Q8 \
	COLUMNS4Q8

// COLUMNS8Q4 multiplies 4 columns and the 4 whose nibbles are the high ones of the same bytes: with a1 as they are, with c0
// shifted left.
#define COLUMNS8Q4 \
	ADD  $256, R20, R26 \
	LD1B(20, 17, 20) \
	LD1B(26, 17, 16) \
	LD1B(20, 13, 17) \
	LD1B(20, 15, 18) \
	USMOPAB(16, 17, 0) \
	USMOPAB(16, 18, 2) \
	LSLZB(4, 17, 17) \
	LSLZB(4, 18, 18) \
	USMOPAB(20, 17, 0) \
	USMOPAB(20, 18, 2) \
	ADD  $64, R20

#define PRODUCTSQ4 \
	MOVD $16, R26 \
	LD1W(26, 17, 16) \
	SMOPAH(16, 19, 0) \
	SMOPAH(16, 19, 2) \
	COLUMNS8Q4 \
	COLUMNS8Q4 \
	COLUMNS8Q4 \
	COLUMNS8Q4

// GEMM is the body for blocks of weights of some bytes.
#define GEMM(bytes, PRODUCTS) \
	MOVD dst+0(FP), R0 \
	MOVD ldd+8(FP), R1 \
	MOVD w+16(FP), R2 \
	MOVD tiles+24(FP), R3 \
	MOVD q+32(FP), R4 \
	MOVD blocks+40(FP), R5 \
	MOVD rows+48(FP), R6 \
	SMSTART \
	RDSVL(7) \
	PTRUEB(0) \
	MOVD $0x01000001, R26 \
	DUPZ(26, 19) \
	LSR  $2, R7 \
	LSL  $2, R1 \
	LSL  $4, R3 \
	MOVD $0, R8 \
	MOVD $8, R9 \
	MOVD $bytes, R10 \
	MUL  R5, R10 \
	MOVD $0, R11 \
pair_loop: \
	MOVD R11, R12 \
	ADD  R7, R11, R20 \
	CMP  R3, R20 \
	CSEL LT, R20, R11, R20 \
	ADD  R12<<2, R0, R19 \
	ADD  R20<<2, R0, R25 \
	UNIT(R12, R13, R14) \
	UNIT(R20, R15, R16) \
	MOVD R4, R22 \
	MOVD R6, R23 \
group_loop: \
	MOVD $0, R24 \
rows_loop: \
	ADD  R24<<2, R22, R17 \
	MOVD R5, R21 \
	ZEROZA(0xaa) \
block_loop: \
	MOVD $128, R20 \
	ZEROZA(0x55) \
	PRODUCTS \
	BLOCK(0, 0x11, 14, endA1, endA2) \
	BLOCK(2, 0x44, 16, endB1, endB2) \
	ADD  $bytes, R13 \
	ADD  $bytes, R14 \
	ADD  $bytes, R15 \
	ADD  $bytes, R16 \
	ADD  $640, R17 \
	SUBS $1, R21 \
	BNE  block_loop \
	SUB  R10, R13 \
	SUB  R10, R14 \
	SUB  R10, R15 \
	SUB  R10, R16 \
	MOVD $0, R12 \
store_loop: \
	ST1WV(1, 0, 19) \
	ST1WV(3, 0, 25) \
	ADD  R1, R19 \
	ADD  R1, R25 \
	ADD  $1, R12 \
	SUBS $1, R23 \
	BEQ  pair_end \
	CMP  R7, R12 \
	BLT  store_loop \
	ADD  R7, R24 \
	CMP  $16, R24 \
	BLT  rows_loop \
	MOVD $1280, R26 \
	MADD R5, R22, R26, R22 \
	B    group_loop \
pair_end: \
	ADD  R7<<1, R11 \
	CMP  R3, R11 \
	BLT  pair_loop \
	SMSTOP \
	RET

// func streamingBytes() int
TEXT ·streamingBytes(SB), NOSPLIT, $0-8
	RDSVL(0)
	MOVD R0, ret+0(FP)
	RET

// func gemmQ4SME2(dst *float32, ldd int, w *byte, tiles int, q *byte, blocks, rows int)
TEXT ·gemmQ4SME2(SB), NOSPLIT, $0-56
	GEMM(288, PRODUCTSQ4)

// func gemmQ8SME2(dst *float32, ldd int, w *byte, tiles int, q *byte, blocks, rows int)
TEXT ·gemmQ8SME2(SB), NOSPLIT, $0-56
	GEMM(544, PRODUCTSQ8)
