// The frame of the AMX kernels: tiles of 16 matrix rows, one after the other, times one group of rows of activations in the
// form q8x16. Four products of a block are made at a time in tile registers. Their int32 sums pass through memory to vector
// registers, where they are scaled and added up by the operations of the AVX-512 kernels in the same order, so that the bits
// are the same; tile_avx512_amd64.h has the registers of that part.
//
//	TMM0-TMM3   sums [rows][16] of four products
//	TMM4, TMM5  activations [rows][columns], read from the records in place
//	TMM6, TMM7  weights [columns/4][16][4]: the order of a packed tile
//	AX   stride of activations while products are made, then where in scratch the sums of the next product are
//	R10  scratch, the frame: SUMS bytes of sums of the four, UNPACKED of weights as bytes, 256 for the kernel, 64 to align
//	R11  activations of the next product    R12  sums of the next row
//	R13  bytes of the records of a block    R14  stride of sums and weights

#define SUMS 4096
#define UNPACKED 2048

// BEGIN aligns the scratch that R10 points into, sets the shapes of tiles from those that R11 points to, and R8, R9 and R13
// from the number of rows in R9.
#define BEGIN \
	ADDQ   $63, R10     \
	ANDQ   $-64, R10    \
	MOVQ   R11, AX      \
	LDTILECFG(0)        \
	IMUL3Q $48, R9, R13 \
	SPLIT_ROWS          \
	MOVQ   $64, R14

// PRODUCTS begins four products with the records at DX.
#define PRODUCTS \
	MOVQ $48, AX \
	MOVQ DX, R11

// PRODUCT(a, b, c, activations, disp, base) makes TMMc the product of the activations at activations(R11) and the weights at
// disp(base), which go to TMMa and TMMb.
#define PRODUCT(a, b, c, activations, disp, base) \
	TILEZERO(c)                      \
	TILELOADD(activations, 11, 0, a) \
	TILELOADD(disp, base, 14, b)     \
	TDPBSSD(b, a, c)

// STORE_SUMS writes the sums of four products to scratch. They are taken from there one block at a time.
#define STORE_SUMS \
	TILESTORED(0, 0, 10, 14)    \
	TILESTORED(1, 1024, 10, 14) \
	TILESTORED(2, 2048, 10, 14) \
	TILESTORED(3, 3072, 10, 14) \
	XORL AX, AX

// ROWSn scales the sums of the next n rows and steps over them and their records. The including file defines SCALE(row, acc),
// which takes the row-th from R12 and DX on to its accumulator.
#define ROWS1(a0) \
	SCALE(0, a0)    \
	ADDQ $64, R12   \
	ADDQ $48, DX

#define ROWS2(a0, a1) \
	SCALE(0, a0)    \
	SCALE(1, a1)    \
	ADDQ $128, R12  \
	ADDQ $96, DX

#define ROWS3(a0, a1, a2) \
	SCALE(0, a0)    \
	SCALE(1, a1)    \
	SCALE(2, a2)    \
	ADDQ $192, R12  \
	ADDQ $144, DX

#define ROWS4(a0, a1, a2, a3) \
	SCALE(0, a0)    \
	SCALE(1, a1)    \
	SCALE(2, a2)    \
	SCALE(3, a3)    \
	ADDQ $256, R12  \
	ADDQ $192, DX
