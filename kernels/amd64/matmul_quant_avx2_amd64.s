//go:build !purego

#include "textflag.h"
#include "tile_avx2_amd64.h"

DATA ones16<>+0(SB)/8, $0x0001000100010001
DATA ones16<>+8(SB)/8, $0x0001000100010001
DATA ones16<>+16(SB)/8, $0x0001000100010001
DATA ones16<>+24(SB)/8, $0x0001000100010001
GLOBL ones16<>(SB), RODATA|NOPTR, $32
DATA fours<>+0(SB)/4, $0x04040404
GLOBL fours<>(SB), RODATA|NOPTR, $4

// Tiles of Q4_0 and Q8_0, and parts of unpacked ones; tile_avx2_amd64.h has the registers. A row of activations undergoes, block after block,
//
//	acc = fma(float(dot), dw·da, acc)
//
//	Y8-Y11  weights

// FRAME multiplies a tile whose blocks take bytes, BLOCK1 a block with one row, BLOCK2 with two. BEGIN makes constants and the accumulators of the first
// row, BEGIN2 those of the second.
#define FRAME(BEGIN, BEGIN2, BLOCK1, BLOCK2, bytes) \
	TILE_ARGUMENTS          \
	BEGIN                   \
	CMPQ rows+32(FP), $2    \
	JEQ  pair               \
single:                     \
	BLOCK1                  \
	ADDQ $bytes, SI         \
	ADDQ $40, R8            \
	SUBQ $1, CX             \
	JNZ  single             \
	STORE2(Y0, Y1)          \
	VZEROUPPER              \
	RET                     \
pair:                       \
	BEGIN2                  \
pair_loop:                  \
	BLOCK2                  \
	ADDQ $bytes, SI         \
	ADDQ $40, R8            \
	ADDQ $40, R9            \
	SUBQ $1, CX             \
	JNZ  pair_loop          \
	STORE2(Y0, Y1)          \
	ADDQ BX, DI             \
	STORE2(Y2, Y3)          \
	VZEROUPPER              \
	RET

// WHOLE is FRAME for a product that is all of a tile.
#define WHOLE(BLOCK1, BLOCK2, bytes) FRAME(WHOLE_BEGIN, ZERO2(Y2, Y3), BLOCK1, BLOCK2, bytes)

#define WHOLE_BEGIN \
	VPBROADCASTD ones<>(SB), Y14    \
	VPBROADCASTD nibbles<>(SB), Y15 \
	ZERO2(Y0, Y1)

// PART is FRAME for one that adds to dst.
#define PART(BLOCK1, BLOCK2, bytes) FRAME(PART_BEGIN, PART_BEGIN2, BLOCK1, BLOCK2, bytes)

#define PART_BEGIN \
	VPBROADCASTD ones<>(SB), Y14 \
	VMOVUPS (DI), Y0             \
	VMOVUPS 32(DI), Y1

#define PART_BEGIN2 \
	VMOVUPS (DI)(BX*1), Y2   \
	VMOVUPS 32(DI)(BX*1), Y3

// HALF_SCALES loads scales that are float16, at the head of a block, SCALES such that are float32.
#define HALF_SCALES \
	VCVTPH2PS (SI), Y8   \
	VCVTPH2PS 16(SI), Y9

// NIBBLES(j) unpacks the j-th group of a Q4_0 block: q+8 of columns 4j … in Y8 (upper half of the tile: Y10), of columns
// 16+4j … in Y9 (Y11).
#define NIBBLES(j) \
	VMOVDQU (32+64*j)(SI), Y8  \
	VMOVDQU (64+64*j)(SI), Y10 \
	VPSRLW  $4, Y8, Y9         \
	VPSRLW  $4, Y10, Y11       \
	VPAND   Y15, Y8, Y8        \
	VPAND   Y15, Y9, Y9        \
	VPAND   Y15, Y10, Y10      \
	VPAND   Y15, Y11, Y11

// NIBBLE_DOT adds the products of a group to 16-bit sums of pairs: 8 times 2·15·127 stays below 2^15.
#define NIBBLE_DOT(j, row, s0, s1) \
	VPBROADCASTD (4*j)(row), Y12      \
	VPMADDUBSW   Y12, Y8, Y13         \
	VPADDW       Y13, s0, s0          \
	VPMADDUBSW   Y12, Y10, Y13        \
	VPADDW       Y13, s1, s1          \
	VPBROADCASTD (16+4*j)(row), Y12   \
	VPMADDUBSW   Y12, Y9, Y13         \
	VPADDW       Y13, s0, s0          \
	VPMADDUBSW   Y12, Y11, Y13        \
	VPADDW       Y13, s1, s1

// NIBBLE_SUM makes dot products of sums of pairs, less 8·Σa.
#define NIBBLE_SUM(row, s0, s1) \
	VPBROADCASTD 36(row), Y12 \
	VPSLLD       $3, Y12, Y12 \
	VPMADDWD     Y14, s0, s0  \
	VPMADDWD     Y14, s1, s1  \
	VPSUBD       Y12, s0, s0  \
	VPSUBD       Y12, s1, s1

#define PREFETCH_Q4 \
	PREFETCHT0 (PREFETCH_AHEAD+0)(SI)   \
	PREFETCHT0 (PREFETCH_AHEAD+64)(SI)  \
	PREFETCHT0 (PREFETCH_AHEAD+128)(SI) \
	PREFETCHT0 (PREFETCH_AHEAD+192)(SI) \
	PREFETCHT0 (PREFETCH_AHEAD+256)(SI)

#define NIBBLES1(j) \
	NIBBLES(j)                \
	NIBBLE_DOT(j, R8, Y4, Y5)

#define NIBBLES2(j) \
	NIBBLES(j)                \
	NIBBLE_DOT(j, R8, Y4, Y5) \
	NIBBLE_DOT(j, R9, Y6, Y7)

#define Q4_1 \
	PREFETCH_Q4                 \
	ZERO2(Y4, Y5)               \
	NIBBLES1(0)                 \
	NIBBLES1(1)                 \
	NIBBLES1(2)                 \
	NIBBLES1(3)                 \
	HALF_SCALES                 \
	NIBBLE_SUM(R8, Y4, Y5)      \
	SCALE(R8, Y4, Y5, Y0, Y1)

#define Q4_2 \
	PREFETCH_Q4                 \
	ZERO2(Y4, Y5)               \
	ZERO2(Y6, Y7)               \
	NIBBLES2(0)                 \
	NIBBLES2(1)                 \
	NIBBLES2(2)                 \
	NIBBLES2(3)                 \
	HALF_SCALES                 \
	NIBBLE_SUM(R8, Y4, Y5)      \
	SCALE(R8, Y4, Y5, Y0, Y1)   \
	NIBBLE_SUM(R9, Y6, Y7)      \
	SCALE(R9, Y6, Y7, Y2, Y3)

// func tileQ4Avx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)
TEXT ·tileQ4Avx2(SB), NOSPLIT, $0-56
	WHOLE(Q4_1, Q4_2, 288)

// BYTES(at, i) loads columns 4i … of a block whose integers begin at byte at: q in Y8 and Y9, |q| in Y10 and Y11.
#define BYTES(at, i) \
	VMOVDQU (at+64*i)(SI), Y8    \
	VMOVDQU (at+32+64*i)(SI), Y9 \
	VPABSB  Y8, Y10           \
	VPABSB  Y9, Y11

// BYTE_DOT multiplies |q| with activations that have the sign of q: a sum of a pair is at most 2·128·127, which 16 bits hold.
#define BYTE_DOT(i, row, s0, s1) \
	VPBROADCASTD (4*i)(row), Y12 \
	VPSIGNB      Y8, Y12, Y13    \
	VPMADDUBSW   Y13, Y10, Y13   \
	VPMADDWD     Y14, Y13, Y13   \
	VPADDD       Y13, s0, s0     \
	VPSIGNB      Y9, Y12, Y13    \
	VPMADDUBSW   Y13, Y11, Y13   \
	VPMADDWD     Y14, Y13, Y13   \
	VPADDD       Y13, s1, s1

#define BYTES1(at, i) \
	BYTES(at, i)            \
	BYTE_DOT(i, R8, Y4, Y5)

#define BYTES2(at, i) \
	BYTES(at, i)            \
	BYTE_DOT(i, R8, Y4, Y5) \
	BYTE_DOT(i, R9, Y6, Y7)

// GROUPS(BYTESN, at) multiplies all columns of a block.
#define GROUPS(BYTESN, at) \
	BYTESN(at, 0) \
	BYTESN(at, 1) \
	BYTESN(at, 2) \
	BYTESN(at, 3) \
	BYTESN(at, 4) \
	BYTESN(at, 5) \
	BYTESN(at, 6) \
	BYTESN(at, 7)

#define PREFETCH_Q8 \
	PREFETCH_Q4                         \
	PREFETCHT0 (PREFETCH_AHEAD+320)(SI) \
	PREFETCHT0 (PREFETCH_AHEAD+384)(SI) \
	PREFETCHT0 (PREFETCH_AHEAD+448)(SI) \
	PREFETCHT0 (PREFETCH_AHEAD+512)(SI)

#define Q8_1 \
	PREFETCH_Q8                 \
	ZERO2(Y4, Y5)               \
	GROUPS(BYTES1, 32)          \
	HALF_SCALES                 \
	SCALE(R8, Y4, Y5, Y0, Y1)

#define Q8_2 \
	PREFETCH_Q8                 \
	ZERO2(Y4, Y5)               \
	ZERO2(Y6, Y7)               \
	GROUPS(BYTES2, 32)          \
	HALF_SCALES                 \
	SCALE(R8, Y4, Y5, Y0, Y1)   \
	SCALE(R9, Y6, Y7, Y2, Y3)

// func tileQ8Avx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)
TEXT ·tileQ8Avx2(SB), NOSPLIT, $0-56
	WHOLE(Q8_1, Q8_2, 544)

#define SCALES \
	VMOVUPS (SI), Y8   \
	VMOVUPS 32(SI), Y9

// OFFSET(shift, row, s0, s1) takes what an offset of the weights added off dot products.
#define OFFSET(shift, row, s0, s1) \
	VPBROADCASTD 36(row), Y12   \
	VPSLLD       $shift, Y12, Y12 \
	VPSUBD       Y12, s0, s0    \
	VPSUBD       Y12, s1, s1

// WEIGHTS(at, i) loads columns 4i … of a block whose integers begin at byte at.
#define WEIGHTS(at, i) \
	VMOVDQU (at+64*(i))(SI), Y8    \
	VMOVDQU (at+32+64*(i))(SI), Y9

// SMALL_DOT multiplies weights below 32, to 16-bit sums of pairs: 4 times 2·31·127 stays below 2^15. FIRST_DOT begins the sums.
#define SMALL_DOT(i, row, s0, s1) \
	VPBROADCASTD (4*(i))(row), Y12 \
	VPMADDUBSW   Y12, Y8, Y13      \
	VPADDW       Y13, s0, s0       \
	VPMADDUBSW   Y12, Y9, Y13      \
	VPADDW       Y13, s1, s1

#define FIRST_DOT(i, row, s0, s1) \
	VPBROADCASTD (4*(i))(row), Y12 \
	VPMADDUBSW   Y12, Y8, s0       \
	VPMADDUBSW   Y12, Y9, s1

#define SMALL1(at, i) \
	WEIGHTS(at, i)               \
	FIRST_DOT(i, R8, Y4, Y5)     \
	WEIGHTS(at, i+1)             \
	SMALL_DOT(i+1, R8, Y4, Y5)   \
	WEIGHTS(at, i+2)             \
	SMALL_DOT(i+2, R8, Y4, Y5)   \
	WEIGHTS(at, i+3)             \
	SMALL_DOT(i+3, R8, Y4, Y5)

#define SMALL2(at, i) \
	WEIGHTS(at, i)               \
	FIRST_DOT(i, R8, Y4, Y5)     \
	FIRST_DOT(i, R9, Y6, Y7)     \
	WEIGHTS(at, i+1)             \
	SMALL_DOT(i+1, R8, Y4, Y5)   \
	SMALL_DOT(i+1, R9, Y6, Y7)   \
	WEIGHTS(at, i+2)             \
	SMALL_DOT(i+2, R8, Y4, Y5)   \
	SMALL_DOT(i+2, R9, Y6, Y7)   \
	WEIGHTS(at, i+3)             \
	SMALL_DOT(i+3, R8, Y4, Y5)   \
	SMALL_DOT(i+3, R9, Y6, Y7)

// SMALL_SUM(s0, s1, h0, h1) adds up the sums of pairs of the first half of a block, h0 and h1, and of the second, s0 and s1.
#define SMALL_SUM(s0, s1, h0, h1) \
	VPMADDWD ones16<>(SB), s0, s0 \
	VPMADDWD ones16<>(SB), s1, s1 \
	VPADDD   h0, s0, s0           \
	VPADDD   h1, s1, s1

#define HALF_SUM(s0, s1, h0, h1) \
	VPMADDWD ones16<>(SB), s0, h0 \
	VPMADDWD ones16<>(SB), s1, h1

#define SMALL_BLOCK1(at) \
	SMALL1(at, 0)                \
	HALF_SUM(Y4, Y5, Y10, Y11)   \
	SMALL1(at, 4)                \
	SMALL_SUM(Y4, Y5, Y10, Y11)

#define SMALL_BLOCK2(at) \
	SMALL2(at, 0)                \
	HALF_SUM(Y4, Y5, Y10, Y11)   \
	HALF_SUM(Y6, Y7, Y14, Y15)   \
	SMALL2(at, 4)                \
	SMALL_SUM(Y4, Y5, Y10, Y11)  \
	SMALL_SUM(Y6, Y7, Y14, Y15)

#define OFFSET16_1 \
	SMALL_BLOCK1(64)             \
	OFFSET(4, R8, Y4, Y5)        \
	SCALES                       \
	SCALE(R8, Y4, Y5, Y0, Y1)

#define OFFSET16_2 \
	SMALL_BLOCK2(64)             \
	OFFSET(4, R8, Y4, Y5)        \
	OFFSET(4, R9, Y6, Y7)        \
	SCALES                       \
	SCALE(R8, Y4, Y5, Y0, Y1)    \
	SCALE(R9, Y6, Y7, Y2, Y3)

// func tileOffset16Avx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)
TEXT ·tileOffset16Avx2(SB), NOSPLIT, $0-56
	PART(OFFSET16_1, OFFSET16_2, 576)

// MINIMA(row, a0, a1) subtracts the minima in Y10 and Y11 times the activations' scale and sum.
#define MINIMA(row, a0, a1) \
	VPBROADCASTD 36(row), Y12      \
	VCVTDQ2PS    Y12, Y12          \
	VBROADCASTSS 32(row), Y13      \
	VMULPS       Y13, Y12, Y12     \
	VFNMADD231PS Y12, Y10, a0      \
	VFNMADD231PS Y12, Y11, a1

#define SCALES_MINIMA \
	SCALES              \
	VMOVUPS 64(SI), Y10 \
	VMOVUPS 96(SI), Y11

#define MINIMA1 \
	SMALL_BLOCK1(128)            \
	SCALES_MINIMA                \
	SCALE(R8, Y4, Y5, Y0, Y1)    \
	MINIMA(R8, Y0, Y1)

#define MINIMA2 \
	SMALL_BLOCK2(128)            \
	SCALES_MINIMA                \
	SCALE(R8, Y4, Y5, Y0, Y1)    \
	MINIMA(R8, Y0, Y1)           \
	SCALE(R9, Y6, Y7, Y2, Y3)    \
	MINIMA(R9, Y2, Y3)

// func tileMinimaAvx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)
TEXT ·tileMinimaAvx2(SB), NOSPLIT, $0-56
	PART(MINIMA1, MINIMA2, 640)

// SIX_DOT multiplies weights below 64, of columns 4i … and 4i+4 …: the 16-bit sums of two pairs are at most 2·2·63·127.
#define SIX_DOT(i, row, s0, s1) \
	VPBROADCASTD (4*(i))(row), Y12   \
	VPMADDUBSW   Y12, Y8, Y13        \
	VPMADDUBSW   Y12, Y9, Y14        \
	VPBROADCASTD (4*(i)+4)(row), Y12 \
	VPMADDUBSW   Y12, Y10, Y15       \
	VPADDW       Y15, Y13, Y13       \
	VPMADDUBSW   Y12, Y11, Y15       \
	VPADDW       Y15, Y14, Y14       \
	VPMADDWD     ones16<>(SB), Y13, Y13 \
	VPMADDWD     ones16<>(SB), Y14, Y14 \
	VPADDD       Y13, s0, s0         \
	VPADDD       Y14, s1, s1

#define SIX_WEIGHTS(i) \
	WEIGHTS(64, i)             \
	VMOVDQU (128+64*(i))(SI), Y10 \
	VMOVDQU (160+64*(i))(SI), Y11

#define SIX1(i) \
	SIX_WEIGHTS(i)            \
	SIX_DOT(i, R8, Y4, Y5)

#define SIX2(i) \
	SIX_WEIGHTS(i)            \
	SIX_DOT(i, R8, Y4, Y5)    \
	SIX_DOT(i, R9, Y6, Y7)

#define OFFSET32_1 \
	ZERO2(Y4, Y5)                \
	SIX1(0)                      \
	SIX1(2)                      \
	SIX1(4)                      \
	SIX1(6)                      \
	OFFSET(5, R8, Y4, Y5)        \
	SCALES                       \
	SCALE(R8, Y4, Y5, Y0, Y1)

#define OFFSET32_2 \
	ZERO2(Y4, Y5)                \
	ZERO2(Y6, Y7)                \
	SIX2(0)                      \
	SIX2(2)                      \
	SIX2(4)                      \
	SIX2(6)                      \
	OFFSET(5, R8, Y4, Y5)        \
	OFFSET(5, R9, Y6, Y7)        \
	SCALES                       \
	SCALE(R8, Y4, Y5, Y0, Y1)    \
	SCALE(R9, Y6, Y7, Y2, Y3)

// func tileOffset32Avx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)
TEXT ·tileOffset32Avx2(SB), NOSPLIT, $0-56
	PART(OFFSET32_1, OFFSET32_2, 576)

// RUN_OFFSET(row, s0, s1, later) begins sums of a row with four times those of pairs of activations, in every lane: s0 and s1 with the first 16
// columns; what the last 16 begin with goes to later.
#define RUN_OFFSET(row, s0, s1, later) \
	VMOVDQU    (row), Y9         \
	VPMADDUBSW Y9, Y8, Y9        \
	VPSHUFD    $0x4e, Y9, Y13    \
	VPADDW     Y13, Y9, Y9       \
	VPSHUFD    $0xb1, Y9, Y13    \
	VPADDW     Y13, Y9, Y9       \
	VPERMQ     $0xee, Y9, Y13    \
	VMOVDQU    Y13, later        \
	VPERMQ     $0x44, Y9, s0     \
	VMOVDQU    s0, s1

// RUN_DOT takes the products with weights below 8 off sums of pairs, which 16 bits hold.
#define RUN_DOT(i, row, s0, s1) \
	VPBROADCASTD (4*(i))(row), Y12 \
	VPMADDUBSW   Y12, Y8, Y13      \
	VPSUBW       Y13, s0, s0       \
	VPMADDUBSW   Y12, Y9, Y13      \
	VPSUBW       Y13, s1, s1

#define RUN1(i) \
	WEIGHTS(192, i)            \
	RUN_DOT(i, R8, Y4, Y5)

#define RUN2(i) \
	WEIGHTS(192, i)            \
	RUN_DOT(i, R8, Y4, Y5)     \
	RUN_DOT(i, R9, Y6, Y7)

// FACTORS(at, s0, s1, h0, h1) multiplies sums of pairs with the factors at byte at of the block, and adds neighbours.
#define FACTORS(at, s0, s1, h0, h1) \
	VPMADDWD at(SI), s0, h0        \
	VPMADDWD (at+32)(SI), s1, h1

#define RUNS1 \
	VPBROADCASTD fours<>(SB), Y8           \
	RUN_OFFSET(R8, Y4, Y5, later-64(SP))   \
	RUN1(0)                                \
	RUN1(1)                                \
	RUN1(2)                                \
	RUN1(3)                                \
	FACTORS(64, Y4, Y5, Y10, Y11)          \
	VMOVDQU later-64(SP), Y4               \
	VMOVDQU Y4, Y5                         \
	RUN1(4)                                \
	RUN1(5)                                \
	RUN1(6)                                \
	RUN1(7)                                \
	FACTORS(128, Y4, Y5, Y4, Y5)           \
	VPADDD Y10, Y4, Y4                     \
	VPADDD Y11, Y5, Y5                     \
	SCALES                                 \
	SCALE(R8, Y4, Y5, Y0, Y1)

#define RUNS2 \
	VPBROADCASTD fours<>(SB), Y8           \
	RUN_OFFSET(R8, Y4, Y5, later-64(SP))   \
	RUN_OFFSET(R9, Y6, Y7, later-32(SP))   \
	RUN2(0)                                \
	RUN2(1)                                \
	RUN2(2)                                \
	RUN2(3)                                \
	FACTORS(64, Y4, Y5, Y10, Y11)          \
	FACTORS(64, Y6, Y7, Y14, Y15)          \
	VMOVDQU later-64(SP), Y4               \
	VMOVDQU Y4, Y5                         \
	VMOVDQU later-32(SP), Y6               \
	VMOVDQU Y6, Y7                         \
	RUN2(4)                                \
	RUN2(5)                                \
	RUN2(6)                                \
	RUN2(7)                                \
	FACTORS(128, Y4, Y5, Y4, Y5)           \
	FACTORS(128, Y6, Y7, Y6, Y7)           \
	VPADDD Y10, Y4, Y4                     \
	VPADDD Y11, Y5, Y5                     \
	VPADDD Y14, Y6, Y6                     \
	VPADDD Y15, Y7, Y7                     \
	SCALES                                 \
	SCALE(R8, Y4, Y5, Y0, Y1)              \
	SCALE(R9, Y6, Y7, Y2, Y3)

// func tileRunsAvx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)
TEXT ·tileRunsAvx2(SB), NOSPLIT, $64-56
	PART(RUNS1, RUNS2, 704)

// MASKED_DOT multiplies weights in Y10 and Y11 with activations, those under a mask with -1-a.
#define MASKED_DOT(i, row, s0, s1) \
	VPBROADCASTD (4*i)(row), Y12     \
	VPXOR        (640+64*i)(SI), Y12, Y13 \
	VPXOR        (672+64*i)(SI), Y12, Y15 \
	VPMADDUBSW   Y13, Y10, Y13       \
	VPMADDUBSW   Y15, Y11, Y15       \
	VPMADDWD     Y14, Y13, Y13       \
	VPMADDWD     Y14, Y15, Y15       \
	VPADDD       Y13, s0, s0         \
	VPADDD       Y15, s1, s1

#define MASKED_WEIGHTS(at, i) \
	VMOVDQU (at+64*i)(SI), Y10    \
	VMOVDQU (at+32+64*i)(SI), Y11

#define MASKED_GROUP1(at, i) \
	MASKED_WEIGHTS(at, i)         \
	MASKED_DOT(i, R8, Y4, Y5)

#define MASKED_GROUP2(at, i) \
	MASKED_WEIGHTS(at, i)         \
	MASKED_DOT(i, R8, Y4, Y5)     \
	MASKED_DOT(i, R9, Y6, Y7)

// MASKED1 and MASKED2 begin sums with those of the weights under a mask.
#define MASKED1 \
	VMOVDQU 64(SI), Y4            \
	VMOVDQU 96(SI), Y5            \
	GROUPS(MASKED_GROUP1, 128)    \
	SCALES                        \
	SCALE(R8, Y4, Y5, Y0, Y1)

#define MASKED2 \
	VMOVDQU 64(SI), Y4            \
	VMOVDQU 96(SI), Y5            \
	VMOVDQU Y4, Y6                \
	VMOVDQU Y5, Y7                \
	GROUPS(MASKED_GROUP2, 128)    \
	SCALES                        \
	SCALE(R8, Y4, Y5, Y0, Y1)     \
	SCALE(R9, Y6, Y7, Y2, Y3)

// func tileMaskedAvx2(dst *float32, ldd int, w, q *byte, rows, blocks, ldq int)
TEXT ·tileMaskedAvx2(SB), NOSPLIT, $0-56
	PART(MASKED1, MASKED2, 1152)
