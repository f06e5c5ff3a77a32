#include "textflag.h"
#include "enc_arm64.h"

// Unpacking of tiles; see table.Layout. Bytes of the 16 rows of a tile make one register, their integers of 32 bits
// four: rows 0-3, 4-7, 8-11, 12-15.
//
//	R0  dst, a block of 32 columns    R1  tile    R2  blocks left    R3  table of what quants stand for

// eachFour repeats bytes 0 … 3, 4 … 7, 8 … 11 and 12 … 15 four times.
DATA eachFour<>+0(SB)/8, $0x0101010100000000
DATA eachFour<>+8(SB)/8, $0x0303030302020202
DATA eachFour<>+16(SB)/8, $0x0505050504040404
DATA eachFour<>+24(SB)/8, $0x0707070706060606
DATA eachFour<>+32(SB)/8, $0x0909090908080808
DATA eachFour<>+40(SB)/8, $0x0b0b0b0b0a0a0a0a
DATA eachFour<>+48(SB)/8, $0x0d0d0d0d0c0c0c0c
DATA eachFour<>+56(SB)/8, $0x0f0f0f0f0e0e0e0e
GLOBL eachFour<>(SB), RODATA|NOPTR, $64

// READ_SCALES makes V20-V23 of the F16 scales of a block.
#define READ_SCALES \
	FLDPQ (R1), (F0, F1) \
	FCVTL4(0, 20) \
	FCVTLH4(0, 21) \
	FCVTL4(1, 22) \
	FCVTLH4(1, 23)

// STORE_SCALES(a, b, c, d) writes the scales of a block of the unpacked tile.
#define STORE_SCALES(a, b, c, d) \
	STQAT(0, 0, a) \
	STQAT(0, 1, b) \
	STQAT(0, 2, c) \
	STQAT(0, 3, d)

// FLOATS(at, a, b, c, d, LOW8, HIGH8, LOW4, HIGH4) writes V(a) … V(d) times the 16 bytes of V0, which the instructions named widen, to register
// number at of (R0).
#define FLOATS(at, a, b, c, d, LOW8, HIGH8, LOW4, HIGH4) \
	LOW8(0, 4) \
	HIGH8(0, 5) \
	LOW4(4, 0) \
	HIGH4(4, 1) \
	LOW4(5, 2) \
	HIGH4(5, 3) \
	SCVTF4(0, 0) \
	SCVTF4(1, 1) \
	SCVTF4(2, 2) \
	SCVTF4(3, 3) \
	FMUL4(a, 0, 0) \
	FMUL4(b, 1, 1) \
	FMUL4(c, 2, 2) \
	FMUL4(d, 3, 3) \
	STQAT(0, at, 0) \
	STQAT(0, at+1, 1) \
	STQAT(0, at+2, 2) \
	STQAT(0, at+3, 3)

#define SIGNED8(n, d) SSHLL8(0, n, d)
#define SIGNEDH8(n, d) SSHLLH8(0, n, d)
#define SIGNED4(n, d) SSHLL4(0, n, d)
#define SIGNEDH4(n, d) SSHLLH4(0, n, d)

// NIBBLES(r, from, to) writes what the nibbles of four columns at register number from of (Rr) stand for to number to, the
// low ones, and the high ones 16 columns further. V28 is the mask, V29 the table.
#define NIBBLES(r, from, to) \
	LDQ(r, from, 0) \
	LDQ(r, from+1, 1) \
	LDQ(r, from+2, 2) \
	LDQ(r, from+3, 3) \
	AND16(28, 0, 4) \
	AND16(28, 1, 5) \
	AND16(28, 2, 6) \
	AND16(28, 3, 7) \
	USHR16(4, 0, 0) \
	USHR16(4, 1, 1) \
	USHR16(4, 2, 2) \
	USHR16(4, 3, 3) \
	TBL16(4, 29, 4) \
	TBL16(5, 29, 5) \
	TBL16(6, 29, 6) \
	TBL16(7, 29, 7) \
	TBL16(0, 29, 0) \
	TBL16(1, 29, 1) \
	TBL16(2, 29, 2) \
	TBL16(3, 29, 3) \
	STQAT(0, to, 4) \
	STQAT(0, to+1, 5) \
	STQAT(0, to+2, 6) \
	STQAT(0, to+3, 7) \
	STQAT(0, to+16, 0) \
	STQAT(0, to+17, 1) \
	STQAT(0, to+18, 2) \
	STQAT(0, to+19, 3)

// NIBBLES32(r, from) does so for 32 columns.
#define NIBBLES32(r, from) \
	NIBBLES(r, from, 4) \
	NIBBLES(r, from+4, 8) \
	NIBBLES(r, from+8, 12) \
	NIBBLES(r, from+12, 16)

#define ARGUMENTS \
	MOVD dst+0(FP), R0 \
	MOVD tile+8(FP), R1 \
	MOVD blocks+16(FP), R2 \
	MOVD values+24(FP), R3

// func unpackNibblesNeon(dst, tile *byte, blocks int, values *[16]int8)
TEXT ·unpackNibblesNeon(SB), NOSPLIT, $0-32
	ARGUMENTS
	VMOVI $0x0f, V28.B16
	FMOVQ (R3), F29

block_loop:
	READ_SCALES
	STORE_SCALES(20, 21, 22, 23)
	NIBBLES32(1, 2)
	ADD  $288, R1
	ADD  $576, R0
	SUBS $1, R2
	BNE  block_loop
	RET

// POWER(y) makes half of the power of two of each exponent in V(y): (e-1)<<23, but for two subnormal numbers and NaN.
#define POWER(y) \
	SUB4(25, y, 4) \
	SHL4(23, 4, 4) \
	CMEQ4(24, y, 5) \
	CMEQ4(25, y, 6) \
	CMEQ4(26, y, 7) \
	BIT16(5, 30, 4) \
	BIT16(6, 31, 4) \
	BIT16(7, 27, 4) \
	ORR16(4, 4, y)

// func unpackMXFP4Neon(dst, tile *byte, blocks int, values *[16]int8)
//
//	V24 zero    V25 ones    V26 255s    V27 NaN    V30 2^-128    V31 2^-127
TEXT ·unpackMXFP4Neon(SB), NOSPLIT, $0-32
	ARGUMENTS
	VMOVI $0x0f, V28.B16
	FMOVQ (R3), F29
	ZERO(24)
	MOVD $1, R4
	VDUP R4, V25.S4
	MOVD $255, R4
	VDUP R4, V26.S4
	MOVD $0x7fc00000, R4
	VDUP R4, V27.S4
	SHL4(21, 25, 30)
	SHL4(22, 25, 31)

block_loop:
	FMOVQ (R1), F0
	USHLL8(0, 8)
	USHLLH8(0, 9)
	USHLL4(8, 0)
	USHLLH4(8, 1)
	USHLL4(9, 2)
	USHLLH4(9, 3)
	POWER(0)
	POWER(1)
	POWER(2)
	POWER(3)
	STORE_SCALES(0, 1, 2, 3)
	NIBBLES32(1, 1)
	ADD  $272, R1
	ADD  $576, R0
	SUBS $1, R2
	BNE  block_loop
	RET

// The parts of a byte of scales: nibbles, and pairs of bits, which V30 masks.
#define LOW(n, d) AND16(28, n, d)
#define HIGH(n, d) USHR16(4, n, d)
#define PAIR0(n, d) AND16(30, n, d)
#define PAIR1(n, d) USHR16(2, n, d) \
	AND16(30, d, d)
#define PAIR2(n, d) USHR16(4, n, d) \
	AND16(30, d, d)
#define PAIR3(n, d) USHR16(6, n, d)

// IQ4XS(s, NIBBLE, PAIR) unpacks the s-th 32 columns. V31 holds 32.
#define IQ4XS(s, NIBBLE, PAIR) \
	LDQ(1, (4+(s)/2), 0) \
	LDQ(1, (2+(s)/4), 1) \
	NIBBLE(0, 0) \
	PAIR(1, 1) \
	SHL16(4, 1, 1) \
	ORR16(1, 0, 0) \
	SUB16(31, 0, 0) \
	FLOATS(0, 20, 21, 22, 23, SIGNED8, SIGNEDH8, SIGNED4, SIGNEDH4) \
	NIBBLES32(1, (8+16*(s))) \
	ADD $576, R0

// func unpackIQ4XSNeon(dst, tile *byte, blocks int, values *[16]int8)
TEXT ·unpackIQ4XSNeon(SB), NOSPLIT, $0-32
	ARGUMENTS
	VMOVI $0x0f, V28.B16
	FMOVQ (R3), F29
	VMOVI $3, V30.B16
	VMOVI $32, V31.B16

block_loop:
	READ_SCALES
	IQ4XS(0, LOW, PAIR0)
	IQ4XS(1, HIGH, PAIR1)
	IQ4XS(2, LOW, PAIR2)
	IQ4XS(3, HIGH, PAIR3)
	IQ4XS(4, LOW, PAIR0)
	IQ4XS(5, HIGH, PAIR1)
	IQ4XS(6, LOW, PAIR2)
	IQ4XS(7, HIGH, PAIR3)
	ADD  $2176, R1
	SUBS $1, R2
	BNE  block_loop
	RET

// Q3K_FACTORS(j, high, PAIR, PAIRH) writes the scales of the runs j and 8+j of 16 columns less 32, bytes of 16 rows. Their low
// bits are the nibbles of register j of the scales, their high ones pairs of bits of register high.
#define Q3K_FACTORS(j, high, PAIR, PAIRH) \
	LDQ(1, (2+j), 0) \
	LDQ(1, (2+high), 1) \
	LOW(0, 2) \
	HIGH(0, 3) \
	PAIR(1, 4) \
	PAIRH(1, 5) \
	SHL16(4, 4, 4) \
	SHL16(4, 5, 5) \
	ORR16(4, 2, 2) \
	ORR16(5, 3, 3) \
	SUB16(31, 2, 2) \
	SUB16(31, 3, 3) \
	STQAT(5, j, 2) \
	STQAT(5, (8+j), 3)

// Q3K_GROUP(s, i, PAIR) writes the i-th four columns of the s-th 32, modulo 256: four times the factors, V12-V15, where the bit of V10 is not set in
// hmask, less the pair of bits times the factors V16-V19.
#define Q3K_GROUP(s, i, PAIR) \
	LDQ(1, (14+32*((s)/4)+4*(i)), 0) \
	LDQ(1, (15+32*((s)/4)+4*(i)), 1) \
	LDQ(1, (16+32*((s)/4)+4*(i)), 2) \
	LDQ(1, (17+32*((s)/4)+4*(i)), 3) \
	LDQ(1, (78+4*(i)), 4) \
	LDQ(1, (79+4*(i)), 5) \
	LDQ(1, (80+4*(i)), 6) \
	LDQ(1, (81+4*(i)), 7) \
	PAIR(0, 0) \
	PAIR(1, 1) \
	PAIR(2, 2) \
	PAIR(3, 3) \
	CMTST16(10, 4, 4) \
	CMTST16(10, 5, 5) \
	CMTST16(10, 6, 6) \
	CMTST16(10, 7, 7) \
	BIC16(4, 12, 4) \
	BIC16(5, 13, 5) \
	BIC16(6, 14, 6) \
	BIC16(7, 15, 7) \
	MLS16(16, 0, 4) \
	MLS16(17, 1, 5) \
	MLS16(18, 2, 6) \
	MLS16(19, 3, 7) \
	STQAT(0, (4+4*(i)), 4) \
	STQAT(0, (5+4*(i)), 5) \
	STQAT(0, (6+4*(i)), 6) \
	STQAT(0, (7+4*(i)), 7)

// Q3K_FACTOR(run) spreads the factors of a run over four columns.
#define Q3K_FACTOR(run) \
	LDQ(5, (run), 0) \
	TBL16(24, 0, 16) \
	TBL16(25, 0, 17) \
	TBL16(26, 0, 18) \
	TBL16(27, 0, 19) \
	SHL16(2, 16, 12) \
	SHL16(2, 17, 13) \
	SHL16(2, 18, 14) \
	SHL16(2, 19, 15)

#define Q3K(s, PAIR) \
	VMOVI $(1<<(s)), V10.B16 \
	STORE_SCALES(20, 21, 22, 23) \
	Q3K_FACTOR(2*(s)) \
	Q3K_GROUP(s, 0, PAIR) \
	Q3K_GROUP(s, 1, PAIR) \
	Q3K_GROUP(s, 2, PAIR) \
	Q3K_GROUP(s, 3, PAIR) \
	Q3K_FACTOR(2*(s)+1) \
	Q3K_GROUP(s, 4, PAIR) \
	Q3K_GROUP(s, 5, PAIR) \
	Q3K_GROUP(s, 6, PAIR) \
	Q3K_GROUP(s, 7, PAIR) \
	ADD $576, R0

// EACH_FOUR loads the patterns of eachFour.
#define EACH_FOUR \
	MOVD $eachFour<>(SB), R4 \
	FLDPQ (R4), (F24, F25) \
	FLDPQ 32(R4), (F26, F27)

// func unpackQ3KNeon(dst, tile *byte, blocks int)
//
//	R5  scratch: factors of 16 runs
//	V20-V23  -d    V28, V30 masks of nibbles and pairs    V31 32
TEXT ·unpackQ3KNeon(SB), 0, $256-24
	MOVD  dst+0(FP), R0
	MOVD  tile+8(FP), R1
	MOVD  blocks+16(FP), R2
	MOVD  $scratch-256(SP), R5
	EACH_FOUR
	VMOVI $0x0f, V28.B16
	VMOVI $3, V30.B16
	VMOVI $32, V31.B16

block_loop:
	Q3K_FACTORS(0, 8, PAIR0, PAIR2)
	Q3K_FACTORS(1, 9, PAIR0, PAIR2)
	Q3K_FACTORS(2, 10, PAIR0, PAIR2)
	Q3K_FACTORS(3, 11, PAIR0, PAIR2)
	Q3K_FACTORS(4, 8, PAIR1, PAIR3)
	Q3K_FACTORS(5, 9, PAIR1, PAIR3)
	Q3K_FACTORS(6, 10, PAIR1, PAIR3)
	Q3K_FACTORS(7, 11, PAIR1, PAIR3)
	READ_SCALES
	FNEG4(20, 20)
	FNEG4(21, 21)
	FNEG4(22, 22)
	FNEG4(23, 23)
	Q3K(0, PAIR0)
	Q3K(1, PAIR1)
	Q3K(2, PAIR2)
	Q3K(3, PAIR3)
	Q3K(4, PAIR0)
	Q3K(5, PAIR1)
	Q3K(6, PAIR2)
	Q3K(7, PAIR3)
	ADD  $1760, R1
	SUBS $1, R2
	BNE  block_loop
	RET

// LOOKUP(i, a) makes four elements in a of the i-th index in R10.
#define LOOKUP(i, a) \
	UBFX  $(16*i), R10, $16, a \
	MOVWU (R3)(a<<2), a

#define LOOKUP4(from, to) \
	MOVD from, R10 \
	LOOKUP(0, R11) \
	LOOKUP(1, R12) \
	LOOKUP(2, R13) \
	LOOKUP(3, R14) \
	STPW (R11, R12), (to)(R0) \
	STPW (R13, R14), (to+8)(R0)

// LOOKUP16(j) writes the j-th four columns of 16 rows.
#define LOOKUP16(j) \
	LOOKUP4((32*j)(R9), (64+64*j)) \
	LOOKUP4((32*j+8)(R9), (80+64*j)) \
	LOOKUP4((32*j+16)(R9), (96+64*j)) \
	LOOKUP4((32*j+24)(R9), (112+64*j))

#define LOOKUPS \
	LOOKUP16(0) \
	LOOKUP16(1) \
	LOOKUP16(2) \
	LOOKUP16(3) \
	LOOKUP16(4) \
	LOOKUP16(5) \
	LOOKUP16(6) \
	LOOKUP16(7)

// INDICES(j, high) writes the indices of 16 rows of the j-th four columns to scratch: their bytes at R7, and high ones.
#define INDICES(j, high) \
	LDQ(7, (j), 0) \
	ZIP1B(high, 0, 1) \
	ZIP2B(high, 0, 2) \
	STQAT(9, (2*(j)), 1) \
	STQAT(9, (2*(j)+1), 2)

// IQ3XXS_SCALE(word, d, at) makes V(d)·(s+½)/2 of the top of four words. V30 holds ½.
#define IQ3XXS_SCALE(word, d, at) \
	USHR4(28, word, 0) \
	SCVTF4(0, 0) \
	FADD4(30, 0, 0) \
	FMUL4(30, 0, 0) \
	FMUL4(d, 0, 0) \
	STQAT(0, at, 0)

// IQ3XXS_EIGHT(g, a, b, c, d) writes the indices of the g-th 8 columns: above a byte four signs, which are the low seven bits of the words of
// 16 rows, V(a) … V(d), and their parity. V28 is the mask of nibbles, V31 that of seven bits.
#define IQ3XXS_EIGHT(g, a, b, c, d) \
	UZP18(b, a, 3) \
	UZP18(d, c, 4) \
	UZP1B(4, 3, 3) \
	AND16(31, 3, 3) \
	CNT16(3, 4) \
	SHL16(7, 4, 4) \
	ORR16(4, 3, 3) \
	USHR16(4, 3, 4) \
	AND16(28, 3, 3) \
	INDICES(2*(g), 3) \
	INDICES(2*(g)+1, 4)

// WORDS(s) shifts the words right, to V12-V15.
#define WORDS(s) \
	USHR4(s, 8, 12) \
	USHR4(s, 9, 13) \
	USHR4(s, 10, 14) \
	USHR4(s, 11, 15)

// func unpackIQ3XXSNeon(dst, tile *byte, blocks int, values *[16 * 256]uint32)
//
//	R5  32 columns of the block left    R6  words of signs and scales    R7  bytes of indices    R9  scratch: indices
//	V8-V11  words    V20-V23  d
TEXT ·unpackIQ3XXSNeon(SB), 0, $256-32
	ARGUMENTS
	MOVD  $scratch-256(SP), R9
	MOVD  $0x3f000000, R4
	VDUP  R4, V30.S4
	VMOVI $0x0f, V28.B16
	VMOVI $0x7f, V31.B16

block_loop:
	READ_SCALES
	ADD  $32, R1, R7
	ADD  $1056, R1, R6
	MOVD $8, R5

run_loop:
	FLDPQ (R6), (F8, F9)
	FLDPQ 32(R6), (F10, F11)
	IQ3XXS_EIGHT(0, 8, 9, 10, 11)
	WORDS(7)
	IQ3XXS_EIGHT(1, 12, 13, 14, 15)
	WORDS(14)
	IQ3XXS_EIGHT(2, 12, 13, 14, 15)
	WORDS(21)
	IQ3XXS_EIGHT(3, 12, 13, 14, 15)
	IQ3XXS_SCALE(8, 20, 0)
	IQ3XXS_SCALE(9, 21, 1)
	IQ3XXS_SCALE(10, 22, 2)
	IQ3XXS_SCALE(11, 23, 3)
	LOOKUPS
	ADD  $64, R6
	ADD  $128, R7
	ADD  $576, R0
	SUBS $1, R5
	BNE  run_loop
	ADD  $1568, R1
	SUBS $1, R2
	BNE  block_loop
	RET

// BIT0(n, d) … BIT7(n, d) take one bit of bytes; V30 holds ones.
#define BIT0(n, d) AND16(30, n, d)
#define BIT1(n, d) USHR16(1, n, d) \
	AND16(30, d, d)
#define BIT2(n, d) USHR16(2, n, d) \
	AND16(30, d, d)
#define BIT3(n, d) USHR16(3, n, d) \
	AND16(30, d, d)
#define BIT4(n, d) USHR16(4, n, d) \
	AND16(30, d, d)
#define BIT5(n, d) USHR16(5, n, d) \
	AND16(30, d, d)
#define BIT6(n, d) USHR16(6, n, d) \
	AND16(30, d, d)
#define BIT7(n, d) USHR16(7, n, d)

// IQ3S_EIGHT(g, BIT, BITH) writes the indices of the g-th 8 columns: above a byte a bit of V8 and four signs. V29 is the mask of these.
#define IQ3S_EIGHT(g, BIT, BITH) \
	LDQ(6, g, 3) \
	SHL16(1, 3, 4) \
	USHR16(3, 3, 3) \
	AND16(29, 4, 4) \
	AND16(29, 3, 3) \
	BIT(8, 5) \
	BITH(8, 6) \
	ORR16(5, 4, 4) \
	ORR16(6, 3, 3) \
	INDICES(2*(g), 4) \
	INDICES(2*(g)+1, 3)

// IQ3S_RUN(NIBBLE) unpacks 32 columns; NIBBLE takes their scales, d·(1+2·s), from bytes. V30 holds ones.
#define IQ3S_RUN(NIBBLE) \
	FMOVQ (R8), F8 \
	IQ3S_EIGHT(0, BIT0, BIT1) \
	IQ3S_EIGHT(1, BIT2, BIT3) \
	IQ3S_EIGHT(2, BIT4, BIT5) \
	IQ3S_EIGHT(3, BIT6, BIT7) \
	FMOVQ (R20), F0 \
	NIBBLE(0, 0) \
	SHL16(1, 0, 0) \
	ORR16(30, 0, 0) \
	FLOATS(0, 20, 21, 22, 23, USHLL8, USHLLH8, USHLL4, USHLLH4) \
	LOOKUPS \
	ADD $64, R6 \
	ADD $128, R7 \
	ADD $16, R8 \
	ADD $576, R0

// func unpackIQ3SNeon(dst, tile *byte, blocks int, values *[16 * 512]uint32)
//
//	R5  64 columns of the block left    R6  signs    R7  bytes of indices    R8  high bits of these    R9  scratch: indices
//	R20 scales
//	V20-V23  d    V28 mask of nibbles
TEXT ·unpackIQ3SNeon(SB), 0, $256-32
	ARGUMENTS
	MOVD  $scratch-256(SP), R9
	VMOVI $0x0f, V28.B16
	VMOVI $0x1e, V29.B16
	VMOVI $1, V30.B16

block_loop:
	READ_SCALES
	ADD  $32, R1, R20
	ADD  $96, R1, R8
	ADD  $224, R1, R6
	ADD  $736, R1, R7
	MOVD $4, R5

run_loop:
	IQ3S_RUN(LOW)
	IQ3S_RUN(HIGH)
	ADD  $16, R20
	SUBS $1, R5
	BNE  run_loop
	ADD  $1760, R1
	SUBS $1, R2
	BNE  block_loop
	RET

// Q5K_SCALE(s) makes the scales of the s-th 32 columns, bytes of 16 rows, in V0, Q5K_MINIMUM(s) the minima; Q5K_SCALEH and Q5K_MINIMUMH are for s
// above 3. V29 is the mask of six bits.
#define Q5K_SCALE(s) \
	LDQ(1, (4+(s)), 0) \
	AND16(29, 0, 0)

#define Q5K_MINIMUM(s) \
	LDQ(1, (8+(s)), 0) \
	AND16(29, 0, 0)

#define Q5K_SCALEH(s) \
	LDQ(1, (8+(s)), 0) \
	LDQ(1, (s), 1) \
	AND16(28, 0, 0) \
	USHR16(6, 1, 1) \
	SHL16(4, 1, 1) \
	ORR16(1, 0, 0)

#define Q5K_MINIMUMH(s) \
	LDQ(1, (8+(s)), 0) \
	LDQ(1, (4+(s)), 1) \
	USHR16(4, 0, 0) \
	USHR16(6, 1, 1) \
	SHL16(4, 1, 1) \
	ORR16(1, 0, 0)

// Q5K_GROUP(s, i, NIBBLE) writes the i-th four columns of the s-th 32: nibbles, and 16 where the bit of V10 is set in qh. V31 holds 16s.
#define Q5K_GROUP(s, i, NIBBLE) \
	LDQ(1, (16+32*((s)/2)+4*(i)), 0) \
	LDQ(1, (17+32*((s)/2)+4*(i)), 1) \
	LDQ(1, (18+32*((s)/2)+4*(i)), 2) \
	LDQ(1, (19+32*((s)/2)+4*(i)), 3) \
	LDQ(1, (144+4*(i)), 4) \
	LDQ(1, (145+4*(i)), 5) \
	LDQ(1, (146+4*(i)), 6) \
	LDQ(1, (147+4*(i)), 7) \
	NIBBLE(0, 0) \
	NIBBLE(1, 1) \
	NIBBLE(2, 2) \
	NIBBLE(3, 3) \
	CMTST16(10, 4, 4) \
	CMTST16(10, 5, 5) \
	CMTST16(10, 6, 6) \
	CMTST16(10, 7, 7) \
	BIT16(31, 4, 0) \
	BIT16(31, 5, 1) \
	BIT16(31, 6, 2) \
	BIT16(31, 7, 3) \
	STQAT(0, (8+4*(i)), 0) \
	STQAT(0, (9+4*(i)), 1) \
	STQAT(0, (10+4*(i)), 2) \
	STQAT(0, (11+4*(i)), 3)

#define Q5K(s, SCALE, MINIMUM, NIBBLE) \
	VMOVI $(1<<(s)), V10.B16 \
	SCALE(s) \
	FLOATS(0, 20, 21, 22, 23, USHLL8, USHLLH8, USHLL4, USHLLH4) \
	MINIMUM(s) \
	FLOATS(4, 24, 25, 26, 27, USHLL8, USHLLH8, USHLL4, USHLLH4) \
	Q5K_GROUP(s, 0, NIBBLE) \
	Q5K_GROUP(s, 1, NIBBLE) \
	Q5K_GROUP(s, 2, NIBBLE) \
	Q5K_GROUP(s, 3, NIBBLE) \
	Q5K_GROUP(s, 4, NIBBLE) \
	Q5K_GROUP(s, 5, NIBBLE) \
	Q5K_GROUP(s, 6, NIBBLE) \
	Q5K_GROUP(s, 7, NIBBLE) \
	ADD $640, R0

// func unpackQ5KNeon(dst, tile *byte, blocks int)
//
//	V20-V23  d    V24-V27  dmin    V28 mask of nibbles
TEXT ·unpackQ5KNeon(SB), NOSPLIT, $0-24
	MOVD  dst+0(FP), R0
	MOVD  tile+8(FP), R1
	MOVD  blocks+16(FP), R2
	VMOVI $0x0f, V28.B16
	VMOVI $63, V29.B16
	VMOVI $16, V31.B16

block_loop:
	READ_SCALES
	FLDPQ 32(R1), (F0, F1)
	FCVTL4(0, 24)
	FCVTLH4(0, 25)
	FCVTL4(1, 26)
	FCVTLH4(1, 27)
	Q5K(0, Q5K_SCALE, Q5K_MINIMUM, LOW)
	Q5K(1, Q5K_SCALE, Q5K_MINIMUM, HIGH)
	Q5K(2, Q5K_SCALE, Q5K_MINIMUM, LOW)
	Q5K(3, Q5K_SCALE, Q5K_MINIMUM, HIGH)
	Q5K(4, Q5K_SCALEH, Q5K_MINIMUMH, LOW)
	Q5K(5, Q5K_SCALEH, Q5K_MINIMUMH, HIGH)
	Q5K(6, Q5K_SCALEH, Q5K_MINIMUMH, LOW)
	Q5K(7, Q5K_SCALEH, Q5K_MINIMUMH, HIGH)
	ADD  $2816, R1
	SUBS $1, R2
	BNE  block_loop
	RET

// FLOATPAIRS(a, b, c, d) writes V(a) … V(d) times the 16 bytes of V0, each twice, to (R4). Bytes become floats above 2^23, which V30 has as the high halves of
// integers, and V11 as floats; V9 is 0.
#define FLOATPAIRS(a, b, c, d) \
	VZIP2 V9.B16, V0.B16, V5.B16 \
	VZIP1 V9.B16, V0.B16, V4.B16 \
	VZIP1 V30.H8, V4.H8, V0.H8 \
	VZIP2 V30.H8, V4.H8, V2.H8 \
	VZIP1 V30.H8, V5.H8, V4.H8 \
	VZIP2 V30.H8, V5.H8, V6.H8 \
	FSUB4(11, 0, 0) \
	FSUB4(11, 2, 2) \
	FSUB4(11, 4, 4) \
	FSUB4(11, 6, 6) \
	FMUL4(a, 0, 1) \
	FMUL4(a, 0, 0) \
	FMUL4(b, 2, 3) \
	FMUL4(b, 2, 2) \
	FMUL4(c, 4, 5) \
	FMUL4(c, 4, 4) \
	FMUL4(d, 6, 7) \
	FMUL4(d, 6, 6) \
	VST2.P [V0.S4, V1.S4], 32(R4) \
	VST2.P [V2.S4, V3.S4], 32(R4) \
	VST2.P [V4.S4, V5.S4], 32(R4) \
	VST2.P [V6.S4, V7.S4], 32(R4)

// Q5K_PAIRS(s, j, NIBBLE) writes the j-th eight columns of the s-th 32 to (R4), as Q5K_GROUP does four.
#define Q5K_PAIRS(s, j, NIBBLE) \
	LDQ(1, (16+32*((s)/2)+8*(j)), 0) \
	LDQ(1, (20+32*((s)/2)+8*(j)), 1) \
	LDQ(1, (17+32*((s)/2)+8*(j)), 2) \
	LDQ(1, (21+32*((s)/2)+8*(j)), 3) \
	LDQ(1, (18+32*((s)/2)+8*(j)), 4) \
	LDQ(1, (22+32*((s)/2)+8*(j)), 5) \
	LDQ(1, (19+32*((s)/2)+8*(j)), 6) \
	LDQ(1, (23+32*((s)/2)+8*(j)), 7) \
	LDQ(1, (144+8*(j)), 12) \
	LDQ(1, (148+8*(j)), 13) \
	LDQ(1, (145+8*(j)), 14) \
	LDQ(1, (149+8*(j)), 15) \
	LDQ(1, (146+8*(j)), 16) \
	LDQ(1, (150+8*(j)), 17) \
	LDQ(1, (147+8*(j)), 18) \
	LDQ(1, (151+8*(j)), 19) \
	NIBBLE(0, 0) \
	NIBBLE(1, 1) \
	NIBBLE(2, 2) \
	NIBBLE(3, 3) \
	NIBBLE(4, 4) \
	NIBBLE(5, 5) \
	NIBBLE(6, 6) \
	NIBBLE(7, 7) \
	CMTST16(10, 12, 12) \
	CMTST16(10, 13, 13) \
	CMTST16(10, 14, 14) \
	CMTST16(10, 15, 15) \
	CMTST16(10, 16, 16) \
	CMTST16(10, 17, 17) \
	CMTST16(10, 18, 18) \
	CMTST16(10, 19, 19) \
	BIT16(31, 12, 0) \
	BIT16(31, 13, 1) \
	BIT16(31, 14, 2) \
	BIT16(31, 15, 3) \
	BIT16(31, 16, 4) \
	BIT16(31, 17, 5) \
	BIT16(31, 18, 6) \
	BIT16(31, 19, 7) \
	VST2.P [V0.S4, V1.S4], 32(R4) \
	VST2.P [V2.S4, V3.S4], 32(R4) \
	VST2.P [V4.S4, V5.S4], 32(R4) \
	VST2.P [V6.S4, V7.S4], 32(R4)

#define Q5KPAIRS(s, SCALE, MINIMUM, NIBBLE) \
	VMOVI $(1<<(s)), V10.B16 \
	SCALE(s) \
	FLOATPAIRS(20, 21, 22, 23) \
	MINIMUM(s) \
	FLOATPAIRS(24, 25, 26, 27) \
	Q5K_PAIRS(s, 0, NIBBLE) \
	Q5K_PAIRS(s, 1, NIBBLE) \
	Q5K_PAIRS(s, 2, NIBBLE) \
	Q5K_PAIRS(s, 3, NIBBLE)

// func unpackQ5KPairsNeon(dst, tile *byte, blocks int)
//
//	R4  dst    V20-V23  d    V24-V27  dmin    V28 mask of nibbles    V11 2^23
TEXT ·unpackQ5KPairsNeon(SB), NOSPLIT, $0-24
	MOVD  dst+0(FP), R4
	MOVD  tile+8(FP), R1
	MOVD  blocks+16(FP), R2
	MOVD  $0x4b000000, R5
	LSR   $16, R5, R6
	VDUP  R5, V11.S4
	VDUP  R6, V30.H8
	ZERO(9)
	VMOVI $0x0f, V28.B16
	VMOVI $63, V29.B16
	VMOVI $16, V31.B16

block_loop:
	READ_SCALES
	FLDPQ 32(R1), (F0, F1)
	FCVTL4(0, 24)
	FCVTLH4(0, 25)
	FCVTL4(1, 26)
	FCVTLH4(1, 27)
	Q5KPAIRS(0, Q5K_SCALE, Q5K_MINIMUM, LOW)
	Q5KPAIRS(1, Q5K_SCALE, Q5K_MINIMUM, HIGH)
	Q5KPAIRS(2, Q5K_SCALE, Q5K_MINIMUM, LOW)
	Q5KPAIRS(3, Q5K_SCALE, Q5K_MINIMUM, HIGH)
	Q5KPAIRS(4, Q5K_SCALEH, Q5K_MINIMUMH, LOW)
	Q5KPAIRS(5, Q5K_SCALEH, Q5K_MINIMUMH, HIGH)
	Q5KPAIRS(6, Q5K_SCALEH, Q5K_MINIMUMH, LOW)
	Q5KPAIRS(7, Q5K_SCALEH, Q5K_MINIMUMH, HIGH)
	ADD  $2816, R1
	SUBS $1, R2
	BNE  block_loop
	RET
