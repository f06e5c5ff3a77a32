//go:build !purego

#include "textflag.h"

DATA noSign<>+0(SB)/4, $0x7fffffff
GLOBL noSign<>(SB), RODATA|NOPTR, $4
DATA notANumber<>+0(SB)/4, $0x7fc00000
GLOBL notANumber<>(SB), RODATA|NOPTR, $4
DATA f127<>+0(SB)/4, $0x42fe0000 // 127
GLOBL f127<>(SB), RODATA|NOPTR, $4
DATA one<>+0(SB)/4, $0x3f800000
GLOBL one<>(SB), RODATA|NOPTR, $4
DATA bytes32<>+0(SB)/4, $0x20202020
GLOBL bytes32<>(SB), RODATA|NOPTR, $4

// func quantizeRowAvx512(q *byte, stride int, x *float32, blocks int)
//
// One block of 32 per turn, in two registers. Magnitudes are compared as integers: that order puts infinity and NaN on top.
//
//	DI record    BX stride    SI x    CX blocks left
//	Z0, Z1 values, then q    X2 amax, then sums of q    X3 d    Z4 1/d
//	Y26 32 in every byte    X28 127    X29 1    Z31 all but the sign    AX bits of amax
TEXT ·quantizeRowAvx512(SB), NOSPLIT, $0-32
	MOVQ q+0(FP), DI
	MOVQ stride+8(FP), BX
	MOVQ x+16(FP), SI
	MOVQ blocks+24(FP), CX
	VPBROADCASTD noSign<>(SB), Z31
	VPBROADCASTD one<>(SB), X29
	VPBROADCASTD f127<>(SB), X28
	VPBROADCASTD bytes32<>(SB), Y26

block:
	VMOVUPS (SI), Z0
	VMOVUPS 64(SI), Z1
	ADDQ $128, SI

	// amax, in every lane of X2
	VPANDD  Z31, Z0, Z2
	VPANDD  Z31, Z1, Z3
	VPMAXUD Z3, Z2, Z2
	VEXTRACTI64X4 $1, Z2, Y3
	VPMAXUD Y3, Y2, Y2
	VEXTRACTI32X4 $1, Y2, X3
	VPMAXUD X3, X2, X2
	VPSHUFD $0x4e, X2, X3
	VPMAXUD X3, X2, X2
	VPSHUFD $0xb1, X2, X3
	VPMAXUD X3, X2, X2

	// d and 1/d: 0 and 0 below 2^-100, NaN and 0 for what is not finite
	VMOVD  X2, AX
	VPXOR  X3, X3, X3
	CMPL   AX, $0x0d800000
	JLT    zero
	CMPL   AX, $0x7f800000
	JGE    not_finite
	VDIVSS X28, X2, X3
	VDIVSS X3, X29, X4

	// q = roundToEven(x/d)
	VBROADCASTSS X4, Z4
	VMULPS    Z4, Z0, Z0
	VMULPS    Z4, Z1, Z1
	VCVTPS2DQ Z0, Z0
	VCVTPS2DQ Z1, Z1

store:
	VPMOVSDB  Z0, X0
	VPMOVSDB  Z1, X1
	VINSERTI128 $1, X1, Y0, Y0
	VMOVDQU   Y0, (DI)

	// d, -128·Σq, and -32·Σq of each half
	VPXOR    Y2, Y2, Y2
	VPDPBUSD Y0, Y26, Y2
	VPSHUFD  $0x4e, Y2, Y4
	VPADDD   Y4, Y2, Y2
	VPSHUFD  $0xb1, Y2, Y4
	VPADDD   Y4, Y2, Y2
	VPXOR    Y4, Y4, Y4
	VPSUBD   Y2, Y4, Y2
	VEXTRACTI128 $1, Y2, X4
	VPADDD   X4, X2, X5
	VPSLLD   $2, X5, X5
	VPUNPCKLDQ  X5, X3, X3
	VPUNPCKLDQ  X4, X2, X2
	VPUNPCKLQDQ X2, X3, X3
	VMOVDQU  X3, 32(DI)

	ADDQ BX, DI
	SUBQ $1, CX
	JNZ  block
	VZEROUPPER
	RET

not_finite:
	VMOVSS notANumber<>(SB), X3

zero:
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	JMP    store
