#include "textflag.h"
#include "enc_arm64.h"

// Quantisers of activations, one block a turn: 32 columns, or 64 of wideForm. form_arm64.go describes the layouts.
//
// Registers of every function here
//   R0      where the block goes
//   R1      bytes from block to block
//   R2      x
//   R3      blocks left
//   R4      first word of the block's start values (pairs only)
//   R5, R6  largest magnitude's bits; temporary
//   R7      start value
//   R10     bits of 2^-100, below which a block counts as zero
//   R11     bits of +Inf
//   R12     bits of 1.5·2^23, the start of a sum that is read as a float
//   F28     127, or 63.5 for the crossed form
//   F29     0 and then, for a block with values, 1/d
//   F30     d
//   V0-V7   the values, then the integers; V16-V23 temporary

#define CONSTANTS \
	MOVD $0x0d800000, R10 \
	MOVD $0x7f800000, R11 \
	MOVD $0x4b400000, R12

// LOAD reads the block to V0-V7.
#define LOAD \
	VLD1.P 64(R2), [V0.S4, V1.S4, V2.S4, V3.S4] \
	VLD1.P 64(R2), [V4.S4, V5.S4, V6.S4, V7.S4]

// LARGEST leaves in R5 the largest of the magnitudes in V16-V23 and in F16. As integers, NaN is above infinity.
#define LARGEST \
	VUMAX  V17.S4, V16.S4, V16.S4 \
	VUMAX  V19.S4, V18.S4, V18.S4 \
	VUMAX  V21.S4, V20.S4, V20.S4 \
	VUMAX  V23.S4, V22.S4, V22.S4 \
	VUMAX  V18.S4, V16.S4, V16.S4 \
	VUMAX  V22.S4, V20.S4, V20.S4 \
	VUMAX  V20.S4, V16.S4, V16.S4 \
	UMAXV4(16, 16) \
	FMOVS  F16, R5

// SCALE makes d (F30) and 1/d (F29) of the largest magnitude; both are 0 for a block that counts as zero, and NaN and 0
// for one with a value that is not finite.
#define SCALE \
	FMOVS  ZR, F29 \
	FMOVS  ZR, F30 \
	CMPW   R10, R5 \
	BLO    scaled \
	MOVD   $0x7fc00000, R6 \
	FMOVS  R6, F30 \
	CMPW   R11, R5 \
	BHS    scaled \
	FDIVS  F28, F16, F30 \
	FMOVS  $1.0, F29 \
	FDIVS  F30, F29, F29 \
scaled:

// NARROW packs the integers of V(a) … V(d) to the bytes of V(out).
#define NARROW(a, b, c, d, out) \
	SQXTN4(a, 16) \
	SQXTNH4(b, 16) \
	SQXTN4(c, 17) \
	SQXTNH4(d, 17) \
	SQXTN8(16, out) \
	SQXTNH8(17, out)

// PLAIN makes the int8 values of x/d in V0, V1, their sum in R7 and d in F30.
#define PLAIN \
	LOAD \
	FABS4(0, 16) \
	FABS4(1, 17) \
	FABS4(2, 18) \
	FABS4(3, 19) \
	FABS4(4, 20) \
	FABS4(5, 21) \
	FABS4(6, 22) \
	FABS4(7, 23) \
	LARGEST \
	SCALE \
	FMULE(29, 0, 0, 0) \
	FMULE(29, 0, 1, 1) \
	FMULE(29, 0, 2, 2) \
	FMULE(29, 0, 3, 3) \
	FMULE(29, 0, 4, 4) \
	FMULE(29, 0, 5, 5) \
	FMULE(29, 0, 6, 6) \
	FMULE(29, 0, 7, 7) \
	FCVTNS4(0, 0) \
	FCVTNS4(1, 1) \
	FCVTNS4(2, 2) \
	FCVTNS4(3, 3) \
	FCVTNS4(4, 4) \
	FCVTNS4(5, 5) \
	FCVTNS4(6, 6) \
	FCVTNS4(7, 7) \
	VADD   V1.S4, V0.S4, V16.S4 \
	VADD   V3.S4, V2.S4, V17.S4 \
	VADD   V5.S4, V4.S4, V18.S4 \
	VADD   V7.S4, V6.S4, V19.S4 \
	VADD   V17.S4, V16.S4, V16.S4 \
	VADD   V19.S4, V18.S4, V18.S4 \
	VADD   V18.S4, V16.S4, V16.S4 \
	VADDV  V16.S4, V16 \
	FMOVS  F16, R7 \
	NARROW(0, 1, 2, 3, 0) \
	NARROW(4, 5, 6, 7, 1)

// CROSSED makes the crossed form of the block: c0 in V0, a1 in V1, the start value in R7, the value of one unit of the
// product in F30. V24, V25 hold 1/2 and 1/32, then 1/16.
#define CROSSED \
	LOAD \
	FMOVS  $0.5, F24 \
	FMOVS  $0.03125, F25 \
	FMULE(24, 0, 0, 16) \
	FMULE(24, 0, 1, 17) \
	FMULE(24, 0, 2, 18) \
	FMULE(24, 0, 3, 19) \
	FMLSE(25, 0, 4, 16) \
	FMLSE(25, 0, 5, 17) \
	FMLSE(25, 0, 6, 18) \
	FMLSE(25, 0, 7, 19) \
	FMULE(24, 0, 4, 20) \
	FMULE(24, 0, 5, 21) \
	FMULE(24, 0, 6, 22) \
	FMULE(24, 0, 7, 23) \
	FABS4(16, 16) \
	FABS4(17, 17) \
	FABS4(18, 18) \
	FABS4(19, 19) \
	FABS4(20, 20) \
	FABS4(21, 21) \
	FABS4(22, 22) \
	FABS4(23, 23) \
	LARGEST \
	SCALE \
	FMULE(29, 0, 0, 0) \
	FMULE(29, 0, 1, 1) \
	FMULE(29, 0, 2, 2) \
	FMULE(29, 0, 3, 3) \
	FMULE(29, 0, 4, 4) \
	FMULE(29, 0, 5, 5) \
	FMULE(29, 0, 6, 6) \
	FMULE(29, 0, 7, 7) \
	FRINTN4(4, 4) \
	FRINTN4(5, 5) \
	FRINTN4(6, 6) \
	FRINTN4(7, 7) \
	FMOVS  $0.0625, F25 \
	FMLSE(25, 0, 4, 0) \
	FMLSE(25, 0, 5, 1) \
	FMLSE(25, 0, 6, 2) \
	FMLSE(25, 0, 7, 3) \
	FCVTNS4(0, 0) \
	FCVTNS4(1, 1) \
	FCVTNS4(2, 2) \
	FCVTNS4(3, 3) \
	FCVTNS4(4, 4) \
	FCVTNS4(5, 5) \
	FCVTNS4(6, 6) \
	FCVTNS4(7, 7) \
	VADD   V1.S4, V0.S4, V16.S4 \
	VADD   V3.S4, V2.S4, V17.S4 \
	VADD   V5.S4, V4.S4, V18.S4 \
	VADD   V7.S4, V6.S4, V19.S4 \
	VADD   V17.S4, V16.S4, V16.S4 \
	VADD   V19.S4, V18.S4, V18.S4 \
	VADDV  V16.S4, V16 \
	VADDV  V18.S4, V18 \
	FMOVS  F16, R7 \
	FMOVS  F18, R6 \
	LSLW   $7, R7, R7 \
	SUBW   R7, R12, R7 \
	MOVD   $136, R5 \
	MULW   R5, R6, R6 \
	SUBW   R6, R7, R7 \
	FMULS  F25, F30, F30 \
	NARROW(0, 1, 2, 3, 0) \
	NARROW(4, 5, 6, 7, 1)

// ROW stores a block of a row that stands alone: 32 bytes, four times R7, then F30 and the float in V31.
#define ROW \
	FSTPQ  (F0, F1), (R0) \
	VDUP   R7, V2.S4 \
	FMOVQ  F2, 32(R0) \
	FMOVS  F30, 48(R0) \
	FMOVS  F31, 52(R0) \
	ADD    R1, R0

// SCALED_SUM makes d times the sum, R7, in F31: exact until this product.
#define SCALED_SUM \
	SCVTFWS R7, F31 \
	FMULS   F30, F31, F31

// PAIRED stores one row's part of a block of two rows.
#define PAIRED \
	FMOVD  F0, (R0) \
	VEXT   $8, V0.B16, V0.B16, V0.B16 \
	FMOVD  F0, 16(R0) \
	FMOVD  F1, 32(R0) \
	VEXT   $8, V1.B16, V1.B16, V1.B16 \
	FMOVD  F1, 48(R0) \
	MOVW   R7, (R4) \
	MOVW   R7, 8(R4) \
	FMOVS  F30, 16(R4) \
	FMOVS  F30, 24(R4) \
	ADD    R1, R0 \
	ADD    R1, R4

// func quantizeRow(q *byte, stride int, x *float32, blocks int)
TEXT ·quantizeRow(SB), NOSPLIT, $0-32
	MOVD q+0(FP), R0
	MOVD stride+8(FP), R1
	MOVD x+16(FP), R2
	MOVD blocks+24(FP), R3
	CONSTANTS
	MOVD  $0x42fe0000, R5 // 127
	FMOVS R5, F28

block_loop:
	PLAIN
	SCALED_SUM
	SUBW    R7<<3, R12, R7
	ROW
	SUBS $1, R3
	BNE  block_loop
	RET

// func quantizePair(q *byte, start *byte, stride int, x *float32, blocks int)
TEXT ·quantizePair(SB), NOSPLIT, $0-40
	MOVD q+0(FP), R0
	MOVD start+8(FP), R4
	MOVD stride+16(FP), R1
	MOVD x+24(FP), R2
	MOVD blocks+32(FP), R3
	CONSTANTS
	MOVD  $0x42fe0000, R5 // 127
	FMOVS R5, F28

block_loop:
	PLAIN
	SCALED_SUM
	FMOVS F31, 32(R4)
	FMOVS F31, 40(R4)
	MOVD  R12, R7
	PAIRED
	SUBS $1, R3
	BNE  block_loop
	RET

// func quantizeCrossRow(q *byte, stride int, x *float32, blocks int)
TEXT ·quantizeCrossRow(SB), NOSPLIT, $0-32
	MOVD q+0(FP), R0
	MOVD stride+8(FP), R1
	MOVD x+16(FP), R2
	MOVD blocks+24(FP), R3
	CONSTANTS
	MOVD  $0x427e0000, R5 // 63.5
	FMOVS R5, F28
	VEOR  V31.B16, V31.B16, V31.B16

block_loop:
	CROSSED
	ROW
	SUBS $1, R3
	BNE  block_loop
	RET

// func quantizeCrossPair(q *byte, start *byte, stride int, x *float32, blocks int)
TEXT ·quantizeCrossPair(SB), NOSPLIT, $0-40
	MOVD q+0(FP), R0
	MOVD start+8(FP), R4
	MOVD stride+16(FP), R1
	MOVD x+24(FP), R2
	MOVD blocks+32(FP), R3
	CONSTANTS
	MOVD  $0x427e0000, R5 // 63.5
	FMOVS R5, F28

block_loop:
	CROSSED
	PAIRED
	SUBS $1, R3
	BNE  block_loop
	RET

// WIDER adds to V16 the larger magnitudes of V(n).
#define WIDER(n) \
	FABS4(n, 17) \
	VUMAX V17.S4, V16.S4, V16.S4

#define WIDE(OP) OP(1) \
	OP(2) \
	OP(3) \
	OP(4) \
	OP(5) \
	OP(6) \
	OP(7) \
	OP(8) \
	OP(9) \
	OP(10) \
	OP(11) \
	OP(12) \
	OP(13) \
	OP(14) \
	OP(15)

#define TIMES(n) FMULE(29, 0, n, n)
#define ROUND(n) FCVTNS4(n, n)

// RUN stores the start value of 16 columns, V(a) … V(d), leaves their sum in R(sum) and packs them to V(out).
#define RUN(a, b, c, d, at, sum, out) \
	ADD4(b, a, 18) \
	ADD4(d, c, 19) \
	ADD4(19, 18, 18) \
	VADDV V18.S4, V18 \
	FMOVS F18, sum \
	LSLW  $5, sum, R6 \
	NEGW  R6, R6 \
	VDUP  R6, V19.S4 \
	FMOVQ F19, at(R0) \
	NARROW(a, b, c, d, out)

// func quantizeWideRow(q *byte, stride int, x *float32, blocks int)
TEXT ·quantizeWideRow(SB), NOSPLIT, $0-32
	MOVD q+0(FP), R0
	MOVD stride+8(FP), R1
	MOVD x+16(FP), R2
	MOVD blocks+24(FP), R3
	CONSTANTS
	MOVD  $0x42fe0000, R5 // 127
	FMOVS R5, F28

block_loop:
	LOAD
	VLD1.P 64(R2), [V8.S4, V9.S4, V10.S4, V11.S4]
	VLD1.P 64(R2), [V12.S4, V13.S4, V14.S4, V15.S4]
	FABS4(0, 16)
	WIDE(WIDER)
	UMAXV4(16, 16)
	FMOVS  F16, R5
	SCALE
	TIMES(0)
	WIDE(TIMES)
	ROUND(0)
	WIDE(ROUND)
	RUN(0, 1, 2, 3, 64, R7, 0)
	RUN(4, 5, 6, 7, 80, R8, 1)
	ADDW   R8, R7
	RUN(8, 9, 10, 11, 96, R8, 2)
	RUN(12, 13, 14, 15, 112, R9, 3)
	ADDW   R9, R8
	FSTPQ  (F0, F1), (R0)
	FSTPQ  (F2, F3), 32(R0)
	FMOVS  F30, 128(R0)
	MOVH   R7, 132(R0)
	MOVH   R8, 134(R0)
	ADD    R1, R0
	SUBS   $1, R3
	BNE    block_loop
	RET

// HALVES makes float16 of 8 values times F29, cut to the mask in V25.
#define HALVES(a, b, out) \
	FMULE(29, 0, a, a) \
	FMULE(29, 0, b, b) \
	FCVTN4(a, out) \
	FCVTNH4(b, out) \
	AND16(25, out, out)

// func quantizeHalfRow(q *byte, stride int, x *float32, blocks int)
//
// As above, but 128 columns a turn, 32 at a time: R8 counts those, V24 is the largest magnitude, V25 a mask that is 0 for
// blocks without values.
TEXT ·quantizeHalfRow(SB), NOSPLIT, $0-32
	MOVD q+0(FP), R0
	MOVD stride+8(FP), R1
	MOVD x+16(FP), R2
	MOVD blocks+24(FP), R3
	CONSTANTS

block_loop:
	MOVD $4, R8
	ZERO(24)

largest_loop:
	LOAD
	FABS4(0, 16)
	FABS4(1, 17)
	FABS4(2, 18)
	FABS4(3, 19)
	FABS4(4, 20)
	FABS4(5, 21)
	FABS4(6, 22)
	FABS4(7, 23)
	VUMAX V24.S4, V16.S4, V16.S4
	LARGEST
	FMOVS F16, F24
	SUBS  $1, R8
	BNE   largest_loop

	// d is the power of two that makes the largest magnitude 32 or more and less than 64
	SUB  $512, R2
	ZERO(25)
	MOVD ZR, R6
	MOVD ZR, R7
	CMPW R10, R5
	BLO  scaled
	MOVD $0x7fc00000, R6
	CMPW R11, R5
	BHS  scaled
	VMOVI $0xff, V25.B16
	LSRW $23, R5
	SUBW $5, R5, R6
	LSLW $23, R6
	MOVD $259, R7
	SUBW R5, R7
	LSLW $23, R7

scaled:
	FMOVS R7, F29
	MOVW  R6, 256(R0)
	MOVD  R0, R9
	MOVD  $4, R8

halves_loop:
	LOAD
	HALVES(0, 1, 16)
	HALVES(2, 3, 17)
	HALVES(4, 5, 18)
	HALVES(6, 7, 19)
	VST1.P [V16.B16, V17.B16, V18.B16, V19.B16], 64(R9)
	SUBS   $1, R8
	BNE    halves_loop

	ADD  R1, R0
	SUBS $1, R3
	BNE  block_loop
	RET
