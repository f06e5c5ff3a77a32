//go:build !purego

#include "textflag.h"
#include "tile_avx512_amd64.h"

// Tiles of F16 times float32 activations; tile_avx512_amd64.h has the frame. A row of activations undergoes, for every 8
// columns,
//
//	p = w[0]·x[0]; p = fma(w[c], x[c], p) for c in 1..7; acc += p
//
//	R12      activations of the block, first row     DX   activations of the next row
//	R10      bytes from row to row, R11 three times that
//	Z16-Z23  weights of columns 0 … 7                Z26-Z29  p

#define COLUMN1(i, w) \
	VFMADD231PS.BCST (4*i)(DX), w, Z26

#define COLUMN2(i, w) \
	VFMADD231PS.BCST (4*i)(DX), w, Z26 \
	VFMADD231PS.BCST (4*i)(DX)(R10*1), w, Z27

#define COLUMN3(i, w) \
	VFMADD231PS.BCST (4*i)(DX), w, Z26 \
	VFMADD231PS.BCST (4*i)(DX)(R10*1), w, Z27 \
	VFMADD231PS.BCST (4*i)(DX)(R10*2), w, Z28

#define COLUMN4(i, w) \
	VFMADD231PS.BCST (4*i)(DX), w, Z26 \
	VFMADD231PS.BCST (4*i)(DX)(R10*1), w, Z27 \
	VFMADD231PS.BCST (4*i)(DX)(R10*2), w, Z28 \
	VFMADD231PS.BCST (4*i)(DX)(R11*1), w, Z29

#define COLUMNS(COLUMN) \
	COLUMN(1, Z17) \
	COLUMN(2, Z18) \
	COLUMN(3, Z19) \
	COLUMN(4, Z20) \
	COLUMN(5, Z21) \
	COLUMN(6, Z22) \
	COLUMN(7, Z23)

// ROWSn multiplies the block with the next n rows and steps over them.
#define ROWS1(a0) \
	VMULPS.BCST (DX), Z16, Z26 \
	COLUMNS(COLUMN1)           \
	VADDPS      Z26, a0, a0    \
	ADDQ        R10, DX

#define ROWS2(a0, a1) \
	VMULPS.BCST (DX), Z16, Z26          \
	VMULPS.BCST (DX)(R10*1), Z16, Z27   \
	COLUMNS(COLUMN2)                    \
	VADDPS      Z26, a0, a0             \
	VADDPS      Z27, a1, a1             \
	LEAQ        (DX)(R10*2), DX

#define ROWS3(a0, a1, a2) \
	VMULPS.BCST (DX), Z16, Z26          \
	VMULPS.BCST (DX)(R10*1), Z16, Z27   \
	VMULPS.BCST (DX)(R10*2), Z16, Z28   \
	COLUMNS(COLUMN3)                    \
	VADDPS      Z26, a0, a0             \
	VADDPS      Z27, a1, a1             \
	VADDPS      Z28, a2, a2             \
	ADDQ        R11, DX

#define ROWS4(a0, a1, a2, a3) \
	VMULPS.BCST (DX), Z16, Z26          \
	VMULPS.BCST (DX)(R10*1), Z16, Z27   \
	VMULPS.BCST (DX)(R10*2), Z16, Z28   \
	VMULPS.BCST (DX)(R11*1), Z16, Z29   \
	COLUMNS(COLUMN4)                    \
	VADDPS      Z26, a0, a0             \
	VADDPS      Z27, a1, a1             \
	VADDPS      Z28, a2, a2             \
	VADDPS      Z29, a3, a3             \
	LEAQ        (DX)(R10*4), DX

// func tileF16Avx512(dst *float32, ldd int, w *byte, x *float32, rows, blocks, ldx int)
TEXT ·tileF16Avx512(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ ldd+8(FP), BX
	SHLQ $2, BX
	MOVQ w+16(FP), SI
	MOVQ rows+32(FP), R9
	MOVQ blocks+40(FP), CX
	SPLIT_ROWS
	MOVQ x+24(FP), R12
	MOVQ ldx+48(FP), R10
	SHLQ $2, R10
	LEAQ (R10)(R10*2), R11
	ZERO
	TESTQ CX, CX
	JZ   store

block:
	PREFETCHT0 (PREFETCH_AHEAD+0)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+64)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+128)(SI)
	PREFETCHT0 (PREFETCH_AHEAD+192)(SI)
	VCVTPH2PS 0(SI), Z16
	VCVTPH2PS 32(SI), Z17
	VCVTPH2PS 64(SI), Z18
	VCVTPH2PS 96(SI), Z19
	VCVTPH2PS 128(SI), Z20
	VCVTPH2PS 160(SI), Z21
	VCVTPH2PS 192(SI), Z22
	VCVTPH2PS 224(SI), Z23
	ADDQ $256, SI
	MOVQ R12, DX
	ADDQ $32, R12
	BLOCK
	SUBQ $1, CX
	JNZ  block

store:
	STORE_ALL
	VZEROUPPER
	RET
