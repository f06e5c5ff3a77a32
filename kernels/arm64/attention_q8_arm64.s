#include "textflag.h"
#include "enc_arm64.h"
#include "attention_arm64.h"

// Scores and values of attention over a quantised cache, for 4, 2 or 1 query heads that share their keys and values. What is computed for a head
// does not depend on the others.
//
// Scores: four keys a turn, block by block of 32 columns; the dot product of a block, in four lanes, is added up, converted, and added to the
// score times the key's scale.
// Values: sixteen columns at a time, key by key: one chain of fused multiply-adds for an element. A byte b becomes a float by a table look-up
// that puts it into bits 16 to 23, with zeros elsewhere: that is b·2^-133, subnormal below 128 and normal, by its lowest exponent, from there on.
// Of values of four bits the low and the high ones of eight bytes are such bytes.

// NEONDOT adds the products of 16 bytes of Vk and Vq to the lanes of Vd, as SDOT16 does.
#define NEONDOT(q, k, d) \
	SMULL8(q, k, 10)  \
	SMLALH8(q, k, 10) \
	SADALP4(10, d)

// QUERYNEON and QUERYDOT multiply the next head's columns, at R12, with the keys.
#define QUERYNEON(sum, a, b, c, d) \
	FMOVQ (R12), F4 \
	ADD   R10, R12 \
	NEONDOT(4, 0, a) \
	NEONDOT(4, 1, b) \
	NEONDOT(4, 2, c) \
	NEONDOT(4, 3, d)

#define QUERYDOT(sum, a, b, c, d) \
	FMOVQ (R12), F4 \
	ADD   R10, R12 \
	SDOT16(4, 0, a) \
	SDOT16(4, 1, b) \
	SDOT16(4, 2, c) \
	SDOT16(4, 3, d)

// BLOCK adds a head's products of a block to its four scores.
#define BLOCK(sum, a, b, c, d) \
	ADDP4(b, a, a) \
	ADDP4(d, c, c) \
	ADDP4(c, a, a) \
	SCVTF4(a, a)   \
	FMLA4(5, a, sum)

#define ZERO1(sum, a, b, c, d) ZERO(sum)

#define ZERO4(sum, a, b, c, d) \
	MOVI0(a) \
	MOVI0(b) \
	MOVI0(c) \
	MOVI0(d)

#define STORE(sum, a, b, c, d) \
	STQ(12, sum) \
	ADD R1, R12

#define HEADS1(OP) OP(6, 16, 17, 18, 19)
#define HEADS2(OP) HEADS1(OP) \
	OP(7, 20, 21, 22, 23)
#define HEADS4(OP) HEADS2(OP) \
	OP(8, 24, 25, 26, 27) \
	OP(9, 28, 29, 30, 31)

#define COLUMNS(HEADS, QUERY) \
	FMOVQ.P 16(R5), F0 \
	FMOVQ.P 16(R6), F1 \
	FMOVQ.P 16(R7), F2 \
	FMOVQ.P 16(R8), F3 \
	MOVD  R14, R12 \
	ADD   $16, R14 \
	HEADS(QUERY)

// ATTENDQ8 is the body for the heads of HEADS.
//
//	R0 scores    R1 bytes from head to head of them    R2 queries    R3 keys    R4 groups of four keys left
//	R5-R8 keys    R9 bytes from key to key    R10 columns, which are the bytes from head to head of queries
//	R11 columns left    R12 query or score    R13 scales of the block    R14 column of the first query
//	R15 scales of the keys    R19 bytes from block to block of scales
//	V0-V3 keys    V4 query    V5 scales    V6-V9 scores    V10 products    V16-V31 sums of the block
#define ATTENDQ8(HEADS, QUERY) \
	MOVD s+0(FP), R0 \
	MOVD lds+8(FP), R1 \
	MOVD q+16(FP), R2 \
	MOVD headDim+24(FP), R10 \
	MOVD k+32(FP), R3 \
	MOVD keyStride+40(FP), R9 \
	MOVD fours+48(FP), R4 \
	MOVD d+56(FP), R15 \
	MOVD ldd+64(FP), R19 \
	LSL  $2, R1 \
	LSL  $2, R19 \
key_loop: \
	MOVD R3, R5 \
	ADD  R9, R5, R6 \
	ADD  R9, R6, R7 \
	ADD  R9, R7, R8 \
	ADD  R9, R8, R3 \
	MOVD R2, R14 \
	MOVD R10, R11 \
	MOVD R15, R13 \
	ADD  $16, R15 \
	HEADS(ZERO1) \
block_loop: \
	HEADS(ZERO4) \
	COLUMNS(HEADS, QUERY) \
	COLUMNS(HEADS, QUERY) \
	FMOVQ (R13), F5 \
	ADD   R19, R13 \
	HEADS(BLOCK) \
	SUBS  $32, R11 \
	BNE   block_loop \
	MOVD  R0, R12 \
	ADD   $16, R0 \
	HEADS(STORE) \
	SUBS  $1, R4 \
	BNE   key_loop \
	RET

// The places of bytes 0-3, 4-7, 8-11 and 12-15 in four floats; 255 is a place of none.
DATA places<>+0(SB)/8, $0xff01ffffff00ffff
DATA places<>+8(SB)/8, $0xff03ffffff02ffff
DATA places<>+16(SB)/8, $0xff05ffffff04ffff
DATA places<>+24(SB)/8, $0xff07ffffff06ffff
DATA places<>+32(SB)/8, $0xff09ffffff08ffff
DATA places<>+40(SB)/8, $0xff0bffffff0affff
DATA places<>+48(SB)/8, $0xff0dffffff0cffff
DATA places<>+56(SB)/8, $0xff0fffffff0effff
GLOBL places<>(SB), RODATA|NOPTR, $64

// BYTES and NIBBLES make floats of the sixteen columns of the value at R3.
#define BYTES \
	FMOVQ (R3), F5 \
	ADD  R9, R3 \
	TBL16(6, 5, 0) \
	TBL16(7, 5, 1) \
	TBL16(8, 5, 2) \
	TBL16(9, 5, 3)

#define NIBBLES \
	FMOVD (R3), F5 \
	ADD  R9, R3 \
	AND16(10, 5, 11) \
	USHR16(4, 5, 5) \
	TBL16(6, 11, 0) \
	TBL16(7, 11, 1) \
	TBL16(6, 5, 2) \
	TBL16(7, 5, 3)

// BYTESTEP and NIBBLESTEP make the columns of a value, in R9, its bytes.
#define BYTESTEP
#define NIBBLESTEP \
	LSR   $1, R9 \
	VMOVI $15, V10.B16

// MIX is the body for the heads of QUERIES and values that VALUE reads, half bytes of which are half a block.
//
//	R0 sums    R2 weights    R3 value    R4 keys    R5 keys left    R6 first value    R7 halves of the block left
//	R8 bytes from head to head of weights    R9 bytes from value to value    R10 bytes from head to head of sums
//	R11 weights of the key    R12 weight or sum
//	V0-V3 value    V4 weight    V5, V11 bytes    V6-V9 places    V10 masks    V16-V31 sums
#define MIX(QUERIES, STEP, VALUE, half) \
	MOVD acc+0(FP), R0 \
	MOVD headDim+8(FP), R9 \
	MOVD w+16(FP), R2 \
	MOVD ldw+24(FP), R8 \
	MOVD v+32(FP), R6 \
	MOVD keys+40(FP), R4 \
	LSL  $2, R8 \
	LSL  $2, R9, R10 \
	STEP \
	MOVD $places<>(SB), R12 \
	LDQ(12, 0, 6) \
	LDQ(12, 1, 7) \
	LDQ(12, 2, 8) \
	LDQ(12, 3, 9) \
	MOVD $2, R7 \
half_loop: \
	MOVD R0, R12 \
	QUERIES(LDQ4) \
	MOVD R6, R3 \
	MOVD R2, R11 \
	MOVD R4, R5 \
key_loop: \
	VALUE \
	MOVD R11, R12 \
	ADD  $4, R11 \
	QUERIES(WEIGH) \
	SUBS $1, R5 \
	BNE  key_loop \
	MOVD R0, R12 \
	QUERIES(STQ4) \
	ADD  $64, R0 \
	ADD  $half, R6 \
	SUBS $1, R7 \
	BNE  half_loop \
	RET

// func scoresQ8x4Neon(s *float32, lds int, q *int8, headDim int, k *int8, keyStride, fours int, d *float32, ldd int)
TEXT ·scoresQ8x4Neon(SB), NOSPLIT, $0-72
	ATTENDQ8(HEADS4, QUERYNEON)

// func scoresQ8x2Neon(s *float32, lds int, q *int8, headDim int, k *int8, keyStride, fours int, d *float32, ldd int)
TEXT ·scoresQ8x2Neon(SB), NOSPLIT, $0-72
	ATTENDQ8(HEADS2, QUERYNEON)

// func scoresQ8x1Neon(s *float32, lds int, q *int8, headDim int, k *int8, keyStride, fours int, d *float32, ldd int)
TEXT ·scoresQ8x1Neon(SB), NOSPLIT, $0-72
	ATTENDQ8(HEADS1, QUERYNEON)

// func scoresQ8x4Dotprod(s *float32, lds int, q *int8, headDim int, k *int8, keyStride, fours int, d *float32, ldd int)
TEXT ·scoresQ8x4Dotprod(SB), NOSPLIT, $0-72
	ATTENDQ8(HEADS4, QUERYDOT)

// func scoresQ8x2Dotprod(s *float32, lds int, q *int8, headDim int, k *int8, keyStride, fours int, d *float32, ldd int)
TEXT ·scoresQ8x2Dotprod(SB), NOSPLIT, $0-72
	ATTENDQ8(HEADS2, QUERYDOT)

// func scoresQ8x1Dotprod(s *float32, lds int, q *int8, headDim int, k *int8, keyStride, fours int, d *float32, ldd int)
TEXT ·scoresQ8x1Dotprod(SB), NOSPLIT, $0-72
	ATTENDQ8(HEADS1, QUERYDOT)

// func valuesQ8x4Neon(acc *float32, headDim int, w *float32, ldw int, v *uint8, keys int)
TEXT ·valuesQ8x4Neon(SB), NOSPLIT, $0-48
	MIX(QUERIES4, BYTESTEP, BYTES, 16)

// func valuesQ8x2Neon(acc *float32, headDim int, w *float32, ldw int, v *uint8, keys int)
TEXT ·valuesQ8x2Neon(SB), NOSPLIT, $0-48
	MIX(QUERIES2, BYTESTEP, BYTES, 16)

// func valuesQ8x1Neon(acc *float32, headDim int, w *float32, ldw int, v *uint8, keys int)
TEXT ·valuesQ8x1Neon(SB), NOSPLIT, $0-48
	MIX(QUERIES1, BYTESTEP, BYTES, 16)

// func valuesQ4x4Neon(acc *float32, headDim int, w *float32, ldw int, v *uint8, keys int)
TEXT ·valuesQ4x4Neon(SB), NOSPLIT, $0-48
	MIX(QUERIES4, NIBBLESTEP, NIBBLES, 8)

// func valuesQ4x2Neon(acc *float32, headDim int, w *float32, ldw int, v *uint8, keys int)
TEXT ·valuesQ4x2Neon(SB), NOSPLIT, $0-48
	MIX(QUERIES2, NIBBLESTEP, NIBBLES, 8)

// func valuesQ4x1Neon(acc *float32, headDim int, w *float32, ldw int, v *uint8, keys int)
TEXT ·valuesQ4x1Neon(SB), NOSPLIT, $0-48
	MIX(QUERIES1, NIBBLESTEP, NIBBLES, 8)
