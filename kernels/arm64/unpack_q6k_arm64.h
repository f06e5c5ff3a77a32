// The weights of Q6_K, for every file that multiplies with them. V30 is a mask 0x30, V31 a mask 0x3f.

// UNPACK makes of one column group of 4 rows, at off, the columns of the four quarters of half a block: V0, V1, V4, V5.
#define UNPACK(off) UNPACKTO(off, V0, V1, V4, V5, F0, F1)

// UNPACKTO makes them in a to d. V2 are the high bits, V3 a second copy of the low bits of the odd quarters.
#define UNPACKTO(off, a, b, c, d, fa, fb) \
	FMOVQ (off)(R1), fa \
	FMOVQ (off+512)(R1), fb \
	FMOVQ (off+512)(R1), F3 \
	FMOVQ (off)(R13), F2 \
	VUSHR $2, V2.B16, d.B16 \
	VAND V30.B16, V2.B16, c.B16 \
	VSRI $4, a.B16, c.B16 \
	VSLI $4, V2.B16, a.B16 \
	VSLI $4, d.B16, b.B16 \
	VSRI $4, V3.B16, d.B16 \
	VAND V31.B16, a.B16, a.B16 \
	VAND V31.B16, b.B16, b.B16

// AHEAD points at the next 4 rows of packed weights, FURTHER at their next half block.
#define AHEAD \
	MOVD R19, R1 \
	ADD  $16, R19 \
	ADD  $2048, R1, R13
#define FURTHER \
	ADD $1024, R1 \
	ADD $512, R13
