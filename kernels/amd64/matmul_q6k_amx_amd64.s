//go:build !purego

#include "textflag.h"
#include "tile_avx512_amd64.h"
#include "amx_amd64.h"
#include "tile_amx_amd64.h"

// Tiles of Q6_K times int8 activations in the form q8x16, with AMX; tile_amx_amd64.h has the frame, with CX the quarters of
// blocks of 256 columns left. The four products are those of the 16 columns that share a scale. A row of activations
// undergoes, 32 columns after 32 columns, the first and the last 16 of which have their own scales,
//
//	t = fma(float(dot[1]), d·scale[1], float(dot[0])·d·scale[0]); acc = fma(t, da, acc)
//
//	SI        block of 256                     R11  scales, once the products are made
//	Z16-Z19, Z21, Z22  unpacking               Z20  d
//	Z24, Z25  d·scale[0], d·scale[1]           Z26, Z27  dot[0], dot[1]
//	Z28-Z30   32, 0x30 and 0x0f in every byte

DATA q6kBits<>+0(SB)/4, $0x20202020
DATA q6kBits<>+4(SB)/4, $0x30303030
DATA q6kBits<>+8(SB)/4, $0x0f0f0f0f
GLOBL q6kBits<>(SB), RODATA|NOPTR, $12

#define SCALE(row, acc) \
	VCVTDQ2PS        (64*row)(R12), Z26      \
	VCVTDQ2PS        (1024+64*row)(R12), Z27 \
	VMULPS           Z24, Z26, Z26           \
	VFMADD231PS      Z27, Z25, Z26           \
	VFMADD231PS.BCST (32+48*row)(DX), Z26, acc

// JOIN(low, high, at) puts the weights made of lower bits, at 0x0f of every byte, and of upper bits, at 0x30, to scratch, with
// 32 taken off.
#define JOIN(low, high, at) \
	VPANDD     Z29, high, Z19       \
	VPTERNLOGD $0xea, Z19, Z30, low \
	VPSUBB     Z28, low, low        \
	VMOVDQU32  low, (SUMS+at)(R10)

// COLUMNS(i) unpacks columns 4i ... 4i+3 of each of the four times 32 columns in half a block. The odd ones have their lower
// bits 512 bytes on, the last two in the upper nibbles; all have their upper bits in the same 512 bytes, two bits further up
// each time.
#define COLUMNS(i) \
	PREFETCHT0 (PREFETCH_AHEAD+64*i)(R12)     \
	PREFETCHT0 (PREFETCH_AHEAD+512+64*i)(R12) \
	PREFETCHT0 (PREFETCH_AHEAD+64*i)(R11)     \
	VMOVDQU32  (64*i)(R12), Z16               \
	VMOVDQU32  (512+64*i)(R12), Z17           \
	VMOVDQU32  (64*i)(R11), Z18               \
	VPSRLD     $4, Z16, Z21                   \
	VPSRLD     $4, Z17, Z22                   \
	VPSLLD     $4, Z18, Z19                   \
	JOIN(Z16, Z19, 64*i)                      \
	VPSLLD     $2, Z18, Z19                   \
	JOIN(Z17, Z19, 512+64*i)                  \
	JOIN(Z21, Z18, 1024+64*i)                 \
	VPSRLD     $2, Z18, Z19                   \
	JOIN(Z22, Z19, 1536+64*i)

// func tilesQ6KAmx(dst *float32, ldd int, w, q *byte, rows, blocks, tiles int, shapes *tileShapes)
TEXT ·tilesQ6KAmx(SB), 0, $6464-64
	MOVQ ldd+8(FP), BX
	SHLQ $2, BX
	MOVQ w+16(FP), SI
	MOVQ rows+32(FP), R9
	MOVQ shapes+56(FP), R11
	LEAQ scratch-6464(SP), R10
	BEGIN
	VPBROADCASTD q6kBits<>+0(SB), Z28
	VPBROADCASTD q6kBits<>+4(SB), Z29
	VPBROADCASTD q6kBits<>+8(SB), Z30

tile:
	MOVQ dst+0(FP), DI
	MOVQ q+24(FP), DX
	MOVQ blocks+40(FP), CX
	SHLQ $2, CX
	ZERO

quarter:
	MOVQ  CX, AX
	NEGQ  AX
	ANDQ  $3, AX
	TESTQ $1, AX
	JNZ   products
	LEAQ  288(SI), R12
	LEAQ  2336(SI), R11
	TESTQ AX, AX
	JZ    first_half
	ADDQ  $1024, R12
	ADDQ  $512, R11
	JMP   unpack

first_half:
	PREFETCHT0 (PREFETCH_AHEAD+0)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+64)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+128)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+192)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+256)(SI)
	VCVTPH2PS (SI), Z20

unpack:
	COLUMNS(0)
	COLUMNS(1)
	COLUMNS(2)
	COLUMNS(3)
	COLUMNS(4)
	COLUMNS(5)
	COLUMNS(6)
	COLUMNS(7)

products:
	MOVQ AX, R12
	ANDQ $1, R12
	SHLQ $10, R12
	ADDQ R10, R12
	PRODUCTS
	PRODUCT(4, 6, 0, 0, SUMS, 12)
	PRODUCT(5, 7, 1, 16, SUMS+256, 12)
	ADDQ R13, R11
	PRODUCT(4, 6, 2, 0, SUMS+512, 12)
	PRODUCT(5, 7, 3, 16, SUMS+768, 12)
	STORE_SUMS
	MOVQ CX, R11
	NEGQ R11
	ANDQ $3, R11
	SHLQ $6, R11
	LEAQ 32(SI)(R11*1), R11

columns:
	LEAQ (R10)(AX*1), R12
	VPMOVSXBD (R11), Z24
	VPMOVSXBD 16(R11), Z25
	VCVTDQ2PS Z24, Z24
	VCVTDQ2PS Z25, Z25
	VMULPS    Z20, Z24, Z24
	VMULPS    Z20, Z25, Z25
	ADDQ $32, R11
	BLOCK
	ADDQ $2048, AX
	CMPQ AX, $SUMS
	JLT  columns
	SUBQ $1, CX
	TESTQ $3, CX
	JNZ  quarter
	ADDQ $3360, SI
	TESTQ CX, CX
	JNZ  quarter
	STORE_ALL
	ADDQ $64, dst+0(FP)
	SUBQ $1, tiles+48(FP)
	JNZ  tile
	TILERELEASE
	VZEROUPPER
	RET
