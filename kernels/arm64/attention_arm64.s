#include "textflag.h"
#include "enc_arm64.h"
#include "attention_arm64.h"

// Scores and values of attention, for 4, 2 or 1 query heads that share their keys and values: a key is loaded and converted
// once for all. What is computed for a head does not depend on the others.
//
// Scores: four keys a turn; a score is four chains of fused multiply-adds, over the columns of each remainder by 4, added up
// as (0+1)+(2+3).
// Values: sixteen columns at a time, key by key: one chain of fused multiply-adds for an element.

// KEYSF16 and KEYSF32 load four columns of four keys to V0-V3.
#define KEYSF16 \
	FMOVD.P 8(R5), F0 \
	FMOVD.P 8(R6), F1 \
	FMOVD.P 8(R7), F2 \
	FMOVD.P 8(R8), F3 \
	FCVTL4(0, 0) \
	FCVTL4(1, 1) \
	FCVTL4(2, 2) \
	FCVTL4(3, 3)
#define KEYSF32 \
	FMOVQ.P 16(R5), F0 \
	FMOVQ.P 16(R6), F1 \
	FMOVQ.P 16(R7), F2 \
	FMOVQ.P 16(R8), F3

// QUERY multiplies the next head's columns, at R12, with the keys, to V(a), V(b), V(c), V(d).
#define QUERY(a, b, c, d) \
	FMOVQ (R12), F4 \
	ADD   R10, R12 \
	FMLA4(4, 0, a) \
	FMLA4(4, 1, b) \
	FMLA4(4, 2, c) \
	FMLA4(4, 3, d)

// SCORES adds up, scales and stores a head's four scores.
#define SCORES(a, b, c, d) \
	FADDP4(b, a, a) \
	FADDP4(d, c, c) \
	FADDP4(c, a, a) \
	FMULE(5, 0, a, a) \
	STQ(12, a) \
	ADD R1, R12

#define ZERO4(a, b, c, d) \
	ZERO(a) \
	ZERO(b) \
	ZERO(c) \
	ZERO(d)

// ATTEND is the body for the heads of QUERIES; bytes is the size of an element of a key, as a shift.
//
//	R0 scores    R1 bytes from head to head of them    R2 queries    R3 keys    R4 groups of four keys left
//	R5-R8 keys    R9 bytes from key to key    R10 bytes from head to head of queries
//	R11 columns left    R12 query or score    R13 columns    R14 column of the first query
//	V0-V3 keys    V4 query    V5 scale    V16-V31 sums
#define ATTEND(QUERIES, KEYS, bytes) \
	MOVD  s+0(FP), R0 \
	MOVD  lds+8(FP), R1 \
	MOVD  q+16(FP), R2 \
	MOVD  headDim+24(FP), R10 \
	MOVD  k+32(FP), R3 \
	MOVD  keyStride+40(FP), R9 \
	MOVD  fours+48(FP), R4 \
	FMOVS scale+56(FP), F5 \
	LSL   $2, R1 \
	AND   $~3, R10, R13 \
	LSL   $2, R10 \
	LSL   $bytes, R9 \
key_loop: \
	MOVD  R3, R5 \
	ADD   R9, R5, R6 \
	ADD   R9, R6, R7 \
	ADD   R9, R7, R8 \
	ADD   R9, R8, R3 \
	MOVD  R2, R14 \
	MOVD  R13, R11 \
	QUERIES(ZERO4) \
column_loop: \
	KEYS \
	MOVD  R14, R12 \
	ADD   $16, R14 \
	QUERIES(QUERY) \
	SUBS  $4, R11 \
	BNE   column_loop \
	MOVD  R0, R12 \
	ADD   $16, R0 \
	QUERIES(SCORES) \
	SUBS  $1, R4 \
	BNE   key_loop \
	RET

// VALUESF16 and VALUESF32 load sixteen columns of a value to V0-V3.
#define VALUESF16 \
	FLDPQ (R3), (F1, F3) \
	ADD   R9, R3 \
	FCVTL4(1, 0) \
	FCVTLH4(1, 1) \
	FCVTL4(3, 2) \
	FCVTLH4(3, 3)
#define VALUESF32 \
	FLDPQ (R3), (F0, F1) \
	FLDPQ 32(R3), (F2, F3) \
	ADD   R9, R3

// MIX is the body for the heads of QUERIES.
//
//	R0 sums    R2 weights    R3 value    R4 keys    R5 keys left    R6 first value    R7 columns left
//	R8 bytes from head to head of weights    R9 bytes from value to value    R10 bytes from head to head of sums
//	R11 weights of the key    R12 weight or sum
//	V0-V3 value    V4 weight    V16-V31 sums
#define MIX(QUERIES, VALUES, bytes) \
	MOVD acc+0(FP), R0 \
	MOVD p+8(FP), R2 \
	MOVD ldp+16(FP), R8 \
	MOVD headDim+24(FP), R10 \
	MOVD v+32(FP), R6 \
	MOVD keys+40(FP), R4 \
	LSL  $2, R8 \
	LSL  $bytes, R10, R9 \
	AND  $~15, R10, R7 \
	LSL  $2, R10 \
column_loop: \
	MOVD R0, R12 \
	QUERIES(LDQ4) \
	MOVD R6, R3 \
	MOVD R2, R11 \
	MOVD R4, R5 \
key_loop: \
	VALUES \
	MOVD R11, R12 \
	ADD  $4, R11 \
	QUERIES(WEIGH) \
	SUBS $1, R5 \
	BNE  key_loop \
	MOVD R0, R12 \
	QUERIES(STQ4) \
	ADD  $64, R0 \
	ADD  $(16<<bytes), R6 \
	SUBS $16, R7 \
	BNE  column_loop \
	RET

// func scoresF16x4Neon(s *float32, lds int, q *float32, headDim int, k *uint16, keyStride, fours int, scale float32)
TEXT ·scoresF16x4Neon(SB), NOSPLIT, $0-60
	ATTEND(QUERIES4, KEYSF16, 1)

// func scoresF16x2Neon(s *float32, lds int, q *float32, headDim int, k *uint16, keyStride, fours int, scale float32)
TEXT ·scoresF16x2Neon(SB), NOSPLIT, $0-60
	ATTEND(QUERIES2, KEYSF16, 1)

// func scoresF16x1Neon(s *float32, lds int, q *float32, headDim int, k *uint16, keyStride, fours int, scale float32)
TEXT ·scoresF16x1Neon(SB), NOSPLIT, $0-60
	ATTEND(QUERIES1, KEYSF16, 1)

// func valuesF16x4Neon(acc, p *float32, ldp, headDim int, v *uint16, keys int)
TEXT ·valuesF16x4Neon(SB), NOSPLIT, $0-48
	MIX(QUERIES4, VALUESF16, 1)

// func valuesF16x2Neon(acc, p *float32, ldp, headDim int, v *uint16, keys int)
TEXT ·valuesF16x2Neon(SB), NOSPLIT, $0-48
	MIX(QUERIES2, VALUESF16, 1)

// func valuesF16x1Neon(acc, p *float32, ldp, headDim int, v *uint16, keys int)
TEXT ·valuesF16x1Neon(SB), NOSPLIT, $0-48
	MIX(QUERIES1, VALUESF16, 1)

// func scoresF32x4Neon(s *float32, lds int, q *float32, headDim int, k *float32, keyStride, fours int, scale float32)
TEXT ·scoresF32x4Neon(SB), NOSPLIT, $0-60
	ATTEND(QUERIES4, KEYSF32, 2)

// func scoresF32x2Neon(s *float32, lds int, q *float32, headDim int, k *float32, keyStride, fours int, scale float32)
TEXT ·scoresF32x2Neon(SB), NOSPLIT, $0-60
	ATTEND(QUERIES2, KEYSF32, 2)

// func scoresF32x1Neon(s *float32, lds int, q *float32, headDim int, k *float32, keyStride, fours int, scale float32)
TEXT ·scoresF32x1Neon(SB), NOSPLIT, $0-60
	ATTEND(QUERIES1, KEYSF32, 2)

// func valuesF32x4Neon(acc, p *float32, ldp, headDim int, v *float32, keys int)
TEXT ·valuesF32x4Neon(SB), NOSPLIT, $0-48
	MIX(QUERIES4, VALUESF32, 2)

// func valuesF32x2Neon(acc, p *float32, ldp, headDim int, v *float32, keys int)
TEXT ·valuesF32x2Neon(SB), NOSPLIT, $0-48
	MIX(QUERIES2, VALUESF32, 2)

// func valuesF32x1Neon(acc, p *float32, ldp, headDim int, v *float32, keys int)
TEXT ·valuesF32x1Neon(SB), NOSPLIT, $0-48
	MIX(QUERIES1, VALUESF32, 2)
