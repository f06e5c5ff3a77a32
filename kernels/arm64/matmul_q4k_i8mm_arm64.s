#include "textflag.h"
#include "enc_arm64.h"
#include "pairs_arm64.h"
#include "scales_q4k_arm64.h"

// Products of Q4_K weights with pairs a, b of rows of activations in wideForm: the same integers and the same operations on
// floats as in matmul_q4k_arm64.s, in lanes [ra, rb, sa, sb] for each pair r, s of rows of weights.

// The bytes that TBL takes for the scales of row pair p: 32-bit lanes of rows r, r, s, s, from 16 bytes. Between them, the
// mask of scales_q4k_arm64.h. Behind them, the same for the sums of activations: 16-bit lanes a, b, a, b of the low nibbles'
// columns, then of the high ones'.
DATA pairs<>+0(SB)/8, $0xffffff00ffffff00
DATA pairs<>+8(SB)/8, $0xffffff01ffffff01
DATA pairs<>+16(SB)/8, $0xffffff02ffffff02
DATA pairs<>+24(SB)/8, $0xffffff03ffffff03
DATA pairs<>+32(SB)/8, $0xffffff04ffffff04
DATA pairs<>+40(SB)/8, $0xffffff05ffffff05
DATA pairs<>+48(SB)/8, $0xffffff06ffffff06
DATA pairs<>+56(SB)/8, $0xffffff07ffffff07
DATA pairs<>+64(SB)/8, $0x3f3f3f3f3f3f3f3f
DATA pairs<>+72(SB)/8, $0x3f3f3f3f3f3f3f3f
DATA pairs<>+80(SB)/8, $0xffffff08ffffff08
DATA pairs<>+88(SB)/8, $0xffffff09ffffff09
DATA pairs<>+96(SB)/8, $0xffffff0affffff0a
DATA pairs<>+104(SB)/8, $0xffffff0bffffff0b
DATA pairs<>+112(SB)/8, $0xffffff0cffffff0c
DATA pairs<>+120(SB)/8, $0xffffff0dffffff0d
DATA pairs<>+128(SB)/8, $0xffffff0effffff0e
DATA pairs<>+136(SB)/8, $0xffffff0fffffff0f
DATA pairs<>+144(SB)/8, $0x0d0c09080d0c0908
DATA pairs<>+152(SB)/8, $0x0f0e0b0a0f0e0b0a
GLOBL pairs<>(SB), RODATA|NOPTR, $160

// UNPACK takes 4 rows × 32 columns of both nibbles at R1, rows 4g … 4g+3, apart: to R9, for each pair of rows, 4 registers
// of 2 rows × 8 columns of the low nibbles, then 4 of the high ones. V31 is a mask.
#define UNPACK(g) \
	FMOVQ (16*g)(R1), F0 \
	FMOVQ (64+16*g)(R1), F1 \
	FMOVQ (128+16*g)(R1), F2 \
	FMOVQ (192+16*g)(R1), F3 \
	FMOVQ (256+16*g)(R1), F4 \
	FMOVQ (320+16*g)(R1), F5 \
	FMOVQ (384+16*g)(R1), F6 \
	FMOVQ (448+16*g)(R1), F7 \
	VZIP1 V1.S4, V0.S4, V8.S4 \
	VZIP1 V3.S4, V2.S4, V9.S4 \
	VZIP1 V5.S4, V4.S4, V10.S4 \
	VZIP1 V7.S4, V6.S4, V11.S4 \
	VZIP2 V1.S4, V0.S4, V12.S4 \
	VZIP2 V3.S4, V2.S4, V13.S4 \
	VZIP2 V5.S4, V4.S4, V14.S4 \
	VZIP2 V7.S4, V6.S4, V15.S4 \
	NIBBLES(256*g, 8, 9, F8, F9) \
	NIBBLES(256*g+32, 10, 11, F10, F11) \
	NIBBLES(256*g+128, 12, 13, F12, F13) \
	NIBBLES(256*g+160, 14, 15, F14, F15)

#define NIBBLES(off, a, b, fa, fb) \
	AND16(31, a, 16) \
	AND16(31, b, 17) \
	USHR16(4, a, a) \
	USHR16(4, b, b) \
	FSTPQ (F16, F17), (off)(R9) \
	FSTPQ (fa, fb), (off+64)(R9)

// EXPAND makes lanes of them at R10, 48 bytes for each pair of rows: scales of the low nibbles, of the high ones, and
// 16-bit minima of both.
#define EXPAND \
	VUXTL2 V4.B16, V5.H8 \
	VUXTL  V4.B8, V4.H8 \
	VUXTL2 V6.B16, V7.H8 \
	VUXTL  V6.B8, V6.H8 \
	EXPAND4(0, 0, V4, V6) \
	EXPAND4(4, 80, V5, V7) \
	ADD    $384, R10

// EXPAND4 is EXPAND for 4 pairs, with the bytes for TBL from at on.
#define EXPAND4(p, at, lo, hi) \
	VZIP1  lo.H8, lo.H8, V16.H8 \
	VZIP2  lo.H8, lo.H8, V17.H8 \
	VZIP1  hi.H8, hi.H8, V18.H8 \
	VZIP2  hi.H8, hi.H8, V19.H8 \
	VZIP1  V18.D2, V16.D2, V20.D2 \
	VZIP2  V18.D2, V16.D2, V21.D2 \
	VZIP1  V19.D2, V17.D2, V22.D2 \
	VZIP2  V19.D2, V17.D2, V23.D2 \
	EXPAND1(p, at, F20) \
	EXPAND1(p+1, at+16, F21) \
	EXPAND1(p+2, at+32, F22) \
	EXPAND1(p+3, at+48, F23)

#define EXPAND1(p, at, minima) \
	FMOVQ (at)(R12), F2 \
	VTBL  V2.B16, [V12.B16], V0.B16 \
	VTBL  V2.B16, [V13.B16], V1.B16 \
	FMOVQ F0, (48*(p))(R10) \
	FMOVQ F1, (48*(p)+16)(R10) \
	FMOVQ minima, (48*(p)+32)(R10)

// PAIR multiplies row pair p of the chunk: sums of the low nibbles' columns in V4, of the high ones' in V5.
#define PAIR(p) \
	FLDPQ 16(R8), (F4, F5) \
	FLDPQ (128*p)(R1), (F0, F1) \
	FLDPQ (128*p+32)(R1), (F2, F3) \
	SMMLA(8, 0, 4) \
	SMMLA(9, 1, 4) \
	SMMLA(10, 2, 4) \
	SMMLA(11, 3, 4) \
	FLDPQ (128*p+64)(R1), (F0, F1) \
	FLDPQ (128*p+96)(R1), (F2, F3) \
	SMMLA(12, 0, 5) \
	SMMLA(13, 1, 5) \
	SMMLA(14, 2, 5) \
	SMMLA(15, 3, 5) \
	FLDPQ (48*p)(R9), (F0, F1) \
	FMOVQ (48*p+32)(R9), F3 \
	MUL4(0, 4, 2) \
	MLA4(1, 5, 2) \
	SCVTF4(2, 2) \
	FMLA4(7, 2, 16+p) \
	FMOVQ (R8), F0 \
	FMOVQ (R8), F1 \
	SMLAL4(6, 3, 0) \
	SMLALH4(6, 3, 0) \
	FSUB4(1, 0, 0) \
	FMLA4(7, 0, 24+p)

// FINISH adds the sums of 4 rows of weights, V(s) … V(t), times d, less those of the minima, V(m) … V(n), times dmin, to
// both rows of dst.
#define FINISH(g, s, t, m, n) \
	UZP14(t, s, 0) \
	UZP24(t, s, 1) \
	UZP14(n, m, 2) \
	UZP24(n, m, 3) \
	FMOVQ (16*g)(R21), F4 \
	FMOVQ (16*g+64)(R21), F5 \
	FMOVQ (16*g)(R0), F6 \
	FMOVQ (16*g)(R20), F7 \
	VFMLA V0.S4, V4.S4, V6.S4 \
	VFMLA V1.S4, V4.S4, V7.S4 \
	VFMLS V2.S4, V5.S4, V6.S4 \
	VFMLS V3.S4, V5.S4, V7.S4 \
	FMOVQ F6, (16*g)(R0) \
	FMOVQ F7, (16*g)(R20)

// func gemmQ4KI8mm(dst *float32, ldd int, w *byte, q *byte, stride, blocks, rows int)
//
//	R0, R20 dst of rows a, b       R1  unpacked weights of the chunk    R3  activations of the block, first row
//	R4  stride    R5  blocks left  R6  activations of the chunk         R7  rows left
//	R8  start     R9  scales of the chunk    R10 chunks left            R11 block of weights
//	R12 pairs<>   R13 first row of dst       R14 bytes from row to row of it    R15 rows
//	R19 activations of the next pair         R21 d, dmin as float32     R22 end of a loop
//	V0-V5   weights, sums of the chunk, scales    V6 sums of the activations    V7 their scales a, b, a, b
//	V8-V15  activations, 2 rows × 8 columns each
//	V16-V23 sums of the block, one register for each pair of rows    V24-V31 those of the minima
//
// Every block is unpacked to scratch memory: 4096 bytes of weights, 1536 of scales, 128 of d and dmin. rows is even.
TEXT ·gemmQ4KI8mm(SB), $5760-56
	MOVD dst+0(FP), R13
	MOVD ldd+8(FP), R14
	MOVD w+16(FP), R11
	MOVD q+24(FP), R3
	MOVD stride+32(FP), R4
	MOVD blocks+40(FP), R5
	MOVD rows+48(FP), R15
	LSL  $2, R14
	MOVD $·start(SB), R8
	MOVD $pairs<>(SB), R12

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
	ADD   $256, R11, R1
	MOVD  $scratch-5760(SP), R9
	ADD   $4096, R9, R10
	VMOVI $0x0f, V31.B16
	MOVD  R10, R22

unpack_loop:
	UNPACK(0)
	UNPACK(1)
	UNPACK(2)
	UNPACK(3)
	ADD $512, R1
	ADD $1024, R9
	CMP R22, R9
	BNE unpack_loop

	LOWSCALES(0)
	EXPAND
	LOWSCALES(1)
	EXPAND
	HIGHSCALES(0)
	EXPAND
	HIGHSCALES(1)
	EXPAND
	MOVD  R10, R21
	FLDPQ (R11), (F1, F3)
	FLDPQ 32(R11), (F5, F7)
	FCVTL4(1, 0)
	FCVTLH4(1, 1)
	FCVTL4(3, 2)
	FCVTLH4(3, 3)
	FCVTL4(5, 4)
	FCVTLH4(5, 5)
	FCVTL4(7, 6)
	FCVTLH4(7, 7)
	FSTPQ (F0, F1), (R21)
	FSTPQ (F2, F3), 32(R21)
	FSTPQ (F4, F5), 64(R21)
	FSTPQ (F6, F7), 96(R21)

	MOVD R13, R0
	MOVD R3, R19
	MOVD R15, R7

row_loop:
	MOVD  R19, R6
	ADD   $288, R19
	ADD   R14, R0, R20
	MOVD  $scratch-5760(SP), R1
	ADD   $4096, R1, R9
	MOVD  $4, R10
	FLDPQ 16(R8), (F16, F17)
	FLDPQ 16(R8), (F18, F19)
	FLDPQ 16(R8), (F20, F21)
	FLDPQ 16(R8), (F22, F23)
	FLDPQ 16(R8), (F24, F25)
	FLDPQ 16(R8), (F26, F27)
	FLDPQ 16(R8), (F28, F29)
	FLDPQ 16(R8), (F30, F31)

chunk_loop:
	ACTIVATIONS
	FMOVD 128(R6), F0
	FMOVD 272(R6), F1
	FMOVQ 144(R12), F2
	VZIP1 V1.S4, V0.S4, V0.S4
	VTBL  V2.B16, [V0.B16], V6.B16
	VDUP  V0.D[0], V7.D2
	PAIR(0)
	PAIR(1)
	PAIR(2)
	PAIR(3)
	PAIR(4)
	PAIR(5)
	PAIR(6)
	PAIR(7)
	ADD  R4, R6
	ADD  $1024, R1
	ADD  $384, R9
	SUBS $1, R10
	BNE  chunk_loop

	FINISH(0, 16, 17, 24, 25)
	FINISH(1, 18, 19, 26, 27)
	FINISH(2, 20, 21, 28, 29)
	FINISH(3, 22, 23, 30, 31)
	ADD  R14<<1, R0
	SUBS $2, R7
	BNE  row_loop

	ADD  $2304, R11
	ADD  R4<<2, R3
	SUBS $1, R5
	BNE  block_loop
	RET
