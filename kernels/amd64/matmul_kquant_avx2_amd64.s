//go:build !purego

#include "textflag.h"
#include "tile_avx2_amd64.h"

// Tiles of Q4_K and Q6_K; tile_avx2_amd64.h has the frame, with CX the blocks of 256 columns left and SI at the block.

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

DATA masks<>+0(SB)/4, $0x3f3f3f3f
DATA masks<>+4(SB)/4, $0x30303030
DATA masks<>+8(SB)/4, $0x20202020
GLOBL masks<>(SB), RODATA|NOPTR, $12

// UNPACK_SCALES(at) unpacks the 6-bit scales and minima of the sub-blocks at/16, at/16+1 and those 4 further on, 16 rows
// each, from 3·32 bytes of a Q4_K block: scales go to byte 16·sub-block of the frame, minima to byte 128+16·sub-block.
//
//	Y12 0x3f in every byte    Y13 0x30
#define UNPACK_SCALES(at) \
	VMOVDQU (64+at)(SI), Y4          \
	VMOVDQU (128+at)(SI), Y5         \
	VMOVDQU (192+at)(SI), Y6         \
	VPAND   Y12, Y4, Y7              \
	VMOVDQU Y7, scales-256+at(SP)    \
	VPAND   Y12, Y5, Y7              \
	VMOVDQU Y7, scales-128+at(SP)    \
	VPSRLW  $2, Y4, Y4               \
	VPAND   Y13, Y4, Y4              \
	VPAND   Y15, Y6, Y7              \
	VPOR    Y7, Y4, Y4               \
	VMOVDQU Y4, scales-192+at(SP)    \
	VPSRLW  $2, Y5, Y5               \
	VPAND   Y13, Y5, Y5              \
	VPSRLW  $4, Y6, Y6               \
	VPAND   Y15, Y6, Y6              \
	VPOR    Y6, Y5, Y5               \
	VMOVDQU Y5, scales-64+at(SP)

// FLOATS(at, d, f0, f1) makes float32 of the 16 bytes at at and multiplies with the 16 F16 at d.
#define FLOATS(at, d, f0, f1) \
	VPMOVZXBD (at)(R14)(R11*1), f0     \
	VPMOVZXBD (8+at)(R14)(R11*1), f1   \
	VCVTDQ2PS f0, f0                   \
	VCVTDQ2PS f1, f1                   \
	VCVTPH2PS (d)(SI), Y12             \
	VMULPS    Y12, f0, f0              \
	VCVTPH2PS (16+d)(SI), Y12          \
	VMULPS    Y12, f1, f1

// SUB_BLOCK(i) loads columns 4i … of a sub-block, in Y8 and Y9. SUB_DOT adds their products to 16-bit sums of pairs: 8 times
// 2·15·127 stays below 2^15.
#define SUB_BLOCK(i) \
	VMOVDQU (64*i)(R12), Y8     \
	VMOVDQU (32+64*i)(R12), Y9  \
	VPSRLW  (R13), Y8, Y8       \
	VPSRLW  (R13), Y9, Y9       \
	VPAND   Y15, Y8, Y8         \
	VPAND   Y15, Y9, Y9

#define SUB_DOT(i, row, s0, s1) \
	VPBROADCASTD (4*i)(row), Y12 \
	VPMADDUBSW   Y12, Y8, Y13    \
	VPADDW       Y13, s0, s0     \
	VPMADDUBSW   Y12, Y9, Y13    \
	VPADDW       Y13, s1, s1

// SUB_SCALE: acc = fma(d·scale·dot - dmin·min·Σa, da, acc), with d·scale in Y8, Y9 and dmin·min in Y10, Y11.
#define SUB_SCALE(row, s0, s1, a0, a1) \
	VPMADDWD     Y14, s0, s0   \
	VPMADDWD     Y14, s1, s1   \
	VCVTDQ2PS    s0, s0        \
	VCVTDQ2PS    s1, s1        \
	VPBROADCASTD 36(row), Y12  \
	VCVTDQ2PS    Y12, Y12      \
	VMULPS       Y12, Y10, Y13 \
	VFMSUB213PS  Y13, Y8, s0   \
	VMULPS       Y12, Y11, Y13 \
	VFMSUB213PS  Y13, Y9, s1   \
	VBROADCASTSS 32(row), Y12  \
	VFMADD231PS  s0, Y12, a0   \
	VFMADD231PS  s1, Y12, a1

#define SUB1(i) \
	SUB_BLOCK(i)            \
	SUB_DOT(i, R8, Y4, Y5)

#define SUB2(i) \
	SUB_BLOCK(i)            \
	SUB_DOT(i, R8, Y4, Y5)  \
	SUB_DOT(i, R9, Y6, Y7)

#define EIGHT(SUB) \
	SUB(0) \
	SUB(1) \
	SUB(2) \
	SUB(3) \
	SUB(4) \
	SUB(5) \
	SUB(6) \
	SUB(7)

// func tileQ4KAvx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)
//
//	R11  16·sub-block    R12  its nibbles    R13  its shift count    R10  shifts    R14  the frame    AX  rows
TEXT ·tileQ4KAvx2(SB), NOSPLIT, $256-56
	TILE_ARGUMENTS
	MOVQ rows+32(FP), AX
	LEAQ scales-256(SP), R14
	LEAQ shifts<>(SB), R10
	VPBROADCASTD ones<>(SB), Y14
	VPBROADCASTD nibbles<>(SB), Y15
	ZERO2(Y0, Y1)
	ZERO2(Y2, Y3)

block:
	VPBROADCASTD masks<>+0(SB), Y12
	VPBROADCASTD masks<>+4(SB), Y13
	UNPACK_SCALES(0)
	UNPACK_SCALES(32)
	LEAQ 256(SI), R12
	MOVQ R10, R13
	XORL R11, R11

sub_block:
	PREFETCHT0 PREFETCH_AHEAD(R12)
	PREFETCHT0 (PREFETCH_AHEAD+64)(R12)
	PREFETCHT0 (PREFETCH_AHEAD+128)(R12)
	PREFETCHT0 (PREFETCH_AHEAD+192)(R12)
	ZERO2(Y4, Y5)
	CMPQ AX, $2
	JEQ  pair
	EIGHT(SUB1)
	FLOATS(0, 0, Y8, Y9)
	FLOATS(128, 32, Y10, Y11)
	JMP  first

pair:
	ZERO2(Y6, Y7)
	EIGHT(SUB2)
	FLOATS(0, 0, Y8, Y9)
	FLOATS(128, 32, Y10, Y11)
	SUB_SCALE(R9, Y6, Y7, Y2, Y3)

first:
	SUB_SCALE(R8, Y4, Y5, Y0, Y1)
	ADDQ $40, R8
	ADDQ $40, R9

	// The next sub-block: the upper nibbles of the same bytes or the lower of the next 512.
	ADDQ  $16, R11
	MOVQ  R11, DX
	ANDQ  $16, DX
	LEAQ  (R10)(DX*2), R13
	JNZ   sub_block
	ADDQ  $512, R12
	CMPQ  R11, $128
	JLT   sub_block
	ADDQ $2304, SI
	SUBQ $1, CX
	JNZ  block

	STORE2(Y0, Y1)
	CMPQ AX, $2
	JLT  done
	ADDQ BX, DI
	STORE2(Y2, Y3)

done:
	VZEROUPPER
	RET

// RUN_HALF loads 4 columns of 8 rows: q-32 and its magnitude.
#define RUN_HALF(at, q, magnitude) \
	VMOVDQU (at)(R14), Y12          \
	VPSRLW  (R11), Y12, Y12         \
	VPSLLW  $4, Y12, Y12            \
	VPBROADCASTD masks<>+4(SB), Y13 \
	VPAND   Y13, Y12, Y12           \
	VMOVDQU (at)(R12), q            \
	VPSRLW  (R13), q, q             \
	VPAND   Y15, q, q               \
	VPOR    Y12, q, q               \
	VPBROADCASTD masks<>+8(SB), Y13 \
	VPSUBB  Y13, q, q               \
	VPABSB  q, magnitude

// RUN_DOT multiplies the magnitudes with activations that have the sign of q-32 and adds to 16-bit sums of pairs: 4 times
// 2·32·127 stays below 2^15.
#define RUN_DOT(i, row, s0, s1) \
	VPBROADCASTD (4*i)(row)(DX*1), Y12 \
	VPSIGNB      Y8, Y12, Y13          \
	VPMADDUBSW   Y13, Y10, Y13         \
	VPADDW       Y13, s0, s0           \
	VPSIGNB      Y9, Y12, Y13          \
	VPMADDUBSW   Y13, Y11, Y13         \
	VPADDW       Y13, s1, s1

#define RUN(i) \
	RUN_HALF(64*i, Y8, Y10)     \
	RUN_HALF(32+64*i, Y9, Y11)  \
	RUN_DOT(i, R8, Y4, Y5)      \
	RUN_DOT(i, R9, Y6, Y7)

// RUN_SCALE(at, d, f) makes d·scale of 8 rows.
#define RUN_SCALE(at, d, f) \
	VPMOVSXBD (32+at)(SI)(R10*1), f \
	VCVTDQ2PS f, f                  \
	VCVTPH2PS (d)(SI), Y12          \
	VMULPS    Y12, f, f

// func tileQ6KAvx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)
//
// Runs of 16 columns have a scale of their own: acc = fma(float(dot), d·scale·da, acc), run after run. A single row is taken
// for both.
//
//	R10  16·run    R12  lower 4 bits    R13  their shift count    DX  0, or 16 in the second run of a block of activations
//	AX             R14  upper 2 bits    R11  their shift count
TEXT ·tileQ6KAvx2(SB), NOSPLIT, $0-56
	TILE_ARGUMENTS
	CMPQ rows+32(FP), $2
	CMOVQLT R8, R9
	VPBROADCASTD ones<>(SB), Y14
	VPBROADCASTD nibbles<>(SB), Y15
	ZERO2(Y0, Y1)
	ZERO2(Y2, Y3)

block:
	XORL R10, R10

run:
	// Of the 8 runs in half a block, run u has its lower bits in group 4·(u mod 4) of 16, shifted by 4·(u/4), and its upper
	// bits in group 4·(u mod 2) of 8, shifted by 2·(u/2); a group is 64 bytes.
	MOVQ R10, AX
	SHRQ $7, AX // half
	MOVQ AX, DX
	SHLQ $9, DX
	LEAQ 2336(SI)(DX*1), R14
	LEAQ 288(SI)(DX*2), R12
	MOVQ R10, AX
	ANDQ $0x30, AX
	SHLQ $4, AX
	ADDQ AX, R12
	ANDQ $0x100, AX
	ADDQ AX, R14
	LEAQ shifts<>(SB), R11
	MOVQ R10, AX
	ANDQ $0x40, AX
	SHRQ $1, AX
	LEAQ (R11)(AX*1), R13
	MOVQ R10, AX
	ANDQ $0x60, AX
	SHRQ $1, AX
	ADDQ AX, R11
	MOVQ R10, DX
	ANDQ $16, DX

	PREFETCHT0 PREFETCH_AHEAD(R12)
	PREFETCHT0 (PREFETCH_AHEAD+64)(R12)
	PREFETCHT0 (PREFETCH_AHEAD+128)(R12)
	PREFETCHT0 (PREFETCH_AHEAD+192)(R12)
	ZERO2(Y4, Y5)
	ZERO2(Y6, Y7)
	RUN(0)
	RUN(1)
	RUN(2)
	RUN(3)
	RUN_SCALE(0, 0, Y8)
	RUN_SCALE(8, 16, Y9)
	VPMADDWD Y14, Y4, Y4
	VPMADDWD Y14, Y5, Y5
	VPMADDWD Y14, Y6, Y6
	VPMADDWD Y14, Y7, Y7
	SCALE(R8, Y4, Y5, Y0, Y1)
	SCALE(R9, Y6, Y7, Y2, Y3)

	ADDQ  $16, R10
	TESTQ $16, R10
	JNZ   run
	ADDQ  $40, R8
	ADDQ  $40, R9
	CMPQ  R10, $256
	JLT   run
	ADDQ  $3360, SI
	SUBQ  $1, CX
	JNZ   block

	STORE2(Y0, Y1)
	CMPQ rows+32(FP), $2
	JLT  done
	ADDQ BX, DI
	STORE2(Y2, Y3)

done:
	VZEROUPPER
	RET
