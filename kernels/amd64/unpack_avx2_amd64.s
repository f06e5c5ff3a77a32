//go:build !purego

#include "textflag.h"

// Unpacking of tiles, two halves of 8 rows at a time; see table.Layout.
//
//	DI  dst, a block of 32 columns    SI  tile    CX  blocks left
//	R8  table of what quants stand for    BX  what is unpacked next, and asked for here

DATA nibble<>+0(SB)/4, $0x0f0f0f0f
GLOBL nibble<>(SB), RODATA|NOPTR, $4
DATA eight<>+0(SB)/4, $0x08080808
GLOBL eight<>(SB), RODATA|NOPTR, $4
DATA pair<>+0(SB)/4, $0x03030303
GLOBL pair<>(SB), RODATA|NOPTR, $4
DATA four<>+0(SB)/4, $0x04040404
GLOBL four<>(SB), RODATA|NOPTR, $4
DATA bytes32<>+0(SB)/4, $0x20202020
GLOBL bytes32<>(SB), RODATA|NOPTR, $4
DATA half<>+0(SB)/4, $0x3f000000 // 0.5
GLOBL half<>(SB), RODATA|NOPTR, $4
DATA nan<>+0(SB)/4, $0x7fc00000
GLOBL nan<>(SB), RODATA|NOPTR, $4

// Numbers in every 32-bit lane.
DATA one<>+0(SB)/4, $1
GLOBL one<>(SB), RODATA|NOPTR, $4
DATA three<>+0(SB)/4, $3
GLOBL three<>(SB), RODATA|NOPTR, $4
DATA fifteen<>+0(SB)/4, $15
GLOBL fifteen<>(SB), RODATA|NOPTR, $4
DATA thirtyTwo<>+0(SB)/4, $32
GLOBL thirtyTwo<>(SB), RODATA|NOPTR, $4
DATA number255<>+0(SB)/4, $255
GLOBL number255<>(SB), RODATA|NOPTR, $4

// onesOfBytes is bit 0 of every byte, sevenBits are bits 0 to 6 of 32.
DATA onesOfBytes<>+0(SB)/4, $0x01010101
GLOBL onesOfBytes<>(SB), RODATA|NOPTR, $4
DATA sevenBits<>+0(SB)/4, $0x0000007f
GLOBL sevenBits<>(SB), RODATA|NOPTR, $4
DATA sixtyThree<>+0(SB)/4, $63
GLOBL sixtyThree<>(SB), RODATA|NOPTR, $4
DATA bytes16<>+0(SB)/4, $0x10101010
GLOBL bytes16<>(SB), RODATA|NOPTR, $4

// eachFour repeats bytes 0 … 7 four times, eachFourHigh bytes 8 … 15. lowBits and highBits are a bit each for four columns.
DATA eachFour<>+0(SB)/8, $0x0101010100000000
DATA eachFour<>+8(SB)/8, $0x0303030302020202
DATA eachFour<>+16(SB)/8, $0x0505050504040404
DATA eachFour<>+24(SB)/8, $0x0707070706060606
GLOBL eachFour<>(SB), RODATA|NOPTR, $32
DATA eachFourHigh<>+0(SB)/8, $0x0909090908080808
DATA eachFourHigh<>+8(SB)/8, $0x0b0b0b0b0a0a0a0a
DATA eachFourHigh<>+16(SB)/8, $0x0d0d0d0d0c0c0c0c
DATA eachFourHigh<>+24(SB)/8, $0x0f0f0f0f0e0e0e0e
GLOBL eachFourHigh<>(SB), RODATA|NOPTR, $32
DATA lowBits<>+0(SB)/4, $0x08040201
GLOBL lowBits<>(SB), RODATA|NOPTR, $4
DATA highBits<>+0(SB)/4, $0x80402010
GLOBL highBits<>(SB), RODATA|NOPTR, $4

// oddBits has the top bit set for numbers with an odd number of bits.
DATA oddBits<>+0(SB)/8, $0x8000008000808000
DATA oddBits<>+8(SB)/8, $0x0080800080000080
GLOBL oddBits<>(SB), RODATA|NOPTR, $16

// AHEAD(bytes) has the next part of a tile asked for, PartColumns of bytes bytes, while the products with this one are made. PREFETCH4 and
// PREFETCH6 ask for what stands for 32 columns.
#define AHEAD(bytes) LEAQ bytes(SI), BX

#define PREFETCH4(bytes) \
	PREFETCHT0 (BX)        \
	PREFETCHT0 64(BX)      \
	PREFETCHT0 128(BX)     \
	PREFETCHT0 192(BX)     \
	ADDQ       $(bytes), BX

#define PREFETCH6(bytes) \
	PREFETCHT0 256(BX)     \
	PREFETCHT0 320(BX)     \
	PREFETCH4(bytes)

#define STORE_SCALES(a, b) \
	VMOVUPS a, (DI)   \
	VMOVUPS b, 32(DI)

// NIBBLES(from, to) writes what the nibbles of 32 bytes stand for: the low ones, and the high ones 16 columns further. Y14
// holds the values, Y15 the mask.
#define NIBBLES(from, to) \
	VMOVDQU from(SI), Y4     \
	VPSRLW  $4, Y4, Y5       \
	VPAND   Y15, Y4, Y4      \
	VPAND   Y15, Y5, Y5      \
	VPSHUFB Y4, Y14, Y4      \
	VPSHUFB Y5, Y14, Y5      \
	VMOVDQU Y4, to(DI)       \
	VMOVDQU Y5, (256+to)(DI)

// NIBBLES32(from) does so for 32 columns.
#define NIBBLES32(from) \
	NIBBLES(from, 64)       \
	NIBBLES(from+32, 96)    \
	NIBBLES(from+64, 128)   \
	NIBBLES(from+96, 160)   \
	NIBBLES(from+128, 192)  \
	NIBBLES(from+160, 224)  \
	NIBBLES(from+192, 256)  \
	NIBBLES(from+224, 288)

// MASKED(from, to, sum) writes the magnitudes of 32 bytes of nibbles and the masks of those below 8, and adds the masked magnitudes to sum. Y14 holds
// the magnitudes, Y15 the mask of nibbles, Y9 eights, Y8 ones.
#define MASKED(from, to, sum) \
	VMOVDQU    from(SI), Y2        \
	VPSRLW     $4, Y2, Y3          \
	VPAND      Y15, Y2, Y2         \
	VPAND      Y15, Y3, Y3         \
	VPCMPGTB   Y2, Y9, Y4          \
	VPCMPGTB   Y3, Y9, Y5          \
	VPSHUFB    Y2, Y14, Y2         \
	VPSHUFB    Y3, Y14, Y3         \
	VMOVDQU    Y2, (64+to)(DI)     \
	VMOVDQU    Y3, (320+to)(DI)    \
	VMOVDQU    Y4, (576+to)(DI)    \
	VMOVDQU    Y5, (832+to)(DI)    \
	VPAND      Y2, Y4, Y4          \
	VPAND      Y3, Y5, Y5          \
	VPADDB     Y5, Y4, Y4          \
	VPMADDUBSW Y8, Y4, Y4          \
	VPADDW     Y4, sum, sum

// MASKED32(from) does so for 32 columns.
#define MASKED32(from) \
	VPXOR    Y6, Y6, Y6            \
	VPXOR    Y7, Y7, Y7            \
	MASKED(from, 64, Y6)           \
	MASKED(from+32, 96, Y7)        \
	MASKED(from+64, 128, Y6)       \
	MASKED(from+96, 160, Y7)       \
	MASKED(from+128, 192, Y6)      \
	MASKED(from+160, 224, Y7)      \
	MASKED(from+192, 256, Y6)      \
	MASKED(from+224, 288, Y7)      \
	VPMADDWD Y10, Y6, Y6           \
	VPMADDWD Y10, Y7, Y7           \
	VMOVDQU  Y6, 64(DI)            \
	VMOVDQU  Y7, 96(DI)

#define MASKED_CONSTANTS \
	VBROADCASTI128 (R8), Y14           \
	VPBROADCASTD   nibble<>(SB), Y15   \
	VPBROADCASTD   eight<>(SB), Y9     \
	VPBROADCASTD   onesOfBytes<>(SB), Y8 \
	VPSRLW         $8, Y8, Y10         // ones in words

#define ARGUMENTS \
	MOVQ dst+0(FP), DI     \
	MOVQ tile+8(FP), SI    \
	MOVQ blocks+16(FP), CX \
	MOVQ table+24(FP), R8

// func unpackIQ4NLAvx2(dst, tile *byte, blocks int, magnitudes *[16]int8)
TEXT ·unpackIQ4NLAvx2(SB), NOSPLIT, $0-32
	ARGUMENTS
	MASKED_CONSTANTS
	AHEAD(16*288)

block:
	PREFETCH6(288)
	VCVTPH2PS (SI), Y0
	VCVTPH2PS 16(SI), Y1
	STORE_SCALES(Y0, Y1)
	MASKED32(32)
	ADDQ $288, SI
	ADDQ $1152, DI
	SUBQ $1, CX
	JNZ  block
	VZEROUPPER
	RET

// POWER(y) makes half of the power of two of each exponent: (e-1)<<23, but for two subnormal numbers and NaN.
#define POWER(y) \
	VPSUBD    Y11, y, Y2      \
	VPSLLD    $23, Y2, Y2     \
	VPCMPEQD  Y10, y, Y3      \
	VBLENDVPS Y3, Y9, Y2, Y2  \
	VPCMPEQD  Y11, y, Y3      \
	VBLENDVPS Y3, Y8, Y2, Y2  \
	VPCMPEQD  Y12, y, Y3      \
	VBLENDVPS Y3, Y13, Y2, y

// func unpackMXFP4Avx2(dst, tile *byte, blocks int, values *[16]int8)
TEXT ·unpackMXFP4Avx2(SB), NOSPLIT, $0-32
	ARGUMENTS
	VBROADCASTI128 (R8), Y14
	VPBROADCASTD   nibble<>(SB), Y15
	VPBROADCASTD   one<>(SB), Y11
	VPSLLD         $22, Y11, Y8  // 2^-127
	VPSLLD         $21, Y11, Y9  // 2^-128
	VPXOR          Y10, Y10, Y10
	VPBROADCASTD   number255<>(SB), Y12
	VPBROADCASTD   nan<>(SB), Y13
	AHEAD(16*272)

block:
	PREFETCH6(272)
	VPMOVZXBD (SI), Y0
	VPMOVZXBD 8(SI), Y1
	POWER(Y0)
	POWER(Y1)
	STORE_SCALES(Y0, Y1)
	NIBBLES32(16)
	ADDQ $272, SI
	ADDQ $576, DI
	SUBQ $1, CX
	JNZ  block
	VZEROUPPER
	RET

// IQ4XS_SCALE(s, row, d) makes d·(scale-32) of the s-th 32 columns of 8 rows in Y2.
#define IQ4XS_SCALE(s, row, d) \
	VPMOVZXBD (64+16*((s)/2)+row)(SI), Y2 \
	VPSRLD    $(4*((s)%2)), Y2, Y2        \
	VPAND     Y13, Y2, Y2                 \
	VPMOVZXBD (32+16*((s)/4)+row)(SI), Y3 \
	VPSRLD    $(2*((s)%4)), Y3, Y3        \
	VPAND     Y12, Y3, Y3                 \
	VPSLLD    $4, Y3, Y3                  \
	VPOR      Y3, Y2, Y2                  \
	VPSUBD    Y11, Y2, Y2                 \
	VCVTDQ2PS Y2, Y2                      \
	VMULPS    d, Y2, Y2

#define IQ4XS(s) \
	PREFETCH6(272)           \
	IQ4XS_SCALE(s, 0, Y0)    \
	VMOVUPS Y2, (DI)         \
	IQ4XS_SCALE(s, 8, Y1)    \
	VMOVUPS Y2, 32(DI)       \
	MASKED32(128+256*(s))    \
	ADDQ $1152, DI

// func unpackIQ4XSAvx2(dst, tile *byte, blocks int, magnitudes *[16]int8)
TEXT ·unpackIQ4XSAvx2(SB), NOSPLIT, $0-32
	ARGUMENTS
	MASKED_CONSTANTS
	VPBROADCASTD   fifteen<>(SB), Y13
	VPBROADCASTD   three<>(SB), Y12
	VPBROADCASTD   thirtyTwo<>(SB), Y11
	AHEAD(2*2176)

block:
	VCVTPH2PS (SI), Y0
	VCVTPH2PS 16(SI), Y1
	IQ4XS(0)
	IQ4XS(1)
	IQ4XS(2)
	IQ4XS(3)
	IQ4XS(4)
	IQ4XS(5)
	IQ4XS(6)
	IQ4XS(7)
	ADDQ $2176, SI
	SUBQ $1, CX
	JNZ  block
	VZEROUPPER
	RET

// Q3K_FACTORS(at, high, shift) writes 32 less the scales of runs of 16 columns, a byte for each of 16 rows, to scratch: those
// of the low nibbles of scales at byte at of the block, then those of the high ones, whose high bits are the bit pairs of the scales
// at high from bit shift on, and from bit shift+4 on. X15 is the mask of nibbles, X14 that of pairs, X13 holds 32.
#define Q3K_FACTORS(at, high, shift, to) \
	VMOVDQU at(SI), X2             \
	VMOVDQU high(SI), X4           \
	VPSRLW  $4, X2, X3             \
	VPAND   X15, X2, X2            \
	VPAND   X15, X3, X3            \
	VPSRLW  $(shift), X4, X5       \
	VPSRLW  $(shift+4), X4, X4     \
	VPAND   X14, X5, X5            \
	VPAND   X14, X4, X4            \
	VPSLLW  $4, X5, X5             \
	VPSLLW  $4, X4, X4             \
	VPOR    X5, X2, X2             \
	VPOR    X4, X3, X3             \
	VPSUBB  X2, X13, X2            \
	VPSUBB  X3, X13, X3            \
	VMOVDQU X2, (to)(R10)          \
	VMOVDQU X3, (128+to)(R10)

// Q3K_GROUP(at) writes four columns of 8 rows. X6 is the shift of the bit pairs, Y7 the bit of hmask, Y9 holds four in every byte, Y14 is the mask
// of pairs.
#define Q3K_GROUP(at) \
	VMOVDQU  at(R11), Y0          \
	VPSRLW   X6, Y0, Y0           \
	VPAND    Y14, Y0, Y0          \
	VPAND    at(R12), Y7, Y1      \
	VPCMPEQB Y7, Y1, Y1           \
	VPAND    Y9, Y1, Y1           \
	VPOR     Y1, Y0, Y0           \
	VMOVDQU  Y0, (192+at)(DI)

#define Q3K_RUN(run) \
	Q3K_GROUP(256*(run))       \
	Q3K_GROUP(256*(run)+32)    \
	Q3K_GROUP(256*(run)+64)    \
	Q3K_GROUP(256*(run)+96)    \
	Q3K_GROUP(256*(run)+128)   \
	Q3K_GROUP(256*(run)+160)   \
	Q3K_GROUP(256*(run)+192)   \
	Q3K_GROUP(256*(run)+224)

// Q3K_WORDS(from, to) writes eight factors, each as two halves of 32 bits.
#define Q3K_WORDS(from, to) \
	VPMOVSXBD from(R10), Y2       \
	VPSLLD    $16, Y2, Y3         \
	VPBLENDW  $0xaa, Y3, Y2, Y2   \
	VMOVDQU   Y2, to(DI)

// func unpackQ3KAvx2(dst, tile *byte, blocks int)
//
//	R9   32 columns of the block left    R10  scratch: 16 factors of 16 rows; then those of the columns
//	R11  bit pairs    R12  third bits    Y11, Y12  d
TEXT ·unpackQ3KAvx2(SB), 0, $256-24
	MOVQ dst+0(FP), DI
	MOVQ tile+8(FP), SI
	MOVQ blocks+16(FP), CX
	VPBROADCASTD four<>(SB), Y9
	VPBROADCASTD bytes32<>(SB), Y13
	VPBROADCASTD pair<>(SB), Y14
	VPBROADCASTD nibble<>(SB), Y15
	AHEAD(2*1760)

block:
	LEAQ scratch-256(SP), R10
	Q3K_FACTORS(32, 160, 0, 0)
	Q3K_FACTORS(48, 176, 0, 16)
	Q3K_FACTORS(64, 192, 0, 32)
	Q3K_FACTORS(80, 208, 0, 48)
	Q3K_FACTORS(96, 160, 2, 64)
	Q3K_FACTORS(112, 176, 2, 80)
	Q3K_FACTORS(128, 192, 2, 96)
	Q3K_FACTORS(144, 208, 2, 112)
	VCVTPH2PS    (SI), Y11
	VCVTPH2PS    16(SI), Y12
	LEAQ 224(SI), R11
	LEAQ 1248(SI), R12
	MOVQ $8, R9
	VPXOR        X6, X6, X6
	VPBROADCASTD onesOfBytes<>(SB), Y7
	VPBROADCASTD one<>(SB), X5
	VPADDD       X5, X5, X5
	VPSRLDQ      $12, X5, X5 // 2 in the lowest lane alone

columns:
	PREFETCH4(220)
	STORE_SCALES(Y11, Y12)
	Q3K_WORDS(0, 64)
	Q3K_WORDS(8, 96)
	Q3K_WORDS(16, 128)
	Q3K_WORDS(24, 160)
	Q3K_RUN(0)
	Q3K_RUN(1)
	VPADDQ X5, X6, X6
	VPADDB Y7, Y7, Y7
	ADDQ   $32, R10
	ADDQ   $704, DI
	CMPQ   R9, $5
	JNE    same_half
	ADDQ   $512, R11
	VPXOR  X6, X6, X6

same_half:
	SUBQ $1, R9
	JNZ  columns
	ADDQ $1760, SI
	SUBQ $1, CX
	JNZ  block
	VZEROUPPER
	RET

#define BYTE_INDEX(j, r) MOVBLZX (16*(j)+r)(R12), AX
#define WORD_INDEX(j, r) MOVWLZX (32*(j)+2*(r))(R10), AX

#define LOOKUP(INDEX, j, r, lane, x) \
	INDEX(j, r)                 \
	VPINSRD $lane, (R8)(AX*4), x, x

// LOOKUP8(INDEX, j, r) makes the magnitudes of the j-th four columns of rows r … r+7 in Y3. INDEX loads the index of one.
#define LOOKUP8(INDEX, j, r) \
	INDEX(j, r)                    \
	VMOVD (R8)(AX*4), X3           \
	LOOKUP(INDEX, j, r+1, 1, X3)   \
	LOOKUP(INDEX, j, r+2, 2, X3)   \
	LOOKUP(INDEX, j, r+3, 3, X3)   \
	INDEX(j, r+4)                  \
	VMOVD (R8)(AX*4), X6           \
	LOOKUP(INDEX, j, r+5, 1, X6)   \
	LOOKUP(INDEX, j, r+6, 2, X6)   \
	LOOKUP(INDEX, j, r+7, 3, X6)   \
	VINSERTI128 $1, X6, Y3, Y3

// INDICES(j, high) writes the indices of 16 rows of the j-th four columns to scratch: their bytes at R12, and high ones.
#define INDICES(j, high) \
	VMOVDQU    (16*(j))(R12), X3         \
	VPUNPCKLBW high, X3, X2              \
	VPUNPCKHBW high, X3, X3              \
	VMOVDQU    X2, (32*(j))(R10)         \
	VMOVDQU    X3, (32*(j)+16)(R10)

// SIGN(at, signs, bits) writes the magnitudes in Y3, negative where the bit of bits is set in signs, plus the offset, Y15.
#define SIGN(at, signs, bits) \
	VPAND    bits, signs, Y2  \
	VPCMPEQB bits, Y2, Y2     \
	VPXOR    Y3, Y2, Y3       \
	VPSUBB   Y2, Y15, Y2      \
	VPADDB   Y2, Y3, Y3       \
	VMOVDQU  Y3, at(DI)

// MAGNITUDES(INDEX, base, g) writes the g-th 8 columns of 16 rows, whose signs are bytes at base. Y13 and Y14 are the bits of the first four
// columns and the last.
#define MAGNITUDES(INDEX, base, g) \
	VBROADCASTI128 (16*g)(base), Y4           \
	VPSHUFB        eachFourHigh<>(SB), Y4, Y5 \
	VPSHUFB        eachFour<>(SB), Y4, Y4     \
	LOOKUP8(INDEX, 2*g, 0)                    \
	SIGN(64+128*g, Y4, Y13)                   \
	LOOKUP8(INDEX, 2*g, 8)                    \
	SIGN(96+128*g, Y5, Y13)                   \
	LOOKUP8(INDEX, 2*g+1, 0)                  \
	SIGN(128+128*g, Y4, Y14)                  \
	LOOKUP8(INDEX, 2*g+1, 8)                  \
	SIGN(160+128*g, Y5, Y14)

#define MAGNITUDES32(INDEX, base) \
	MAGNITUDES(INDEX, base, 0) \
	MAGNITUDES(INDEX, base, 1) \
	MAGNITUDES(INDEX, base, 2) \
	MAGNITUDES(INDEX, base, 3)

// IQ3S_SCALE(row, d, shift) makes d·(1+2·scale) of 8 rows in Y2. Y9 is the mask of nibbles in numbers, Y8 holds 1.
#define IQ3S_SCALE(row, d, shift) \
	VPMOVZXBD row(R9), Y2       \
	VPSRLD    $(shift), Y2, Y2  \
	VPAND     Y9, Y2, Y2        \
	VPADDD    Y2, Y2, Y2        \
	VPADDD    Y8, Y2, Y2        \
	VCVTDQ2PS Y2, Y2            \
	VMULPS    d, Y2, Y2         \
	VMOVUPS   Y2, (4*row)(DI)

// IQ3S_INDICES(j) writes the indices of the j-th four columns: above a byte a bit of X5. X11 is the mask of a bit in bytes.
#define IQ3S_INDICES(j) \
	VPSRLW  $j, X5, X4          \
	VPAND   X11, X4, X4         \
	INDICES(j, X4)

// IQ3S_RUN(shift) unpacks 32 columns, whose scale begins at bit shift.
#define IQ3S_RUN(shift) \
	PREFETCH4(220)            \
	IQ3S_SCALE(0, Y0, shift)  \
	IQ3S_SCALE(8, Y1, shift)  \
	VMOVDQU (DX), X5          \
	IQ3S_INDICES(0)           \
	IQ3S_INDICES(1)           \
	IQ3S_INDICES(2)           \
	IQ3S_INDICES(3)           \
	IQ3S_INDICES(4)           \
	IQ3S_INDICES(5)           \
	IQ3S_INDICES(6)           \
	IQ3S_INDICES(7)           \
	MAGNITUDES32(WORD_INDEX, R11) \
	ADDQ $16, DX              \
	ADDQ $64, R11             \
	ADDQ $128, R12            \
	ADDQ $576, DI

// func unpackIQ3SAvx2(dst, tile *byte, blocks int, magnitudes *[512]uint32)
//
//	R9  scales    DX  high bits of the indices    R11  signs    R12  low bits    R10  scratch: indices    R13  64 columns left
TEXT ·unpackIQ3SAvx2(SB), 0, $256-32
	ARGUMENTS
	LEAQ scratch-256(SP), R10
	VPBROADCASTD onesOfBytes<>(SB), X11
	VPBROADCASTD one<>(SB), Y8
	VPBROADCASTD fifteen<>(SB), Y9
	VPBROADCASTD lowBits<>(SB), Y13
	VPBROADCASTD highBits<>(SB), Y14
	VPBROADCASTD bytes16<>(SB), Y15
	AHEAD(2*1760)

block:
	VCVTPH2PS (SI), Y0
	VCVTPH2PS 16(SI), Y1
	LEAQ 32(SI), R9
	LEAQ 96(SI), DX
	LEAQ 224(SI), R11
	LEAQ 736(SI), R12
	MOVQ $4, R13

columns:
	IQ3S_RUN(0)
	IQ3S_RUN(4)
	ADDQ $16, R9
	SUBQ $1, R13
	JNZ  columns
	ADDQ $1760, SI
	SUBQ $1, CX
	JNZ  block
	VZEROUPPER
	RET

// IQ3XXS_SCALE(row, d) makes d·(scale+½) of the top of the words of 8 rows in Y2.
#define IQ3XXS_SCALE(row, d) \
	VPSRLD    $28, row, Y2          \
	VCVTDQ2PS Y2, Y2                \
	VADDPS    Y12, Y2, Y2           \
	VMULPS    d, Y2, Y2

// IQ3XXS_SIGNS(g) writes the signs of the g-th 8 columns to scratch: seven bits of the words of 16 rows, Y5 and Y6, and their parity.
#define IQ3XXS_SIGNS(g) \
	VPSRLD    $(7*g), Y5, Y2      \
	VPSRLD    $(7*g), Y6, Y3      \
	VPAND     Y11, Y2, Y2         \
	VPAND     Y11, Y3, Y3         \
	VPACKUSDW Y3, Y2, Y2          \
	VPERMQ    $0xd8, Y2, Y2       \
	VEXTRACTI128 $1, Y2, X3       \
	VPACKUSWB X3, X2, X7          \
	VPSRLW    $4, X7, X3          \
	VPAND     X9, X7, X2          \
	VPAND     X9, X3, X3          \
	VPSHUFB   X2, X10, X4         \
	VPSHUFB   X3, X10, X3         \
	VPXOR     X4, X7, X7          \
	VPXOR     X3, X7, X7          \
	VMOVDQU   X7, (16*g)(R10)

// func unpackIQ3XXSAvx2(dst, tile *byte, blocks int, magnitudes *[256]uint32)
//
//	R11  words of signs and scales    R12  indices    R10  scratch: signs    R13  32 columns of the block left
TEXT ·unpackIQ3XXSAvx2(SB), NOSPLIT, $64-32
	ARGUMENTS
	LEAQ scratch-64(SP), R10
	VPBROADCASTD nibble<>(SB), X9
	VMOVDQU      oddBits<>(SB), X10
	VPBROADCASTD sevenBits<>(SB), Y11
	VBROADCASTSS half<>(SB), Y12
	VPBROADCASTD lowBits<>(SB), Y13
	VPBROADCASTD highBits<>(SB), Y14
	VPBROADCASTD bytes32<>(SB), Y15
	AHEAD(2*1568)

block:
	VCVTPH2PS (SI), Y0
	VCVTPH2PS 16(SI), Y1
	LEAQ 32(SI), R12
	LEAQ 1056(SI), R11
	MOVQ $8, R13

columns:
	PREFETCH4(196)
	VMOVDQU (R11), Y5
	VMOVDQU 32(R11), Y6
	IQ3XXS_SCALE(Y5, Y0)
	VMOVUPS Y2, (DI)
	IQ3XXS_SCALE(Y6, Y1)
	VMOVUPS Y2, 32(DI)
	IQ3XXS_SIGNS(0)
	IQ3XXS_SIGNS(1)
	IQ3XXS_SIGNS(2)
	IQ3XXS_SIGNS(3)
	MAGNITUDES32(BYTE_INDEX, R10)
	ADDQ $64, R11
	ADDQ $128, R12
	ADDQ $576, DI
	SUBQ $1, R13
	JNZ  columns
	ADDQ $1568, SI
	SUBQ $1, CX
	JNZ  block
	VZEROUPPER
	RET

// Q5K_SCALES(s, row, d, dmin) writes the scales and the minima of the s-th 32 columns of 8 rows; Q5K_SCALESH is for s above 3. Y10 and Y4
// hold dmin, Y12 is the mask of six bits, Y13 that of four.
#define Q5K_SCALES(s, row, d, dmin) \
	VPMOVZXBD (64+16*(s)+row)(SI), Y2     \
	VPMOVZXBD (64+16*((s)+4)+row)(SI), Y3 \
	VPAND     Y12, Y2, Y2                 \
	VPAND     Y12, Y3, Y3                 \
	Q5K_STORE(row, d, dmin)

#define Q5K_SCALESH(s, row, d, dmin) \
	VPMOVZXBD (64+16*((s)+4)+row)(SI), Y3 \
	VPMOVZXBD (64+16*((s)-4)+row)(SI), Y5 \
	VPMOVZXBD (64+16*(s)+row)(SI), Y6     \
	VPAND     Y13, Y3, Y2                 \
	VPSRLD    $4, Y3, Y3                  \
	VPSRLD    $6, Y5, Y5                  \
	VPSRLD    $6, Y6, Y6                  \
	VPSLLD    $4, Y5, Y5                  \
	VPSLLD    $4, Y6, Y6                  \
	VPOR      Y5, Y2, Y2                  \
	VPOR      Y6, Y3, Y3                  \
	Q5K_STORE(row, d, dmin)

#define Q5K_STORE(row, d, dmin) \
	VCVTDQ2PS Y2, Y2               \
	VCVTDQ2PS Y3, Y3               \
	VMULPS    d, Y2, Y2            \
	VMULPS    dmin, Y3, Y3         \
	VMOVUPS   Y2, (4*row)(DI)      \
	VMOVUPS   Y3, (64+4*row)(DI)

// Q5K_QUANTS(s, at) writes 32 bytes of the s-th 32 columns: nibbles, and 16 where the bit of Y11 is set in qh. Y14 holds 16s, Y15 is the
// mask of nibbles.
#define Q5K_QUANTS(s, at) \
	VMOVDQU  (256+512*((s)/2)+at)(SI), Y2 \
	VPSRLW   $(4*((s)%2)), Y2, Y2         \
	VPAND    Y15, Y2, Y2                  \
	VPAND    (2304+at)(SI), Y11, Y3       \
	VPCMPEQB Y11, Y3, Y3                  \
	VPAND    Y14, Y3, Y3                  \
	VPOR     Y3, Y2, Y2                   \
	VMOVDQU  Y2, (128+at)(DI)

#define Q5K(s, SCALES) \
	PREFETCH6(352)         \
	SCALES(s, 0, Y0, Y10)  \
	SCALES(s, 8, Y1, Y4)   \
	Q5K_QUANTS(s, 0)       \
	Q5K_QUANTS(s, 32)      \
	Q5K_QUANTS(s, 64)      \
	Q5K_QUANTS(s, 96)      \
	Q5K_QUANTS(s, 128)     \
	Q5K_QUANTS(s, 160)     \
	Q5K_QUANTS(s, 192)     \
	Q5K_QUANTS(s, 224)     \
	Q5K_QUANTS(s, 256)     \
	Q5K_QUANTS(s, 288)     \
	Q5K_QUANTS(s, 320)     \
	Q5K_QUANTS(s, 352)     \
	Q5K_QUANTS(s, 384)     \
	Q5K_QUANTS(s, 416)     \
	Q5K_QUANTS(s, 448)     \
	Q5K_QUANTS(s, 480)     \
	VPADDB    Y11, Y11, Y11 \
	ADDQ      $640, DI

// func unpackQ5KAvx2(dst, tile *byte, blocks int)
TEXT ·unpackQ5KAvx2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ tile+8(FP), SI
	MOVQ blocks+16(FP), CX
	VPBROADCASTD sixtyThree<>(SB), Y12
	VPBROADCASTD fifteen<>(SB), Y13
	VPBROADCASTD bytes16<>(SB), Y14
	VPBROADCASTD nibble<>(SB), Y15
	AHEAD(2*2816)

block:
	VCVTPH2PS (SI), Y0
	VCVTPH2PS 16(SI), Y1
	VCVTPH2PS 32(SI), Y10
	VCVTPH2PS 48(SI), Y4
	VPBROADCASTD onesOfBytes<>(SB), Y11
	Q5K(0, Q5K_SCALES)
	Q5K(1, Q5K_SCALES)
	Q5K(2, Q5K_SCALES)
	Q5K(3, Q5K_SCALES)
	Q5K(4, Q5K_SCALESH)
	Q5K(5, Q5K_SCALESH)
	Q5K(6, Q5K_SCALESH)
	Q5K(7, Q5K_SCALESH)
	ADDQ $2816, SI
	SUBQ $1, CX
	JNZ  block
	VZEROUPPER
	RET
