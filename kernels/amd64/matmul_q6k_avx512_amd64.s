//go:build !purego

#include "textflag.h"
#include "tile_avx512_amd64.h"

// Tiles of Q6_K times int8 activations in the form q8x16, with VNNI; tile_avx512_amd64.h has the frame, with CX the blocks of
// 256 columns left. Weights are used as they are stored, unsigned, 32 above their value, and dot products start at -32·Σq. A
// row of activations undergoes, 32 columns after 32 columns, the first and the last 16 of which have their own scales,
//
//	t = fma(float(dot[1]), d·scale[1], float(dot[0])·d·scale[0]); acc = fma(t, da, acc)
//
//	DX       records of 48 bytes, block of 32 after block and in it row after row
//	R11      column in the block of 256
//	R12      lower 4 bits of the columns         R14  upper 2 bits
//	Z16-Z23  weights of columns 4i … 4i+3        Z24, Z25  d·scale[0], d·scale[1]
//	Z26-Z29  dot products of two rows            Z31  0x0f in every byte

DATA q6kBits<>+0(SB)/4, $0x0f0f0f0f
DATA q6kBits<>+4(SB)/4, $0x30303030
GLOBL q6kBits<>(SB), RODATA|NOPTR, $8

// shifts<> holds the shift counts 0, 2, 4 and 6, 16 bytes each.
DATA shifts<>+0(SB)/8, $0
DATA shifts<>+8(SB)/8, $0
DATA shifts<>+16(SB)/8, $2
DATA shifts<>+24(SB)/8, $0
DATA shifts<>+32(SB)/8, $4
DATA shifts<>+40(SB)/8, $0
DATA shifts<>+48(SB)/8, $6
DATA shifts<>+56(SB)/8, $0
GLOBL shifts<>(SB), RODATA|NOPTR, $64

#define START(record, dot0, dot1) \
	VPBROADCASTD (40+48*record)(DX), dot0 \
	VPBROADCASTD (44+48*record)(DX), dot1

#define DOT1(i, w0, w1) \
	VPDPBUSD.BCST (4*i)(DX), w0, Z26    \
	VPDPBUSD.BCST (16+4*i)(DX), w1, Z27

#define DOT2(i, w0, w1) \
	DOT1(i, w0, w1) \
	VPDPBUSD.BCST (48+4*i)(DX), w0, Z28 \
	VPDPBUSD.BCST (64+4*i)(DX), w1, Z29

#define DOT_ALL(DOTN) \
	DOTN(0, Z16, Z20) \
	DOTN(1, Z17, Z21) \
	DOTN(2, Z18, Z22) \
	DOTN(3, Z19, Z23)

#define SCALE(record, dot0, dot1, acc) \
	VCVTDQ2PS        dot0, dot0       \
	VCVTDQ2PS        dot1, dot1       \
	VMULPS           Z24, dot0, dot0  \
	VFMADD231PS      dot1, Z25, dot0  \
	VFMADD231PS.BCST (32+48*record)(DX), dot0, acc

// ROWSn multiplies the columns with the next n records and steps over them.
#define ROWS1(a0) \
	START(0, Z26, Z27)     \
	DOT_ALL(DOT1)          \
	SCALE(0, Z26, Z27, a0) \
	ADDQ $48, DX

#define ROWS2(a0, a1) \
	START(0, Z26, Z27)     \
	START(1, Z28, Z29)     \
	DOT_ALL(DOT2)          \
	SCALE(0, Z26, Z27, a0) \
	SCALE(1, Z28, Z29, a1) \
	ADDQ $96, DX

#define ROWS3(a0, a1, a2) \
	ROWS2(a0, a1) \
	ROWS1(a2)

#define ROWS4(a0, a1, a2, a3) \
	ROWS2(a0, a1) \
	ROWS2(a2, a3)

// WEIGHTS(i, w) puts the upper bits of columns 4i … over the lower; X28 and X29 hold the shift counts of lower and upper.
#define WEIGHTS(i, w) \
	VMOVDQU32  (64*i)(R14), Z26    \
	VPSRLD     X29, Z26, Z26       \
	VPSLLD     $4, Z26, Z26        \
	VPANDD     Z30, Z26, Z26       \
	VMOVDQU32  (64*i)(R12), w      \
	VPSRLD     X28, w, w           \
	VPTERNLOGD $0xea, Z26, Z31, w // w & 0x0f | upper

// func tileQ6KAvx512(dst *float32, ldd int, w, q *byte, rows, blocks int)
TEXT ·tileQ6KAvx512(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ ldd+8(FP), BX
	SHLQ $2, BX
	MOVQ w+16(FP), SI
	MOVQ rows+32(FP), R9
	MOVQ blocks+40(FP), CX
	SPLIT_ROWS
	MOVQ q+24(FP), DX
	LEAQ shifts<>(SB), R13
	VPBROADCASTD q6kBits<>+0(SB), Z31
	VPBROADCASTD q6kBits<>+4(SB), Z30
	ZERO

superblock:
	XORL R11, R11

columns:
	// Of the four times 32 columns in half a block, the odd ones have their lower bits 512 bytes on, the last two in the upper
	// nibbles; all have their upper bits in the same 512 bytes, two bits further up each time.
	MOVQ R11, AX
	ANDQ $128, AX
	LEAQ 288(SI)(AX*8), R12
	LEAQ 2336(SI)(AX*4), R14
	MOVQ R11, AX
	ANDQ $32, AX
	SHLQ $4, AX
	ADDQ AX, R12
	MOVQ R11, AX
	ANDQ $64, AX
	SHRQ $1, AX
	VMOVDQU32 (R13)(AX*1), X28
	MOVQ R11, AX
	ANDQ $96, AX
	SHRQ $1, AX
	VMOVDQU32 (R13)(AX*1), X29

	PREFETCHT0 PREFETCH_AHEAD(R12)
	PREFETCHT0 (PREFETCH_AHEAD+64)(R12)
	PREFETCHT0 (PREFETCH_AHEAD+128)(R12)
	PREFETCHT0 (PREFETCH_AHEAD+192)(R12)
	PREFETCHT0 (PREFETCH_AHEAD+256)(R12)
	PREFETCHT0 (PREFETCH_AHEAD+320)(R12)
	PREFETCHT0 (PREFETCH_AHEAD+384)(R12)
	WEIGHTS(0, Z16)
	WEIGHTS(1, Z17)
	WEIGHTS(2, Z18)
	WEIGHTS(3, Z19)
	WEIGHTS(4, Z20)
	WEIGHTS(5, Z21)
	WEIGHTS(6, Z22)
	WEIGHTS(7, Z23)
	VCVTPH2PS (SI), Z26
	VPMOVSXBD 32(SI)(R11*1), Z24
	VPMOVSXBD 48(SI)(R11*1), Z25
	VCVTDQ2PS Z24, Z24
	VCVTDQ2PS Z25, Z25
	VMULPS    Z26, Z24, Z24
	VMULPS    Z26, Z25, Z25
	BLOCK
	ADDQ $32, R11
	CMPQ R11, $256
	JLT  columns
	ADDQ $3360, SI
	SUBQ $1, CX
	JNZ  superblock
	STORE_ALL
	VZEROUPPER
	RET
