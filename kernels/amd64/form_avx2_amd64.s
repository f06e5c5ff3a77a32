//go:build !purego

#include "textflag.h"

DATA quantize<>+0(SB)/4, $0x7fffffff  // all but the sign
DATA quantize<>+4(SB)/4, $0x0d800000  // 2^-100
DATA quantize<>+8(SB)/4, $0x42fe0000  // 127
DATA quantize<>+12(SB)/4, $0x3f800000 // 1
DATA quantize<>+16(SB)/4, $0x7fc00000 // NaN
GLOBL quantize<>(SB), RODATA|NOPTR, $20

DATA order<>+0(SB)/8, $0x0000000400000000
DATA order<>+8(SB)/8, $0x0000000500000001
DATA order<>+16(SB)/8, $0x0000000600000002
DATA order<>+24(SB)/8, $0x0000000700000003
GLOBL order<>(SB), RODATA|NOPTR, $32

#define REDUCE(op, y, x, t) \
	VEXTRACTI128 $1, y, t \
	op      t, x, x       \
	VPSHUFD $0x4e, x, t   \
	op      t, x, x       \
	VPSHUFD $0xb1, x, t   \
	op      t, x, x

// func quantizeBlocksAvx2(q *byte, x *float32, blocks int)
//
// One block of 32 per turn, in four registers. Magnitudes are compared as integers: that order puts infinity and NaN on top.
//
//	DI block    SI x    CX blocks left    AX amax
//	Y0-Y3 values, then q as int32    Y4, Y5 magnitudes, sums    X6 d    Y7 1/d    Y14 order of bytes    Y15 all but the sign
TEXT ·quantizeBlocksAvx2(SB), NOSPLIT, $0-24
	MOVQ q+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ blocks+16(FP), CX
	VPBROADCASTD quantize<>+0(SB), Y15
	VMOVDQU order<>(SB), Y14

block:
	VMOVUPS 0(SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS 64(SI), Y2
	VMOVUPS 96(SI), Y3
	ADDQ $128, SI
	VPAND   Y15, Y0, Y4
	VPAND   Y15, Y1, Y5
	VPMAXUD Y5, Y4, Y4
	VPAND   Y15, Y2, Y5
	VPMAXUD Y5, Y4, Y4
	VPAND   Y15, Y3, Y5
	VPMAXUD Y5, Y4, Y4
	REDUCE(VPMAXUD, Y4, X4, X5)

	// d and 1/d: 0 and 0 below 2^-100, NaN and 0 for what is not finite
	VXORPS X6, X6, X6
	VXORPS X7, X7, X7
	VMOVD  X4, AX
	CMPL   AX, $0x0d800000
	JLT    zero
	CMPL   AX, $0x7f800000
	JGE    not_finite
	VDIVSS quantize<>+8(SB), X4, X6
	VMOVSS quantize<>+12(SB), X7
	VDIVSS X6, X7, X7
	VBROADCASTSS X7, Y7
	VMULPS Y7, Y0, Y0
	VMULPS Y7, Y1, Y1
	VMULPS Y7, Y2, Y2
	VMULPS Y7, Y3, Y3
	VCVTPS2DQ Y0, Y0
	VCVTPS2DQ Y1, Y1
	VCVTPS2DQ Y2, Y2
	VCVTPS2DQ Y3, Y3

store:
	VMOVSS X6, 32(DI)
	VPADDD Y1, Y0, Y4
	VPADDD Y3, Y2, Y5
	VPADDD Y5, Y4, Y4
	REDUCE(VPADDD, Y4, X4, X5)
	VMOVD  X4, 36(DI)
	VPACKSSDW Y1, Y0, Y0 // 0 1 of each 128 bits: dwords a0 b0 a1 b1 …
	VPACKSSDW Y3, Y2, Y2
	VPACKSSWB Y2, Y0, Y0
	VPERMD    Y0, Y14, Y0
	VMOVDQU   Y0, (DI)
	ADDQ $40, DI
	SUBQ $1, CX
	JNZ  block
	VZEROUPPER
	RET

not_finite:
	VMOVSS quantize<>+16(SB), X6

zero:
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	JMP    store
