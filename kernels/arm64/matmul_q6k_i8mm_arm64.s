#include "textflag.h"
#include "enc_arm64.h"
#include "pairs_arm64.h"
#include "unpack_q6k_arm64.h"

// Products of Q6_K weights with pairs a, b of rows of activations in wideForm: the same integers and the same operations on
// floats as in matmul_q6k_arm64.s, in lanes [ra, rb, sa, sb] for each pair r, s of rows of weights.

// OCTET unpacks 4 rows × 8 columns of each quarter of half a block to R20: for the chunk of the first two quarters, and
// 1024 bytes behind it for that of the last two, and for both pairs of rows, 128 bytes apart, registers of 2 rows × 8 columns.
#define OCTET(o) \
	UNPACKTO(128*o, V16, V17, V18, V19, F16, F17) \
	UNPACK(128*o+64) \
	VZIP1 V0.S4, V16.S4, V20.S4 \
	VZIP2 V0.S4, V16.S4, V21.S4 \
	VZIP1 V1.S4, V17.S4, V22.S4 \
	VZIP2 V1.S4, V17.S4, V23.S4 \
	VZIP1 V4.S4, V18.S4, V24.S4 \
	VZIP2 V4.S4, V18.S4, V25.S4 \
	VZIP1 V5.S4, V19.S4, V26.S4 \
	VZIP2 V5.S4, V19.S4, V27.S4 \
	FMOVQ F20, (16*o)(R20) \
	FMOVQ F21, (16*o+128)(R20) \
	FMOVQ F22, (16*o+64)(R20) \
	FMOVQ F23, (16*o+192)(R20) \
	FMOVQ F24, (16*o+1024)(R20) \
	FMOVQ F25, (16*o+1152)(R20) \
	FMOVQ F26, (16*o+1088)(R20) \
	FMOVQ F27, (16*o+1216)(R20)

// EXPAND makes 32-bit lanes r, r, s, s of 16 scales at R9, 64 bytes from pair to pair.
#define EXPAND(at) \
	FMOVQ.P 16(R19), F0 \
	SSHLL8(0, 0, 1) \
	SSHLLH8(0, 0, 2) \
	SSHLL4(0, 1, 4) \
	SSHLLH4(0, 1, 5) \
	SSHLL4(0, 2, 6) \
	SSHLLH4(0, 2, 7) \
	EXPAND2(at, V4) \
	EXPAND2(at+128, V5) \
	EXPAND2(at+256, V6) \
	EXPAND2(at+384, V7)

#define EXPAND2(at, scales) \
	VZIP1 scales.S4, scales.S4, V0.S4 \
	VZIP2 scales.S4, scales.S4, V1.S4 \
	FMOVQ F0, (at)(R9) \
	FMOVQ F1, (at+64)(R9)

// PAIR multiplies row pair p of the chunk.
#define PAIR(p) \
	FLDPQ (R21), (F24, F25) \
	FLDPQ 32(R21), (F26, F27) \
	FLDPQ (128*p)(R1), (F0, F1) \
	FLDPQ (128*p+32)(R1), (F2, F3) \
	SMMLA(8, 0, 24) \
	SMMLA(9, 1, 24) \
	SMMLA(10, 2, 25) \
	SMMLA(11, 3, 25) \
	FLDPQ (128*p+64)(R1), (F0, F1) \
	FLDPQ (128*p+96)(R1), (F2, F3) \
	SMMLA(12, 0, 26) \
	SMMLA(13, 1, 26) \
	SMMLA(14, 2, 27) \
	SMMLA(15, 3, 27) \
	FLDPQ (64*p)(R9), (F0, F1) \
	FLDPQ (64*p+32)(R9), (F2, F3) \
	MUL4(0, 24, 4) \
	MLA4(1, 25, 4) \
	MLA4(2, 26, 4) \
	MLA4(3, 27, 4) \
	SCVTF4(4, 4) \
	FMLA4(7, 4, 16+p)

// FINISH adds the sums of 4 rows of weights, V(s) and V(t), times d, to both rows of dst.
#define FINISH(g, s, t) \
	UZP14(t, s, 0) \
	UZP24(t, s, 1) \
	FMOVQ (64+16*g)(R21), F4 \
	FMOVQ (16*g)(R0), F6 \
	FMOVQ (16*g)(R20), F7 \
	VFMLA V0.S4, V4.S4, V6.S4 \
	VFMLA V1.S4, V4.S4, V7.S4 \
	FMOVQ F6, (16*g)(R0) \
	FMOVQ F7, (16*g)(R20)

// func gemmQ6KI8mm(dst *float32, ldd int, w *byte, q *byte, stride, blocks, rows int)
//
//	R0, R20 dst of rows a, b       R1, R13 low and high bits of weights, then R1 unpacked weights of the chunk
//	R3  activations of the block, first row          R4  stride    R5  blocks left
//	R6  activations of the chunk   R7  rows left     R9  scales of the chunk    R10 halves left, then chunks
//	R11 block of weights           R12 row groups left    R14 bytes from row to row of dst    R15 rows
//	R19 scales, then weights of the next 4 rows, then activations of the next pair
//	R20 where to unpack            R21 start values of the chunk, behind them d as float32
//	R22 unpacked weights of 4 rows R23 first row of dst
//	V0-V4   weights, scales and their sum    V7 scales of the activations a, b, a, b
//	V8-V15  activations, 2 rows × 8 columns each
//	V16-V23 sums of the block, one register for each pair of rows    V24-V27 sums of 16 columns
//
// Every block is unpacked to scratch memory: 4096 bytes of weights, 2048 of scales, 64 of start values, 64 of d. rows is even.
TEXT ·gemmQ6KI8mm(SB), $6272-56
	MOVD dst+0(FP), R23
	MOVD ldd+8(FP), R14
	MOVD w+16(FP), R11
	MOVD q+24(FP), R3
	MOVD stride+32(FP), R4
	MOVD blocks+40(FP), R5
	MOVD rows+48(FP), R15
	LSL  $2, R14

	MOVD R23, R0
	MOVD R15, R7
	ZERO(0)
	ZERO(1)

zero_loop:
	FSTPQ (F0, F1), (R0)
	FSTPQ (F0, F1), 32(R0)
	ADD   R14, R0
	SUBS  $1, R7
	BNE   zero_loop

block_loop:
	MOVD  $scratch-6272(SP), R22
	ADD   $4096, R22, R9
	ADD   $32, R11, R19
	VMOVI $0x30, V30.B16
	VMOVI $0x3f, V31.B16
	MOVD  $4, R10

scale_loop:
	EXPAND(0)
	EXPAND(16)
	EXPAND(32)
	EXPAND(48)
	ADD  $512, R9
	SUBS $1, R10
	BNE  scale_loop

	MOVD  R9, R21
	FLDPQ (R11), (F1, F3)
	FCVTL4(1, 0)
	FCVTLH4(1, 1)
	FCVTL4(3, 2)
	FCVTLH4(3, 3)
	FSTPQ (F0, F1), 64(R21)
	FSTPQ (F2, F3), 96(R21)
	MOVD  $4, R12

unpack_group:
	AHEAD
	MOVD R22, R20
	ADD  $256, R22
	MOVD $2, R10

unpack_half:
	OCTET(0)
	OCTET(1)
	OCTET(2)
	OCTET(3)
	FURTHER
	ADD  $2048, R20
	SUBS $1, R10
	BNE  unpack_half

	SUBS $1, R12
	BNE  unpack_group

	MOVD R23, R0
	MOVD R3, R19
	MOVD R15, R7

row_loop:
	MOVD R19, R6
	ADD  $288, R19
	ADD  R14, R0, R20
	MOVD $scratch-6272(SP), R1
	ADD  $4096, R1, R9
	MOVD $4, R10
	ZERO(16)
	ZERO(17)
	ZERO(18)
	ZERO(19)
	ZERO(20)
	ZERO(21)
	ZERO(22)
	ZERO(23)

chunk_loop:
	ACTIVATIONS
	FLDPQ 64(R6), (F0, F1)
	FLDPQ 96(R6), (F2, F3)
	FLDPQ 208(R6), (F4, F5)
	FLDPQ 240(R6), (F6, F7)
	VZIP1 V4.S4, V0.S4, V0.S4
	VZIP1 V5.S4, V1.S4, V1.S4
	VZIP1 V6.S4, V2.S4, V2.S4
	VZIP1 V7.S4, V3.S4, V3.S4
	FSTPQ (F0, F1), (R21)
	FSTPQ (F2, F3), 32(R21)
	FMOVS 128(R6), F0
	FMOVS 272(R6), F1
	VZIP1 V1.S4, V0.S4, V0.S4
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
	ADD  $512, R9
	SUBS $1, R10
	BNE  chunk_loop

	FINISH(0, 16, 17)
	FINISH(1, 18, 19)
	FINISH(2, 20, 21)
	FINISH(3, 22, 23)
	ADD  R14<<1, R0
	SUBS $2, R7
	BNE  row_loop

	ADD  $3360, R11
	ADD  R4<<2, R3
	SUBS $1, R5
	BNE  block_loop
	RET
