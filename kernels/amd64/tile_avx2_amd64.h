// The frame of the AVX2 tile kernels: one tile of 16 matrix rows, in two halves of 8, times one or two rows of int8
// activations in the plain form q8.
//
//	DI  dst                        R8   first row of activations
//	BX  bytes from row to row      R9   second row
//	SI  weights                    CX   blocks left
//	Y0, Y1  accumulators of the first row, a half each     Y4, Y5  its dot products
//	Y2, Y3  those of the second row                        Y6, Y7  its dot products
//	Y12     activations    Y13  products    Y14  16 × int16 1    Y15  0x0f in every byte

DATA nibbles<>+0(SB)/4, $0x0f0f0f0f
GLOBL nibbles<>(SB), RODATA|NOPTR, $4
DATA ones<>+0(SB)/4, $0x00010001
GLOBL ones<>(SB), RODATA|NOPTR, $4

// PREFETCH_AHEAD is how far before their use weights are asked for, in bytes.
#define PREFETCH_AHEAD 8192

#define ZERO2(a, b) \
	VPXOR a, a, a \
	VPXOR b, b, b

// SCALE(row, s0, s1, a0, a1) brings dot products into the accumulators; dw is in Y8 and Y9.
#define SCALE(row, s0, s1, a0, a1) \
	VCVTDQ2PS    s0, s0       \
	VCVTDQ2PS    s1, s1       \
	VBROADCASTSS 32(row), Y12 \
	VMULPS       Y12, Y8, Y13 \
	VFMADD231PS  s0, Y13, a0  \
	VMULPS       Y12, Y9, Y13 \
	VFMADD231PS  s1, Y13, a1

// STORE2 writes one row's accumulators.
#define STORE2(a0, a1) \
	VMOVUPS a0, (DI)   \
	VMOVUPS a1, 32(DI)

#define TILE_ARGUMENTS \
	MOVQ dst+0(FP), DI     \
	MOVQ ldd+8(FP), BX     \
	SHLQ $2, BX            \
	MOVQ w+16(FP), SI      \
	MOVQ q+24(FP), R8      \
	MOVQ blocks+40(FP), CX \
	MOVQ R8, R9            \
	ADDQ ldq+48(FP), R9
