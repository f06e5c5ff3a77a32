//go:build !purego

#include "textflag.h"

DATA noSign<>+0(SB)/4, $0x7fffffff
GLOBL noSign<>(SB), RODATA|NOPTR, $4
DATA infinity<>+0(SB)/4, $0x7f800000
GLOBL infinity<>(SB), RODATA|NOPTR, $4
DATA notANumber<>+0(SB)/4, $0x7fc00000
GLOBL notANumber<>(SB), RODATA|NOPTR, $4
DATA smallest<>+0(SB)/4, $0x0d800000 // 2^-100
GLOBL smallest<>(SB), RODATA|NOPTR, $4
DATA f127<>+0(SB)/4, $0x42fe0000 // 127
GLOBL f127<>(SB), RODATA|NOPTR, $4
DATA one<>+0(SB)/4, $0x3f800000
GLOBL one<>(SB), RODATA|NOPTR, $4
DATA minus128<>+0(SB)/4, $-128
GLOBL minus128<>(SB), RODATA|NOPTR, $4

// func quantizeRowAvx512(q *byte, stride int, x *float32, blocks int)
//
// One block of 32 per turn, in two registers. Magnitudes are compared as integers: that order puts infinity and NaN on top.
//
//	DI record    BX stride    SI x    CX blocks left
//	Z0, Z1 values, then q as int32    Z2 magnitudes, then sums    X3 d    X4 1/d
//	Z31 mask of all but the sign    X26 -128    X27 2^-100    X28 127    X29 1    X30 infinity
TEXT ·quantizeRowAvx512(SB), NOSPLIT, $0-32
	MOVQ q+0(FP), DI
	MOVQ stride+8(FP), BX
	MOVQ x+16(FP), SI
	MOVQ blocks+24(FP), CX
	VPBROADCASTD noSign<>(SB), Z31
	VPBROADCASTD infinity<>(SB), X30
	VPBROADCASTD one<>(SB), X29
	VPBROADCASTD f127<>(SB), X28
	VPBROADCASTD smallest<>(SB), X27

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

	// d = amax/127 and 1/d, or 0 and 0 below 2^-100, or NaN and 0 for what is not finite
	VPCMPUD $5, X27, X2, K1 // amax >= 2^-100
	VPCMPUD $5, X30, X2, K2 // amax >= infinity
	KANDNW  K1, K2, K3
	VDIVPS.Z X28, X2, K1, X3
	VDIVPS.Z X3, X29, K3, X4
	VPBROADCASTD notANumber<>(SB), K2, X3
	VBROADCASTSS X4, Z4

	// q = roundToEven(x/d); where 1/d is 0 the mask keeps NaN·0 out
	VPTESTMD X4, X4, K3
	KMOVW    K3, AX
	NEGL     AX
	SARL     $31, AX
	KMOVW    AX, K3
	VMULPS.Z Z4, Z0, K3, Z0
	VMULPS.Z Z4, Z1, K3, Z1
	VCVTPS2DQ Z0, Z0
	VCVTPS2DQ Z1, Z1
	VPMOVSDB Z0, (DI)
	VPMOVSDB Z1, 16(DI)
	VMOVSS   X3, 32(DI)

	// -32·Σq of each half, in X2 and X3, and -128·Σq
	VEXTRACTI64X4 $1, Z0, Y2
	VEXTRACTI64X4 $1, Z1, Y3
	VPADDD  Y2, Y0, Y0
	VPADDD  Y3, Y1, Y1
	VPHADDD Y1, Y0, Y0
	VPHADDD Y0, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDD  X1, X0, X0
	VPSLLD  $5, X0, X0
	VPXOR   X1, X1, X1
	VPSUBD  X0, X1, X0
	VMOVQ   X0, 40(DI)
	VPSLLD  $2, X0, X0
	VPHADDD X0, X0, X0
	VMOVD   X0, 36(DI)

	ADDQ BX, DI
	SUBQ $1, CX
	JNZ  block
	VZEROUPPER
	RET
