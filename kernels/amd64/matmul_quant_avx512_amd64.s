//go:build !purego

#include "textflag.h"
#include "tile_avx512_amd64.h"
#include "records_avx512_amd64.h"

// Tiles of Q4_0 and Q8_0 times int8 activations in the form q8x16, with VNNI; tile_avx512_amd64.h has the frame.
//
// Weights are made unsigned (plus 128, Q4_0 after a shift to the upper half of a byte) and activations are signed; the dot
// product of a block starts at the activations' -128·Σq, so that it ends exact. A row of activations undergoes, block after
// block,
//
//	acc = fma(float(dot), dw·da, acc)
//
//	DX       records of 48 bytes, block after block and in it row after row
//	Z16-Z23  weights of columns 4i … 4i+3     Z24  mask of the upper halves of bytes
//	Z25      dw                               Z26-Z29  dot products
//	Z30      dw·da                            Z31  0x80 in every byte

DATA highNibbles<>+0(SB)/4, $0xf0f0f0f0
GLOBL highNibbles<>(SB), RODATA|NOPTR, $4
DATA signBits<>+0(SB)/4, $0x80808080
GLOBL signBits<>(SB), RODATA|NOPTR, $4
DATA sixteenth<>+0(SB)/4, $0x3d800000 // 1/16
GLOBL sixteenth<>(SB), RODATA|NOPTR, $4

#define START(record, dot) \
	VPBROADCASTD (36+48*record)(DX), dot

#define SCALE(record, dot, acc) \
	VCVTDQ2PS dot, dot                        \
	VMULPS.BCST (32+48*record)(DX), Z25, Z30  \
	VFMADD231PS dot, Z30, acc

// NIBBLES(j, low, high) unpacks the j-th group of a Q4_0 block: 16(q+8), as a byte with the nibble on top.
#define NIBBLES(j, low, high) \
	VMOVDQU32 (32+64*j)(SI), high \
	VPSLLD    $4, high, low       \
	VPANDD    Z24, low, low       \
	VPANDD    Z24, high, high

// func tileQ4Avx512(dst *float32, ldd int, w, q *byte, rows, blocks int)
TEXT ·tileQ4Avx512(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ ldd+8(FP), BX
	SHLQ $2, BX
	MOVQ w+16(FP), SI
	MOVQ rows+32(FP), R9
	MOVQ blocks+40(FP), CX
	SPLIT_ROWS
	MOVQ q+24(FP), DX
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
	MOVQ dst+0(FP), DI
	MOVQ ldd+8(FP), BX
	SHLQ $2, BX
	MOVQ w+16(FP), SI
	MOVQ rows+32(FP), R9
	MOVQ blocks+40(FP), CX
	SPLIT_ROWS
	MOVQ q+24(FP), DX
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
