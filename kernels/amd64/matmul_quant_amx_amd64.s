//go:build !purego

#include "textflag.h"
#include "tile_avx512_amd64.h"
#include "amx_amd64.h"
#include "tile_amx_amd64.h"

// Tiles of Q4_0 and Q8_0 times int8 activations in the form q8x16, with AMX; tile_amx_amd64.h has the frame. Weights of Q8_0
// go into tile registers as they are stored, those of Q4_0 as 16·q, signed bytes. A row of activations undergoes, block after
// block,
//
//	acc = fma(float(dot), dw·da, acc)
//
//	Z16, Z17  unpacking    Z24  mask of the upper halves of bytes    Z25  dw
//	Z26       dot product  Z30  dw·da                                Z31  0x80 in every byte

DATA highNibbles<>+0(SB)/4, $0xf0f0f0f0
GLOBL highNibbles<>(SB), RODATA|NOPTR, $4
DATA signBits<>+0(SB)/4, $0x80808080
GLOBL signBits<>(SB), RODATA|NOPTR, $4
DATA sixteenth<>+0(SB)/4, $0x3d800000 // 1/16
GLOBL sixteenth<>(SB), RODATA|NOPTR, $4

#define SCALE(row, acc) \
	VCVTDQ2PS   (64*row)(R12), Z26         \
	VMULPS.BCST (32+48*row)(DX), Z25, Z30  \
	VFMADD231PS Z26, Z30, acc

// NIBBLES(block, j) unpacks the j-th 64 bytes of a Q4_0 block, w, to rows j and 4+j of its weights: w & 0xf0 ^ 0x80, the lower
// halves shifted up first.
#define NIBBLES(block, j) \
	VMOVDQU32  (288*block+32+64*j)(SI), Z16        \
	VPSLLD     $4, Z16, Z17                        \
	VPTERNLOGD $0x6a, Z31, Z24, Z16                \
	VPTERNLOGD $0x6a, Z31, Z24, Z17                \
	VMOVDQU32  Z17, (SUMS+512*block+64*j)(R10)     \
	VMOVDQU32  Z16, (SUMS+512*block+256+64*j)(R10)

#define UNPACK(block) \
	NIBBLES(block, 0) \
	NIBBLES(block, 1) \
	NIBBLES(block, 2) \
	NIBBLES(block, 3)

// func tilesQ4Amx(dst *float32, ldd int, w, q *byte, rows, blocks, tiles int, shapes *tileShapes)
TEXT ·tilesQ4Amx(SB), 0, $6464-64
	MOVQ ldd+8(FP), BX
	SHLQ $2, BX
	MOVQ w+16(FP), SI
	MOVQ rows+32(FP), R9
	MOVQ shapes+56(FP), R11
	LEAQ scratch-6464(SP), R10
	BEGIN
	VPBROADCASTD highNibbles<>(SB), Z24
	VPBROADCASTD signBits<>(SB), Z31

tile:
	MOVQ dst+0(FP), DI
	MOVQ q+24(FP), DX
	MOVQ blocks+40(FP), CX
	ZERO

products:
	PRODUCTS
	UNPACK(0)
	PRODUCT(4, 6, 0, 0, SUMS, 10)
	CMPQ CX, $2
	JLT  sums
	ADDQ R13, R11
	UNPACK(1)
	PRODUCT(5, 7, 1, 0, SUMS+512, 10)
	CMPQ CX, $3
	JLT  sums
	ADDQ R13, R11
	UNPACK(2)
	PRODUCT(4, 6, 2, 0, SUMS+1024, 10)
	CMPQ CX, $4
	JLT  sums
	ADDQ R13, R11
	UNPACK(3)
	PRODUCT(5, 7, 3, 0, SUMS+1536, 10)

sums:
	STORE_SUMS

block:
	LEAQ (R10)(AX*1), R12
	PREFETCHT0 (PREFETCH_AHEAD+0)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+64)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+128)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+192)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+256)(SI)
	VCVTPH2PS (SI), Z25
	VMULPS.BCST sixteenth<>(SB), Z25, Z25
	ADDQ $288, SI
	BLOCK
	SUBQ $1, CX
	JZ   store
	ADDQ $1024, AX
	CMPQ AX, $SUMS
	JLT  block
	JMP  products

store:
	STORE_ALL
	ADDQ $64, dst+0(FP)
	SUBQ $1, tiles+48(FP)
	JNZ  tile
	TILERELEASE
	VZEROUPPER
	RET

// func tilesQ8Amx(dst *float32, ldd int, w, q *byte, rows, blocks, tiles int, shapes *tileShapes)
TEXT ·tilesQ8Amx(SB), 0, $6464-64
	MOVQ ldd+8(FP), BX
	SHLQ $2, BX
	MOVQ w+16(FP), SI
	MOVQ rows+32(FP), R9
	MOVQ shapes+56(FP), R11
	LEAQ scratch-6464(SP), R10
	BEGIN

tile:
	MOVQ dst+0(FP), DI
	MOVQ q+24(FP), DX
	MOVQ blocks+40(FP), CX
	ZERO

products:
	PRODUCTS
	PRODUCT(4, 6, 0, 0, 32, 6)
	CMPQ CX, $2
	JLT  sums
	ADDQ R13, R11
	PRODUCT(5, 7, 1, 0, 544+32, 6)
	CMPQ CX, $3
	JLT  sums
	ADDQ R13, R11
	PRODUCT(4, 6, 2, 0, 2*544+32, 6)
	CMPQ CX, $4
	JLT  sums
	ADDQ R13, R11
	PRODUCT(5, 7, 3, 0, 3*544+32, 6)

sums:
	STORE_SUMS

block:
	LEAQ (R10)(AX*1), R12
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
	ADDQ $544, SI
	BLOCK
	SUBQ $1, CX
	JZ   store
	ADDQ $1024, AX
	CMPQ AX, $SUMS
	JLT  block
	JMP  products

store:
	STORE_ALL
	ADDQ $64, dst+0(FP)
	SUBQ $1, tiles+48(FP)
	JNZ  tile
	TILERELEASE
	VZEROUPPER
	RET
