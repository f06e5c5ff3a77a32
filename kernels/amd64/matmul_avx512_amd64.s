//go:build !purego

#include "textflag.h"

// One tile of 16 matrix rows times up to 16 activation rows in the form q8x16, with VNNI.
//
// Weights are made unsigned (plus 128) and activations are signed; every dot product of a block starts at the block's
// -128·Σa, so that it ends exact. What a row of activations undergoes is the same in every path: block after block,
//
//	acc = fma(float(dot), dw·da, acc)
//
// with one accumulator register per row over all of k. Rows are taken as 1 to 4 first and then 4 at a time.
//
// Registers:
//	DI  dst, one row              R8   rows that come first, 1..4
//	BX  bytes from row to row     R9   groups of 4 that follow, 0..3
//	SI  weights                   CX   blocks left
//	DX  activations: records of 40 bytes, block after block and row after row
//	Z0-Z3    accumulators of the first rows        Z24  mask of the high nibbles
//	Z4-Z15   accumulators of the groups of 4       Z25  dw, the scales of the 16 matrix rows
//	Z16-Z23  weights of columns 4i … 4i+3          Z26-Z29  dot products
//	Z30      dw·da                                 Z31  0x80 in every byte

DATA highNibbles<>+0(SB)/4, $0xf0f0f0f0
GLOBL highNibbles<>(SB), RODATA|NOPTR, $4
DATA signBits<>+0(SB)/4, $0x80808080
GLOBL signBits<>(SB), RODATA|NOPTR, $4
DATA sixteenth<>+0(SB)/4, $0x3d800000 // 1/16
GLOBL sixteenth<>(SB), RODATA|NOPTR, $4

// PREFETCH_AHEAD is how far before their use weights are asked for, in bytes.
#define PREFETCH_AHEAD 4096

// DOT(row, i) adds columns 4i … 4i+3 of the row-th record to its dot product.
#define DOT1(i, w) \
	VPDPBUSD.BCST (4*i)(DX), w, Z26

#define DOT2(i, w) \
	VPDPBUSD.BCST (4*i)(DX), w, Z26    \
	VPDPBUSD.BCST (40+4*i)(DX), w, Z27

#define DOT3(i, w) \
	VPDPBUSD.BCST (4*i)(DX), w, Z26    \
	VPDPBUSD.BCST (40+4*i)(DX), w, Z27 \
	VPDPBUSD.BCST (80+4*i)(DX), w, Z28

#define DOT4(i, w) \
	VPDPBUSD.BCST (4*i)(DX), w, Z26     \
	VPDPBUSD.BCST (40+4*i)(DX), w, Z27  \
	VPDPBUSD.BCST (80+4*i)(DX), w, Z28  \
	VPDPBUSD.BCST (120+4*i)(DX), w, Z29

#define DOT_ALL(DOTN) \
	DOTN(0, Z16) \
	DOTN(1, Z17) \
	DOTN(2, Z18) \
	DOTN(3, Z19) \
	DOTN(4, Z20) \
	DOTN(5, Z21) \
	DOTN(6, Z22) \
	DOTN(7, Z23)

// START(record, dot) starts a dot product; SCALE(record, dot, acc) brings it into its accumulator.
#define START(record, dot) \
	VPBROADCASTD (36+40*record)(DX), dot

#define SCALE(record, dot, acc) \
	VCVTDQ2PS dot, dot                        \
	VMULPS.BCST (32+40*record)(DX), Z25, Z30  \
	VFMADD231PS dot, Z30, acc

// ROWSn multiplies the block with the next n records and steps over them.
#define ROWS1(a0) \
	START(0, Z26) \
	DOT_ALL(DOT1) \
	SCALE(0, Z26, a0) \
	ADDQ $40, DX

#define ROWS2(a0, a1) \
	START(0, Z26) \
	START(1, Z27) \
	DOT_ALL(DOT2) \
	SCALE(0, Z26, a0) \
	SCALE(1, Z27, a1) \
	ADDQ $80, DX

#define ROWS3(a0, a1, a2) \
	START(0, Z26) \
	START(1, Z27) \
	START(2, Z28) \
	DOT_ALL(DOT3) \
	SCALE(0, Z26, a0) \
	SCALE(1, Z27, a1) \
	SCALE(2, Z28, a2) \
	ADDQ $120, DX

#define ROWS4(a0, a1, a2, a3) \
	START(0, Z26) \
	START(1, Z27) \
	START(2, Z28) \
	START(3, Z29) \
	DOT_ALL(DOT4) \
	SCALE(0, Z26, a0) \
	SCALE(1, Z27, a1) \
	SCALE(2, Z28, a2) \
	SCALE(3, Z29, a3) \
	ADDQ $160, DX

// BLOCK multiplies the block in Z16-Z25 with all rows.
#define BLOCK \
	CMPQ R8, $2                 \
	JEQ  first2                 \
	JLT  first1                 \
	CMPQ R8, $3                 \
	JEQ  first3                 \
	ROWS4(Z0, Z1, Z2, Z3)       \
	JMP  groups                 \
first3:                         \
	ROWS3(Z0, Z1, Z2)           \
	JMP  groups                 \
first2:                         \
	ROWS2(Z0, Z1)               \
	JMP  groups                 \
first1:                         \
	ROWS1(Z0)                   \
groups:                         \
	CMPQ R9, $1                 \
	JLT  block_done             \
	ROWS4(Z4, Z5, Z6, Z7)       \
	CMPQ R9, $2                 \
	JLT  block_done             \
	ROWS4(Z8, Z9, Z10, Z11)     \
	CMPQ R9, $3                 \
	JLT  block_done             \
	ROWS4(Z12, Z13, Z14, Z15)   \
block_done:

#define ZERO4(a0, a1, a2, a3) \
	VPXORD a0, a0, a0 \
	VPXORD a1, a1, a1 \
	VPXORD a2, a2, a2 \
	VPXORD a3, a3, a3

#define ZERO \
	ZERO4(Z0, Z1, Z2, Z3)       \
	ZERO4(Z4, Z5, Z6, Z7)       \
	ZERO4(Z8, Z9, Z10, Z11)     \
	ZERO4(Z12, Z13, Z14, Z15)

#define STORE(acc) \
	VMOVUPS acc, (DI) \
	ADDQ    BX, DI

#define STORE4(a0, a1, a2, a3) \
	STORE(a0) \
	STORE(a1) \
	STORE(a2) \
	STORE(a3)

// STORE_ALL writes the accumulators of all rows.
#define STORE_ALL \
	STORE(Z0)                   \
	CMPQ R8, $2                 \
	JLT  store_groups           \
	STORE(Z1)                   \
	CMPQ R8, $3                 \
	JLT  store_groups           \
	STORE(Z2)                   \
	CMPQ R8, $4                 \
	JLT  store_groups           \
	STORE(Z3)                   \
store_groups:                   \
	CMPQ R9, $1                 \
	JLT  store_done             \
	STORE4(Z4, Z5, Z6, Z7)      \
	CMPQ R9, $2                 \
	JLT  store_done             \
	STORE4(Z8, Z9, Z10, Z11)    \
	CMPQ R9, $3                 \
	JLT  store_done             \
	STORE4(Z12, Z13, Z14, Z15)  \
store_done:

// ARGS loads the arguments that all tile kernels share, R8 and R9 from rows.
#define ARGS \
	MOVQ dst+0(FP), DI    \
	MOVQ ldd+8(FP), BX    \
	SHLQ $2, BX           \
	MOVQ w+16(FP), SI     \
	MOVQ q+24(FP), DX     \
	MOVQ rows+32(FP), R9  \
	MOVQ blocks+40(FP), CX \
	SUBQ $1, R9           \
	MOVQ R9, R8           \
	ANDQ $3, R8           \
	ADDQ $1, R8           \
	SHRQ $2, R9

// NIBBLES(j, low, high) unpacks the j-th group of a Q4_0 block: 16(q+8), as a byte with the nibble on top.
#define NIBBLES(j, low, high) \
	VMOVDQU32 (32+64*j)(SI), high \
	VPSLLD    $4, high, low       \
	VPANDD    Z24, low, low       \
	VPANDD    Z24, high, high

// func tileQ4Avx512(dst *float32, ldd int, w, q *byte, rows, blocks int)
TEXT ·tileQ4Avx512(SB), NOSPLIT, $0-48
	ARGS
	VPBROADCASTD highNibbles<>(SB), Z24
	ZERO

block:
	PREFETCHT0 (PREFETCH_AHEAD+0)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+64)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+128)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+192)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+256)(SI)
	VCVTPH2PS (SI), Z25
	VMULPS.BCST sixteenth<>(SB), Z25, Z25
	NIBBLES(0, Z16, Z20)
	NIBBLES(1, Z17, Z21)
	NIBBLES(2, Z18, Z22)
	NIBBLES(3, Z19, Z23)
	ADDQ $288, SI
	BLOCK
	SUBQ $1, CX
	JNZ  block
	STORE_ALL
	VZEROUPPER
	RET

// BYTES(i, w) loads the i-th group of a Q8_0 block: q+128.
#define BYTES(i, w) \
	VPXORD (32+64*i)(SI), Z31, w

// func tileQ8Avx512(dst *float32, ldd int, w, q *byte, rows, blocks int)
TEXT ·tileQ8Avx512(SB), NOSPLIT, $0-48
	ARGS
	VPBROADCASTD signBits<>(SB), Z31
	ZERO

block:
	PREFETCHT0 (PREFETCH_AHEAD+0)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+64)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+128)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+192)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+256)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+320)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+384)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+448)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+512)(SI)
	VCVTPH2PS (SI), Z25
	BYTES(0, Z16)
	BYTES(1, Z17)
	BYTES(2, Z18)
	BYTES(3, Z19)
	BYTES(4, Z20)
	BYTES(5, Z21)
	BYTES(6, Z22)
	BYTES(7, Z23)
	ADDQ $544, SI
	BLOCK
	SUBQ $1, CX
	JNZ  block
	STORE_ALL
	VZEROUPPER
	RET
