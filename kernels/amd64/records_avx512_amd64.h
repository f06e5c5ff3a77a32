// Rows of activations in the form q8x16, records of 48 bytes at DX, times a block of 32 columns, columns 4i … 4i+3 in register
// 16+i. The including file defines START(record, dot), which starts a dot product, and SCALE(record, dot, acc), which brings
// it into its accumulator.

// DOTn(i, w) adds columns 4i … 4i+3 of the next n records to their dot products.
#define DOT1(i, w) \
	VPDPBUSD.BCST (4*i)(DX), w, Z26

#define DOT2(i, w) \
	VPDPBUSD.BCST (4*i)(DX), w, Z26    \
	VPDPBUSD.BCST (48+4*i)(DX), w, Z27

#define DOT3(i, w) \
	VPDPBUSD.BCST (4*i)(DX), w, Z26    \
	VPDPBUSD.BCST (48+4*i)(DX), w, Z27 \
	VPDPBUSD.BCST (96+4*i)(DX), w, Z28

#define DOT4(i, w) \
	VPDPBUSD.BCST (4*i)(DX), w, Z26     \
	VPDPBUSD.BCST (48+4*i)(DX), w, Z27  \
	VPDPBUSD.BCST (96+4*i)(DX), w, Z28  \
	VPDPBUSD.BCST (144+4*i)(DX), w, Z29

#define DOT_ALL(DOTN) \
	DOTN(0, Z16) \
	DOTN(1, Z17) \
	DOTN(2, Z18) \
	DOTN(3, Z19) \
	DOTN(4, Z20) \
	DOTN(5, Z21) \
	DOTN(6, Z22) \
	DOTN(7, Z23)

// ROWSn multiplies the block with the next n records and steps over them.
#define ROWS1(a0) \
	START(0, Z26) \
	DOT_ALL(DOT1) \
	SCALE(0, Z26, a0) \
	ADDQ $48, DX

#define ROWS2(a0, a1) \
	START(0, Z26) \
	START(1, Z27) \
	DOT_ALL(DOT2) \
	SCALE(0, Z26, a0) \
	SCALE(1, Z27, a1) \
	ADDQ $96, DX

#define ROWS3(a0, a1, a2) \
	START(0, Z26) \
	START(1, Z27) \
	START(2, Z28) \
	DOT_ALL(DOT3) \
	SCALE(0, Z26, a0) \
	SCALE(1, Z27, a1) \
	SCALE(2, Z28, a2) \
	ADDQ $144, DX

#define ROWS4(a0, a1, a2, a3) \
	START(0, Z26) \
	START(1, Z27) \
	START(2, Z28) \
	START(3, Z29) \
	DOT_ALL(DOT4) \
	SCALE(0, Z26, a0) \
	SCALE(1, Z27, a1) \
	SCALE(2, Z28, a2) \
	SCALE(3, Z29, a3) \
	ADDQ $192, DX
