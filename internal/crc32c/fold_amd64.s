//go:build !purego

#include "textflag.h"

// FOLD moves the four 16 bytes of Z on by one block and adds 64 bytes of data to them.
#define FOLD(off, Z, T) \
	VPCLMULQDQ $0x11, Z4, Z, T      \
	VPCLMULQDQ $0x00, Z4, Z, Z      \
	VPTERNLOGQ $0x96, off(SI), T, Z

// func fold(data []byte, by *[2]uint64) uint32
//
//	SI data    CX bytes left    Z0-Z3 block    Z4 factors, four times    Z5-Z8 products
//
// The block is what is left of the data read so far: it has the same checksum. It begins as the first 256 bytes, with the initial value
// of the checksum added, so that CRC32Q begins with 0 when it reduces the block at the end.
TEXT ·fold(SB), NOSPLIT, $256-36
	MOVQ data_base+0(FP), SI
	MOVQ data_len+8(FP), CX
	MOVQ by+24(FP), AX
	VBROADCASTI32X4 (AX), Z4
	MOVL $0xffffffff, AX
	VMOVD AX, X0 // the other bits are 0
	VPXORQ    (SI), Z0, Z0
	VMOVDQU64 64(SI), Z1
	VMOVDQU64 128(SI), Z2
	VMOVDQU64 192(SI), Z3
	JMP next

block_loop:
	FOLD(0, Z0, Z5)
	FOLD(64, Z1, Z6)
	FOLD(128, Z2, Z7)
	FOLD(192, Z3, Z8)

next:
	ADDQ $256, SI
	SUBQ $256, CX
	JNZ  block_loop

	VMOVDQU64 Z0, block-256(SP)
	VMOVDQU64 Z1, block-192(SP)
	VMOVDQU64 Z2, block-128(SP)
	VMOVDQU64 Z3, block-64(SP)
	VZEROUPPER
	XORL AX, AX
	MOVQ $-32, CX

reduce:
	CRC32Q block-0(SP)(CX*8), AX
	INCQ CX
	JNZ  reduce

	NOTL AX
	MOVL AX, ret+32(FP)
	RET
