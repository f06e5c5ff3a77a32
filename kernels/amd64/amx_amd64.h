// The AMX instructions that the kernels use and the Go assembler does not know, as macros over numbers: 3 is TMM3, or the
// general register that the processor numbers so (AX 0, CX 1, DX 2, BX 3, SP 4, BP 5, SI 6, DI 7, R8 8, ... R15 15). Operands
// stand in the order of Go's own instructions, the destination last. internal/enctest holds every macro to the bytes that
// another assembler makes of it.

// VEX prefix of three bytes, map 0F38, for an operand disp(base)(index*1): pp is 0, 1 (66), 2 (F3) or 3 (F2). The displacement
// always takes 4 bytes.
#define AMX_MEM(pp, op, reg, disp, base, index) \
	BYTE $0xc4                                      \
	BYTE $(0xe2 ^ (((index)>>3)<<6) ^ (((base)>>3)<<5)) \
	BYTE $(0x78 | (pp))                             \
	BYTE $(op)                                      \
	BYTE $(0x84 | ((reg)<<3))                       \
	BYTE $((((index)&7)<<3) | ((base)&7))           \
	LONG $(disp)

// TILELOADD reads the rows of tile t, which lie index bytes apart from disp(base) on. TILESTORED writes them.
#define TILELOADD(disp, base, index, t)  AMX_MEM(3, 0x4b, t, disp, base, index)
#define TILESTORED(t, disp, base, index) AMX_MEM(2, 0x4b, t, disp, base, index)

// LDTILECFG sets the shapes of all tiles from the 64 bytes at (base), base below 8 and not SP or BP, and clears them.
#define LDTILECFG(base) BYTE $0xc4; BYTE $0xe2; BYTE $0x78; BYTE $0x49; BYTE $(base)

// TILERELEASE forgets shapes and contents, so that there is nothing to save when the thread is interrupted.
#define TILERELEASE BYTE $0xc4; BYTE $0xe2; BYTE $0x78; BYTE $0x49; BYTE $0xc0

#define TILEZERO(t) BYTE $0xc4; BYTE $0xe2; BYTE $0x7b; BYTE $0x49; BYTE $(0xc0 | ((t)<<3))

// TDPBSSD adds to c [rows][cols], int32, the product of a [rows][4·depth] and b [depth][cols][4], both signed bytes.
#define TDPBSSD(b, a, c) BYTE $0xc4; BYTE $0xe2; BYTE $(0x03 | ((15-(b))<<3)); BYTE $0x5e; BYTE $(0xc0 | ((c)<<3) | (a))
