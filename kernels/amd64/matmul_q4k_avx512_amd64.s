//go:build !purego

#include "textflag.h"
#include "tile_avx512_amd64.h"
#include "records_avx512_amd64.h"
#include "scales_q4k_avx512_amd64.h"

// Tiles of Q4_K times int8 activations in the form q8x16, with VNNI; tile_avx512_amd64.h has the frame, with CX the blocks of
// 256 columns left. A row of activations undergoes, sub-block after sub-block of 32 columns,
//
//	t = fma(float(dot), d·scale, (dmin·min/128)·(-128·Σq)); acc = fma(t, da, acc)
//
//	DX       records of 48 bytes, block of 32 after block and in it row after row
//	R11      16·sub-block    R12  its nibbles    R14  the frame
//	Z16-Z23  weights of columns 4i … 4i+3     Z24  dmin·min/128    Z25  d·scale
//	Z26-Z29  dot products    Z30  t           Z31  0x0f in every byte

DATA hundred28th<>+0(SB)/4, $0x3c000000 // 1/128
GLOBL hundred28th<>(SB), RODATA|NOPTR, $4

// shifts<> holds the shift counts of even and odd sub-blocks.
DATA shifts<>+0(SB)/8, $0
DATA shifts<>+8(SB)/8, $0
DATA shifts<>+16(SB)/8, $4
DATA shifts<>+24(SB)/8, $0
GLOBL shifts<>(SB), RODATA|NOPTR, $32

#define START(record, dot) \
	VPXORD dot, dot, dot

#define SCALE(record, dot, acc) \
	VCVTDQ2PS.BCST   (36+48*record)(DX), Z30 \
	VMULPS           Z24, Z30, Z30           \
	VCVTDQ2PS        dot, dot                \
	VFMADD231PS      dot, Z25, Z30           \
	VFMADD231PS.BCST (32+48*record)(DX), Z30, acc

#define NIBBLES(i, w) \
	VMOVDQU32 (64*i)(R12), w \
	VPSRLD    X26, w, w      \
	VPANDD    Z31, w, w

// func tileQ4KAvx512(dst *float32, ldd int, w, q *byte, rows, blocks int)
TEXT ·tileQ4KAvx512(SB), NOSPLIT, $256-48
	MOVQ dst+0(FP), DI
	MOVQ ldd+8(FP), BX
	SHLQ $2, BX
	MOVQ w+16(FP), SI
	MOVQ rows+32(FP), R9
	MOVQ blocks+40(FP), CX
	SPLIT_ROWS
	MOVQ q+24(FP), DX
	LEAQ scales-256(SP), R14
	VPBROADCASTD bits<>+0(SB), Z31
	ZERO

superblock:
	UNPACK_SCALES(R14)
	LEAQ 256(SI), R12
	XORL R11, R11

sub_block:
	PREFETCHT0 PREFETCH_AHEAD(R12)
	PREFETCHT0 (PREFETCH_AHEAD+64)(R12)
	PREFETCHT0 (PREFETCH_AHEAD+128)(R12)
	PREFETCHT0 (PREFETCH_AHEAD+192)(R12)
	PREFETCHT0 (PREFETCH_AHEAD+256)(R12)
	VPMOVZXBD   (R14)(R11*1), Z25
	VCVTDQ2PS   Z25, Z25
	VCVTPH2PS   (SI), Z26
	VMULPS      Z26, Z25, Z25
	VPMOVZXBD   128(R14)(R11*1), Z24
	VCVTDQ2PS   Z24, Z24
	VCVTPH2PS   32(SI), Z26
	VMULPS.BCST hundred28th<>(SB), Z26, Z26
	VMULPS      Z26, Z24, Z24
	MOVQ R11, AX
	ANDQ $16, AX
	LEAQ shifts<>(SB), R13
	VMOVDQU32 (R13)(AX*1), X26
	NIBBLES(0, Z16)
	NIBBLES(1, Z17)
	NIBBLES(2, Z18)
	NIBBLES(3, Z19)
	NIBBLES(4, Z20)
	NIBBLES(5, Z21)
	NIBBLES(6, Z22)
	NIBBLES(7, Z23)
	BLOCK

	// An odd sub-block has the upper nibbles of the even one's bytes.
	MOVQ R11, AX
	ANDQ $16, AX
	SHLQ $5, AX
	ADDQ AX, R12
	ADDQ $16, R11
	CMPQ R11, $128
	JLT  sub_block
	ADDQ $2304, SI
	SUBQ $1, CX
	JNZ  superblock
	STORE_ALL
	VZEROUPPER
	RET
