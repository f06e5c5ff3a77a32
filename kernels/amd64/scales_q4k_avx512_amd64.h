// The scales and minima of Q4_K, 6 bits each, which are strewn over the header of a block of 256 columns.

DATA bits<>+0(SB)/4, $0x0f0f0f0f
DATA bits<>+4(SB)/4, $0x30303030
DATA bits<>+8(SB)/4, $0x3f3f3f3f
GLOBL bits<>(SB), RODATA|NOPTR, $12

// UNPACK_SCALES(at) writes the scales of the block at SI as bytes to at, 16 a sub-block, and the minima 128 bytes further on.
// Z31 is 0x0f in every byte. It changes Z16-Z19.
#define UNPACK_SCALES(at) \
	VMOVDQU32   64(SI), Z16             \
	VMOVDQU32   128(SI), Z17            \
	VMOVDQU32   192(SI), Z18            \
	VPANDD.BCST bits<>+8(SB), Z16, Z19  \
	VMOVDQU32   Z19, (at)               \
	VPANDD.BCST bits<>+8(SB), Z17, Z19  \
	VMOVDQU32   Z19, 128(at)            \
	VPSRLD      $2, Z16, Z16            \
	VPANDD.BCST bits<>+4(SB), Z16, Z16  \
	VPANDD      Z31, Z18, Z19           \
	VPORD       Z16, Z19, Z19           \
	VMOVDQU32   Z19, 64(at)             \
	VPSRLD      $2, Z17, Z17            \
	VPANDD.BCST bits<>+4(SB), Z17, Z17  \
	VPSRLD      $4, Z18, Z18            \
	VPANDD      Z31, Z18, Z18           \
	VPORD       Z17, Z18, Z18           \
	VMOVDQU32   Z18, 192(at)
