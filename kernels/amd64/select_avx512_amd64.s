//go:build !purego

#include "textflag.h"
#include "loop_avx512_amd64.h"
#include "exp_avx512_amd64.h"

DATA minusInfinity<>+0(SB)/4, $0xff800000
GLOBL minusInfinity<>(SB), RODATA|NOPTR, $4

// A NaN in the first source of VMAXPS, Z1, gives the second.
#define MAX_BODY(LD, ST) \
	LD((SI), Z1)            \
	VMAXPS Z0, Z1, K1, Z0   \
	ADDQ   $64, SI

// func maxAvx512(x []float32) float32
//
//	SI x    CX elements left    Z0 largest of each lane    K1 lanes that hold elements
TEXT ·maxAvx512(SB), NOSPLIT, $0-28
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VBROADCASTSS minusInfinity<>(SB), Z0
	KXNORW K1, K1, K1
	LOOP_F32(MAX_BODY)
	VEXTRACTF32X8 $1, Z0, Y1
	VMAXPS       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0x4e, X0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0xb1, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSS       X0, ret+24(FP)
	VZEROUPPER
	RET

#define EXP_SUM_BODY(LD, ST) \
	LD((SI), Z0)             \
	VSUBPS Z6, Z0, Z0        \
	EXP(Z0, Z1, Z2)          \
	ST(Z0, (SI))             \
	VMOVUPS.Z Z0, K1, Z0     \
	VEXTRACTF32X8 $1, Z0, Y1 \
	VCVTPS2PD Y0, Z0         \
	VCVTPS2PD Y1, Z1         \
	VADDPD    Z0, Z4, Z4     \
	VADDPD    Z1, Z5, Z5     \
	ADDQ      $64, SI

// func expSumAvx512(x []float32, max float32) float32
//
//	SI x    CX elements left    Z4, Z5 sums as float64    Z6 max    K1 lanes that hold elements
TEXT ·expSumAvx512(SB), NOSPLIT, $0-36
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VBROADCASTSS max+24(FP), Z6
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	EXP_CONSTANTS
	KXNORW K1, K1, K1
	LOOP_F32(EXP_SUM_BODY)
	VADDPD        Z5, Z4, Z4
	VEXTRACTF64X4 $1, Z4, Y5
	VADDPD        Y5, Y4, Y4
	VEXTRACTF128  $1, Y4, X5
	VADDPD        X5, X4, X4
	VHADDPD       X4, X4, X4
	VCVTSD2SS     X4, X4, X4
	VMOVSS        X4, ret+32(FP)
	VZEROUPPER
	RET

// COMPARE leaves the loop with the lanes in which v compared with x by predicate holds, if there are any, in DX.
#define COMPARE(predicate, LD) \
	LD((SI), Z1)                         \
	VCMPPS $predicate, Z1, Z0, K1, K2    \
	KMOVW  K2, DX                        \
	TESTL  DX, DX                        \
	JNZ    found                         \
	ADDQ   $64, SI

// INDEX leaves in BX the index of the first element for which COMPARE holds, or the number of elements.
//
//	SI, R8 x    CX elements left    BX elements in all    Z0 v    K1 lanes that hold elements
#define INDEX(BODY) \
	MOVQ   SI, R8       \
	MOVQ   CX, BX       \
	KXNORW K1, K1, K1   \
	LOOP_F32(BODY)      \
	JMP    end          \
found:                  \
	TZCNTL DX, BX       \
	SUBQ   R8, SI       \
	SHRQ   $2, SI       \
	ADDQ   SI, BX       \
end:                    \
	VZEROUPPER

#define ABOVE_BODY(LD, ST) COMPARE(0x11, LD) // v < x
#define EQUAL_BODY(LD, ST) COMPARE(0x00, LD) // v == x

// func indexAboveAvx512(x []float32, threshold float32) int
TEXT ·indexAboveAvx512(SB), NOSPLIT, $0-40
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VBROADCASTSS threshold+24(FP), Z0
	INDEX(ABOVE_BODY)
	MOVQ BX, ret+32(FP)
	RET

// func indexEqualAvx512(x []float32, v float32) int
TEXT ·indexEqualAvx512(SB), NOSPLIT, $0-40
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VBROADCASTSS v+24(FP), Z0
	INDEX(EQUAL_BODY)
	MOVQ BX, ret+32(FP)
	RET
