//go:build !purego

#include "textflag.h"

// FOLD moves the four 16 bytes of Z on by one block and adds 64 bytes of data to them.
#define FOLD(off, Z, T) \
	VPCLMULQDQ $0x11, Z4, Z, T      \
	VPCLMULQDQ $0x00, Z4, Z, Z      \
	VPTERNLOGQ $0x96, off(SI), T, Z

// REDUCE returns the checksum of the block on the stack.
#define REDUCE \
	VZEROUPPER                   \
	XORL AX, AX                  \
	MOVQ $-32, CX                \
reduce:                          \
	CRC32Q block-0(SP)(CX*8), AX \
	INCQ CX                      \
	JNZ  reduce                  \
	NOTL AX                      \
	MOVL AX, ret+32(FP)          \
	RET

// func fold512(data []byte, by *[2]uint64) uint32
//
//	SI data    CX bytes left    Z0-Z3 block    Z4 factors, four times    Z5-Z8 products
//
// The block is what is left of the data read so far: it has the same checksum. It begins as the first 256 bytes, with the initial value
// of the checksum added, so that CRC32Q begins with 0 when it reduces the block at the end.
TEXT ·fold512(SB), NOSPLIT, $256-36
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
	REDUCE

// FOLD2 moves the two 16 bytes of Y on by one block and adds 32 bytes of data to them.
#define FOLD2(off, Y, T) \
	VPCLMULQDQ $0x11, Y8, Y, T \
	VPCLMULQDQ $0x00, Y8, Y, Y \
	VPXOR      off(SI), T, T   \
	VPXOR      T, Y, Y

// func fold256(data []byte, by *[2]uint64) uint32
//
//	SI data    CX bytes left    Y0-Y7 block    Y8 factors, twice    Y9-Y12 products
TEXT ·fold256(SB), NOSPLIT, $256-36
	MOVQ data_base+0(FP), SI
	MOVQ data_len+8(FP), CX
	MOVQ by+24(FP), AX
	VBROADCASTI128 (AX), Y8
	MOVL $0xffffffff, AX
	VMOVD AX, X0 // the other bits are 0
	VPXOR   (SI), Y0, Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	VMOVDQU 128(SI), Y4
	VMOVDQU 160(SI), Y5
	VMOVDQU 192(SI), Y6
	VMOVDQU 224(SI), Y7
	JMP next

block_loop:
	FOLD2(0, Y0, Y9)
	FOLD2(32, Y1, Y10)
	FOLD2(64, Y2, Y11)
	FOLD2(96, Y3, Y12)
	FOLD2(128, Y4, Y9)
	FOLD2(160, Y5, Y10)
	FOLD2(192, Y6, Y11)
	FOLD2(224, Y7, Y12)

next:
	ADDQ $256, SI
	SUBQ $256, CX
	JNZ  block_loop

	VMOVDQU Y0, block-256(SP)
	VMOVDQU Y1, block-224(SP)
	VMOVDQU Y2, block-192(SP)
	VMOVDQU Y3, block-160(SP)
	VMOVDQU Y4, block-128(SP)
	VMOVDQU Y5, block-96(SP)
	VMOVDQU Y6, block-64(SP)
	VMOVDQU Y7, block-32(SP)
	REDUCE

// func hasCarrylessVectors() bool
TEXT ·hasCarrylessVectors(SB), NOSPLIT, $0-1
	MOVL $7, AX
	XORL CX, CX
	CPUID
	SHRL $10, CX
	ANDL $1, CX
	MOVB CX, ret+0(FP)
	RET
