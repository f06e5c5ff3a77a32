#include "textflag.h"
#include "enc_arm64.h"
#include "enc_sme2_arm64.h"

// Products of F16 weights with float32 activations by outer products: a sum is one chain of fused multiply-adds over the
// columns in their order, as in matmul_float_arm64.s.

// UNIT makes weights point at the unit that begins at row r; R26 and r are temporary.
#define UNIT(r, weights) \
	LSR  $4, r, R26 \
	MADD R10, R2, R26, R26 \
	AND  $15, r \
	ADD  r<<1, R26, weights

// func gemmF16SME2(dst *float32, ldd int, w *byte, tiles int, x *float32, k, rows int)
//
// A vector has L = 4, 8 or 16 lanes. Two units A, B of L rows of weights are multiplied with L rows of activations at a time.
// These are turned in ZA0, L columns a turn; ZA1, ZA3 have the sums of A, B, rows of weights by rows of activations.
//
//	R0  dst                        R1  bytes from row to row of dst    R2  weights
//	R3  rows of weights            R4  activations                     R5  columns
//	R6  rows of activations        R7  L                               R10 bytes of a tile of weights
//	R11 first row of A             R12 row or column of a tile of ZA   R13, R15 weights of A, B
//	R14 bytes from row to row of activations    R17 column of activations    R19, R25 dst of A, B
//	R20 row of activations         R21 columns left                    R22 first row of activations
//	R23 rows left                  R24 rows of this turn               R26 columns of this turn
//	Z0 activations    Z1, Z2 weights of A, B
TEXT ·gemmF16SME2(SB), NOSPLIT, $0-56
	MOVD dst+0(FP), R0
	MOVD ldd+8(FP), R1
	MOVD w+16(FP), R2
	MOVD tiles+24(FP), R3
	MOVD x+32(FP), R4
	MOVD k+40(FP), R5
	MOVD rows+48(FP), R6
	SMSTART
	RDSVL(7)
	PTRUEB(0)
	LSR  $2, R7
	LSL  $2, R1
	LSL  $4, R3
	LSL  $5, R5, R10
	LSL  $2, R5, R14
	MOVD $0, R11

pair_loop:
	MOVD R11, R12
	ADD  R7, R11, R20
	CMP  R3, R20
	CSEL LT, R20, R11, R20
	ADD  R12<<2, R0, R19
	ADD  R20<<2, R0, R25
	UNIT(R12, R13)
	UNIT(R20, R15)
	MOVD R4, R22
	MOVD R6, R23

rows_loop:
	CMP  R7, R23
	CSEL LT, R23, R7, R24
	MOVD R22, R17
	MOVD R5, R21
	ZEROZA(0xaa)

turn_loop:
	WHILELT(21, 1)
	MOVD R17, R20
	MOVD $0, R12

load_loop:
	LD1WH(0, 0, 1, 20)
	ADD R14, R20
	ADD $1, R12
	CMP R24, R12
	BLT load_loop

	CMP  R7, R21
	CSEL LT, R21, R7, R26
	MOVD $0, R12

column_loop:
	READV(0, 0, 0)
	LD1HWAT(13, 1)
	LD1HWAT(15, 2)
	FCVTZ(1, 1)
	FCVTZ(2, 2)
	FMOPA(0, 1, 1)
	FMOPA(0, 2, 3)
	ADD $32, R13
	ADD $32, R15
	ADD $1, R12
	CMP R26, R12
	BLT column_loop

	ADD  R7<<2, R17
	SUBS R7, R21
	BGT  turn_loop
	SUB  R10, R13
	SUB  R10, R15
	MOVD $0, R12

store_loop:
	ST1WV(1, 0, 19)
	ST1WV(3, 0, 25)
	ADD R1, R19
	ADD R1, R25
	ADD $1, R12
	CMP R24, R12
	BLT store_loop

	MADD R7, R22, R14, R22
	SUBS R7, R23
	BGT  rows_loop
	ADD  R7<<1, R11
	CMP  R3, R11
	BLT  pair_loop
	SMSTOP
	RET
