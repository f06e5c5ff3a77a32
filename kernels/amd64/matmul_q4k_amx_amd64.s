//go:build !purego

#include "textflag.h"
#include "tile_avx512_amd64.h"
#include "amx_amd64.h"
#include "tile_amx_amd64.h"
#include "scales_q4k_avx512_amd64.h"

// Tiles of Q4_K times int8 activations in the form q8x16, with AMX; tile_amx_amd64.h has the frame, with CX the halves of
// blocks of 256 columns left. The four products are those of the four sub-blocks of a half. A row of activations undergoes,
// sub-block after sub-block of 32 columns,
//
//	t = fma(float(dot), d·scale, (dmin·min/128)·(-128·Σq)); acc = fma(t, da, acc)
//
//	SI        nibbles                     R11       scales, once the products are made
//	Z16, Z17  unpacking                   Z20, Z21  d, dmin/128
//	Z24       dmin·min/128                Z25       d·scale
//	Z26       dot product                 Z30       t
//	Z31       0x0f in every byte

#define SCALES (SUMS+UNPACKED)

DATA hundred28th<>+0(SB)/4, $0x3c000000 // 1/128
GLOBL hundred28th<>(SB), RODATA|NOPTR, $4

#define SCALE(row, acc) \
	VCVTDQ2PS.BCST   (36+48*row)(DX), Z30 \
	VMULPS           Z24, Z30, Z30        \
	VCVTDQ2PS        (64*row)(R12), Z26   \
	VFMADD231PS      Z26, Z25, Z30        \
	VFMADD231PS.BCST (32+48*row)(DX), Z30, acc

// NIBBLES(pair, i) unpacks the i-th 64 bytes of a pair of sub-blocks, which have the lower and the upper nibbles.
#define NIBBLES(pair, i) \
	PREFETCHT0 (PREFETCH_AHEAD+512*pair+64*i)(SI)          \
	VMOVDQU32  (512*pair+64*i)(SI), Z16                    \
	VPSRLD     $4, Z16, Z17                                \
	VPANDD     Z31, Z16, Z16                               \
	VPANDD     Z31, Z17, Z17                               \
	VMOVDQU32  Z16, (SUMS+1024*pair+64*i)(R10)             \
	VMOVDQU32  Z17, (SUMS+1024*pair+512+64*i)(R10)

#define UNPACK(pair) \
	NIBBLES(pair, 0) \
	NIBBLES(pair, 1) \
	NIBBLES(pair, 2) \
	NIBBLES(pair, 3) \
	NIBBLES(pair, 4) \
	NIBBLES(pair, 5) \
	NIBBLES(pair, 6) \
	NIBBLES(pair, 7)

// func tilesQ4KAmx(dst *float32, ldd int, w, q *byte, rows, blocks, tiles int, shapes *tileShapes)
TEXT ·tilesQ4KAmx(SB), 0, $6464-64
	MOVQ ldd+8(FP), BX
	SHLQ $2, BX
	MOVQ w+16(FP), SI
	MOVQ rows+32(FP), R9
	MOVQ shapes+56(FP), R11
	LEAQ scratch-6464(SP), R10
	BEGIN
	VPBROADCASTD bits<>+0(SB), Z31

tile:
	MOVQ dst+0(FP), DI
	MOVQ q+24(FP), DX
	MOVQ blocks+40(FP), CX
	SHLQ $1, CX
	ZERO

half:
	TESTQ $1, CX
	JNZ   products
	PREFETCHT0 (PREFETCH_AHEAD+0)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+64)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+128)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+192)(SI)
	LEAQ SCALES(R10), R11
	UNPACK_SCALES(R11)
	VCVTPH2PS (SI), Z20
	VCVTPH2PS 32(SI), Z21
	VMULPS.BCST hundred28th<>(SB), Z21, Z21
	ADDQ $256, SI

products:
	PRODUCTS
	UNPACK(0)
	PRODUCT(4, 6, 0, 0, SUMS, 10)
	ADDQ R13, R11
	PRODUCT(5, 7, 1, 0, SUMS+512, 10)
	ADDQ R13, R11
	UNPACK(1)
	PRODUCT(4, 6, 2, 0, SUMS+1024, 10)
	ADDQ R13, R11
	PRODUCT(5, 7, 3, 0, SUMS+1536, 10)
	ADDQ $1024, SI
	STORE_SUMS
	LEAQ  SCALES(R10), R11
	TESTQ $1, CX
	JZ    sub_block
	ADDQ  $64, R11

sub_block:
	LEAQ (R10)(AX*1), R12
	VPMOVZXBD (R11), Z25
	VCVTDQ2PS Z25, Z25
	VMULPS    Z20, Z25, Z25
	VPMOVZXBD 128(R11), Z24
	VCVTDQ2PS Z24, Z24
	VMULPS    Z21, Z24, Z24
	ADDQ $16, R11
	BLOCK
	ADDQ $1024, AX
	CMPQ AX, $SUMS
	JLT  sub_block
	SUBQ $1, CX
	JNZ  half
	STORE_ALL
	ADDQ $64, dst+0(FP)
	SUBQ $1, tiles+48(FP)
	JNZ  tile
	TILERELEASE
	VZEROUPPER
	RET
