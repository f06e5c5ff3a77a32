// The scales of Q4_K weights, for every file that multiplies with them. R11 is the block of weights; 64(R12) is a mask of
// 6 bits.

// LOWSCALES and HIGHSCALES make the 6-bit scales of two sub-blocks, to V12 and V13, and their minima, to V4 and V6: of
// sub-blocks 2c and 2c+1 below 4 as they stand; of 4+2c and 5+2c, whose high bits stand above those of the former.
#define LOWSCALES(c) \
	FLDPQ (64+32*c)(R11), (F12, F13) \
	FLDPQ (128+32*c)(R11), (F4, F6) \
	FMOVQ 64(R12), F0 \
	VAND  V0.B16, V12.B16, V12.B16 \
	VAND  V0.B16, V13.B16, V13.B16 \
	VAND  V0.B16, V4.B16, V4.B16 \
	VAND  V0.B16, V6.B16, V6.B16

#define HIGHSCALES(c) \
	FLDPQ (192+32*c)(R11), (F12, F13) \
	FLDPQ (64+32*c)(R11), (F0, F1) \
	FLDPQ (128+32*c)(R11), (F4, F6) \
	VUSHR $6, V0.B16, V0.B16 \
	VUSHR $6, V1.B16, V1.B16 \
	VUSHR $2, V4.B16, V4.B16 \
	VUSHR $2, V6.B16, V6.B16 \
	VSRI  $4, V12.B16, V4.B16 \
	VSRI  $4, V13.B16, V6.B16 \
	VSLI  $4, V0.B16, V12.B16 \
	VSLI  $4, V1.B16, V13.B16
