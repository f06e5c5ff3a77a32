#include "textflag.h"
#include "enc_arm64.h"
#include "unpack_q6k_arm64.h"

// Products of Q6_K weights with activations in wideForm. The scales of the weights are multiplied in integers; the sums of
// 64 columns become floats and are multiplied with the scale of the activations, those of 256 with d.

// STEPDOTPROD multiplies what UNPACK makes with lanes j of V(a) … V(d), to V24-V27.
#define STEPDOTPROD(j, off, a, b, c, d) \
	UNPACK(off) \
	SDOTE(a, j, 0, 24) \
	SDOTE(b, j, 1, 25) \
	SDOTE(c, j, 4, 26) \
	SDOTE(d, j, 5, 27)

// STEPUNPACKED does so with weights that are unpacked already.
#define STEPUNPACKED(j, off, a, b, c, d) \
	FLDPQ (off)(R1), (F0, F1) \
	FLDPQ (off+32)(R1), (F4, F5) \
	SDOTE(a, j, 0, 24) \
	SDOTE(b, j, 1, 25) \
	SDOTE(c, j, 4, 26) \
	SDOTE(d, j, 5, 27)

// STEPNEON does so in 16 bits, which hold four products of 63·127: to V24-V27 of rows 0 and 1, V6, V13-V15 of 2 and 3.
#define STEPNEON(MUL, MULH, j, off, a, b, c, d) \
	UNPACK(off) \
	DUP4(j, a, 7) \
	DUP4(j, b, 8) \
	MUL(7, 0, 24) \
	MULH(7, 0, 6) \
	MUL(8, 1, 25) \
	MULH(8, 1, 13) \
	DUP4(j, c, 7) \
	DUP4(j, d, 8) \
	MUL(7, 4, 26) \
	MULH(7, 4, 14) \
	MUL(8, 5, 27) \
	MULH(8, 5, 15)

// JOIN makes 32-bit sums of both, from the start value at at.
#define JOIN(lo, hi, at) \
	FMOVQ at, F7 \
	SADDLP4(lo, lo) \
	SADDLP4(hi, hi) \
	ADDP4(hi, lo, lo) \
	ADD4(7, lo, lo)

// TIMES multiplies V24-V27 with the scales, to V28 the quarters 0 and 1, to V29 the quarters 2 and 3.
#define TIMES(scales, PRODUCT) \
	FMOVQ (scales)(R9), F6 \
	FMOVQ (scales+128)(R9), F7 \
	FMOVQ (scales+256)(R9), F8 \
	FMOVQ (scales+384)(R9), F9 \
	PRODUCT(6, 24, 28) \
	MLA4(7, 25, 28) \
	PRODUCT(8, 26, 29) \
	MLA4(9, 27, 29)

// RUNSDOTPROD, RUNSUNPACKED and RUNSNEON multiply the 16 columns of each quarter that share scales. at is where the start values stand,
// scales where the scales do.
#define RUNSSDOT(STEP, off, at, scales, a, b, c, d, PRODUCT) \
	FMOVQ at(R6), F24 \
	FMOVQ (at+32)(R6), F25 \
	FMOVQ at(R14), F26 \
	FMOVQ (at+32)(R14), F27 \
	STEP(0, (off), a, b, c, d) \
	STEP(1, (off+64), a, b, c, d) \
	STEP(2, (off+128), a, b, c, d) \
	STEP(3, (off+192), a, b, c, d) \
	TIMES(scales, PRODUCT)

#define RUNSDOTPROD(off, at, scales, a, b, c, d, PRODUCT) RUNSSDOT(STEPDOTPROD, off, at, scales, a, b, c, d, PRODUCT)
#define RUNSUNPACKED(off, at, scales, a, b, c, d, PRODUCT) RUNSSDOT(STEPUNPACKED, off, at, scales, a, b, c, d, PRODUCT)

#define RUNSNEON(off, at, scales, a, b, c, d, PRODUCT) \
	STEPNEON(SMULL8, SMULLH8, 0, (off), a, b, c, d) \
	STEPNEON(SMLAL8, SMLALH8, 1, (off+64), a, b, c, d) \
	STEPNEON(SMLAL8, SMLALH8, 2, (off+128), a, b, c, d) \
	STEPNEON(SMLAL8, SMLALH8, 3, (off+192), a, b, c, d) \
	JOIN(24, 6, at(R6)) \
	JOIN(25, 13, (at+32)(R6)) \
	JOIN(26, 14, at(R14)) \
	JOIN(27, 15, (at+32)(R14)) \
	TIMES(scales, PRODUCT)

// EXPAND makes 32-bit lanes of 16 scales.
#define EXPAND(n) \
	FMOVQ (32+16*n)(R11), F0 \
	SSHLL8(0, 0, 1) \
	SSHLLH8(0, 0, 2) \
	SSHLL4(0, 1, 4) \
	SSHLLH4(0, 1, 5) \
	SSHLL4(0, 2, 6) \
	SSHLLH4(0, 2, 7) \
	FSTPQ (F4, F5), (64*n)(R9) \
	FSTPQ (F6, F7), (64*n+32)(R9)

#define EXPANDALL \
	EXPAND(0) \
	EXPAND(1) \
	EXPAND(2) \
	EXPAND(3) \
	EXPAND(4) \
	EXPAND(5) \
	EXPAND(6) \
	EXPAND(7) \
	EXPAND(8) \
	EXPAND(9) \
	EXPAND(10) \
	EXPAND(11) \
	EXPAND(12) \
	EXPAND(13) \
	EXPAND(14) \
	EXPAND(15)

// Unpacked weights stand in the order of use.
#define AHEADUNPACKED
#define FURTHERUNPACKED ADD $512, R1

// BLOCK multiplies 16 rows × 256 columns, half a block of 4 rows a turn. At the end, the block's sums times d are added to
// dst, which serves as the sums of the rows. R9 points at the block's scales as 32-bit lanes.
//
//	R0  dst of 4 rows  R1  low bits of the weights    R2  tiles left
//	R3  activations    R4  stride                  R5  blocks
//	R6, R14 activations of 64 columns each    R7  blocks left    R8  d    R9  scales of 4 rows    R10 halves left
//	R11 block of weights    R12 row groups left    R13 high bits of the weights    R15 activations of the block
//	R19 low bits of the next 4 rows
//	V0-V5    weights    V6-V9 scales    V10, V11 scales of the activations
//	V16-V23  activations    V24-V27 sums of 16 columns    V28, V29 sums of 64 columns
//	V12 sum of the block    V30 mask 0x30    V31 mask 0x3f
#define BLOCK(RUNS, AHEAD, FURTHER) \
	MOVD  R11, R8 \
	MOVD  $4, R12 \
group_loop: \
	MOVD  $2, R10 \
	MOVD  R15, R6 \
	AHEAD \
	ZERO(12) \
half_loop: \
	ADD   R4, R6, R14 \
	FLDPQ (R6), (F16, F17) \
	FLDPQ 32(R6), (F18, F19) \
	FLDPQ (R14), (F20, F21) \
	FLDPQ 32(R14), (F22, F23) \
	FMOVS 128(R6), F10 \
	FMOVS 128(R14), F11 \
	RUNS(0, 64, 0, 16, 18, 20, 22, MUL4) \
	RUNS(256, 80, 64, 17, 19, 21, 23, MLA4) \
	SCVTF4(28, 28) \
	SCVTF4(29, 29) \
	FMLAE(10, 0, 28, 12) \
	FMLAE(11, 0, 29, 12) \
	ADD   R4, R14, R6 \
	FURTHER \
	ADD   $512, R9 \
	SUBS  $1, R10 \
	BNE   half_loop \
	FMOVD.P 8(R8), F0 \
	SUB   $(1024-16), R9 \
	FMOVQ (R0), F1 \
	FCVTL4(0, 0) \
	VFMLA V12.S4, V0.S4, V1.S4 \
	FMOVQ.P F1, 16(R0) \
	SUBS  $1, R12 \
	BNE   group_loop \
	SUB   $64, R0

// GEMV is the body of a product with one row.
#define GEMV(RUNS) \
	MOVD  dst+0(FP), R0 \
	MOVD  w+8(FP), R11 \
	MOVD  tiles+16(FP), R2 \
	MOVD  q+24(FP), R3 \
	MOVD  stride+32(FP), R4 \
	MOVD  blocks+40(FP), R5 \
	VMOVI $0x30, V30.B16 \
	VMOVI $0x3f, V31.B16 \
tile_loop: \
	MOVD  R3, R15 \
	MOVD  R5, R7 \
	ZERO(0) \
	ZERO(1) \
	FSTPQ (F0, F1), (R0) \
	FSTPQ (F0, F1), 32(R0) \
block_loop: \
	MOVD  $scratch-1024(SP), R9 \
	ADD   $288, R11, R19 \
	EXPANDALL \
	BLOCK(RUNS, AHEAD, FURTHER) \
	MOVD  R6, R15 \
	ADD   $3360, R11 \
	SUBS  $1, R7 \
	BNE   block_loop \
	ADD   $64, R0 \
	SUBS  $1, R2 \
	BNE   tile_loop \
	RET

// STORE unpacks one column group of 4 rows to R20.
#define STORE(off) \
	UNPACK(off) \
	FSTPQ (F0, F1), (off)(R20) \
	FSTPQ (F4, F5), (off+32)(R20)

// func gemvQ6KDotprod(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
TEXT ·gemvQ6KDotprod(SB), $1024-48
	GEMV(RUNSDOTPROD)

// func gemvQ6KNeon(dst *float32, w *byte, tiles int, q *byte, stride, blocks int)
TEXT ·gemvQ6KNeon(SB), $1024-48
	GEMV(RUNSNEON)

// func gemmQ6KDotprod(dst *float32, ldd int, w *byte, q *byte, stride, blocks, rows int)
//
// As in BLOCK, but
//
//	R3  activations of the block, first row    R22 of the next row
//	R5  blocks left    R7 rows left    R20 where to unpack
//	R23 first row of dst    R24 bytes from row to row of it    R25 rows
//
// Every block is unpacked to scratch memory, behind its scales, and then multiplied with the rows one by one.
TEXT ·gemmQ6KDotprod(SB), $5120-56
	MOVD  dst+0(FP), R23
	MOVD  ldd+8(FP), R24
	MOVD  w+16(FP), R11
	MOVD  q+24(FP), R3
	MOVD  stride+32(FP), R4
	MOVD  blocks+40(FP), R5
	MOVD  rows+48(FP), R25
	LSL   $2, R24
	VMOVI $0x30, V30.B16
	VMOVI $0x3f, V31.B16

	MOVD R23, R0
	MOVD R25, R7
	ZERO(0)
	ZERO(1)

zero_loop:
	FSTPQ (F0, F1), (R0)
	FSTPQ (F0, F1), 32(R0)
	ADD   R24, R0
	SUBS  $1, R7
	BNE   zero_loop

block_loop:
	MOVD $scratch-5120(SP), R9
	ADD  $1024, R9, R20
	ADD  $288, R11, R19
	EXPANDALL
	MOVD $4, R12

unpack_group:
	AHEAD
	MOVD $2, R10

unpack_half:
	STORE(0)
	STORE(64)
	STORE(128)
	STORE(192)
	STORE(256)
	STORE(320)
	STORE(384)
	STORE(448)
	FURTHER
	ADD  $512, R20
	SUBS $1, R10
	BNE  unpack_half

	SUBS $1, R12
	BNE  unpack_group

	MOVD R23, R0
	MOVD R3, R22
	MOVD R25, R7

row_loop:
	MOVD R22, R15
	ADD  $144, R22
	MOVD $scratch-5120(SP), R9
	ADD  $1024, R9, R1
	BLOCK(RUNSUNPACKED, AHEADUNPACKED, FURTHERUNPACKED)
	ADD  R24, R0
	SUBS $1, R7
	BNE  row_loop

	ADD  $3360, R11
	ADD  R4<<2, R3
	SUBS $1, R5
	BNE  block_loop
	RET
