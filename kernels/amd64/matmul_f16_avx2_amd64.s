//go:build !purego

#include "textflag.h"

// A tile of F16 times one or two rows of float32 activations. Even and odd columns of a row make a chain of fma each; the
// chains are added in the end.
//
//	DI  dst        BX  bytes from row to row    CX  blocks of 8 columns left
//	SI  weights    R8, R9  rows of activations
//	Y0-Y3  first row: halves of the tile, even columns, then odd    Y4-Y7  second row
//	Y8, Y9 weights    Y10 activation

// PREFETCH_AHEAD is how far before their use weights are asked for, in bytes.
#define PREFETCH_AHEAD 8192

#define WEIGHTS(c) \
	VCVTPH2PS (32*c)(SI), Y8    \
	VCVTPH2PS (16+32*c)(SI), Y9

#define COLUMN(c, row, a0, a1) \
	VBROADCASTSS (4*c)(row), Y10 \
	VFMADD231PS  Y8, Y10, a0     \
	VFMADD231PS  Y9, Y10, a1

#define TWO_COLUMNS1(c) \
	WEIGHTS(c)                 \
	COLUMN(c, R8, Y0, Y1)      \
	WEIGHTS((c+1))             \
	COLUMN((c+1), R8, Y2, Y3)

#define TWO_COLUMNS2(c) \
	WEIGHTS(c)                 \
	COLUMN(c, R8, Y0, Y1)      \
	COLUMN(c, R9, Y4, Y5)      \
	WEIGHTS((c+1))             \
	COLUMN((c+1), R8, Y2, Y3)  \
	COLUMN((c+1), R9, Y6, Y7)

#define BLOCK(TWO_COLUMNS) \
	PREFETCHT0 (PREFETCH_AHEAD+0)(SI)   \
	PREFETCHT0 (PREFETCH_AHEAD+64)(SI)  \
	PREFETCHT0 (PREFETCH_AHEAD+128)(SI) \
	PREFETCHT0 (PREFETCH_AHEAD+192)(SI) \
	TWO_COLUMNS(0) \
	TWO_COLUMNS(2) \
	TWO_COLUMNS(4) \
	TWO_COLUMNS(6) \
	ADDQ $256, SI  \
	ADDQ $32, R8   \
	ADDQ $32, R9

// func tileF16Avx2(dst *float32, ldd int, w *byte, x *float32, rows, blocks, ldx int)
TEXT ·tileF16Avx2(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ ldd+8(FP), BX
	SHLQ $2, BX
	MOVQ w+16(FP), SI
	MOVQ x+24(FP), R8
	MOVQ blocks+40(FP), CX
	MOVQ ldx+48(FP), R9
	LEAQ (R8)(R9*4), R9
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	TESTQ CX, CX
	JZ   store
	CMPQ rows+32(FP), $2
	JEQ  pair

single:
	BLOCK(TWO_COLUMNS1)
	SUBQ $1, CX
	JNZ  single
	JMP  store

pair:
	BLOCK(TWO_COLUMNS2)
	SUBQ $1, CX
	JNZ  pair

store:
	VADDPS  Y2, Y0, Y0
	VADDPS  Y3, Y1, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	CMPQ    rows+32(FP), $2
	JLT     done
	VADDPS  Y6, Y4, Y4
	VADDPS  Y7, Y5, Y5
	VMOVUPS Y4, (DI)(BX*1)
	VMOVUPS Y5, 32(DI)(BX*1)

done:
	VZEROUPPER
	RET
