//go:build !purego

#include "textflag.h"
#include "loop_avx512_amd64.h"
#include "exp_avx512_amd64.h"

DATA minusInfinity<>+0(SB)/4, $0xff800000
GLOBL minusInfinity<>(SB), RODATA|NOPTR, $4

// func maxAvx512(x []float32) float32
//
//	SI x    CX elements left    Z0 largest of each lane
TEXT ·maxAvx512(SB), NOSPLIT, $0-28
	MOVQ  x_base+0(FP), SI
	MOVQ  x_len+8(FP), CX
	VBROADCASTSS minusInfinity<>(SB), Z0
	TESTQ CX, CX
	JLE   done

loop:
	LANES
	VMOVUPS.Z (SI), K1, Z1
	VMAXPS    Z0, Z1, K1, Z0 // a NaN in the first source, Z1, gives the second
	ADDQ      $64, SI
	SUBQ      $16, CX
	JG        loop

	VEXTRACTF32X8 $1, Z0, Y1
	VMAXPS       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0x4e, X0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0xb1, X0, X1
	VMAXPS       X1, X0, X0

done:
	VMOVSS X0, ret+24(FP)
	VZEROUPPER
	RET

// func expSumAvx512(x []float32, max float32) float32
//
//	SI x    CX elements left    Z4, Z5 sums as float64    Z6 max
TEXT ·expSumAvx512(SB), NOSPLIT, $0-36
	MOVQ  x_base+0(FP), SI
	MOVQ  x_len+8(FP), CX
	VBROADCASTSS max+24(FP), Z6
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	EXP_CONSTANTS
	TESTQ CX, CX
	JLE   done

loop:
	LANES
	VMOVUPS.Z (SI), K1, Z0
	VSUBPS    Z6, Z0, Z0
	EXP(Z0, Z1, Z2)
	VMOVUPS   Z0, K1, (SI)
	VMOVUPS.Z Z0, K1, Z0
	VEXTRACTF32X8 $1, Z0, Y1
	VCVTPS2PD Y0, Z0
	VCVTPS2PD Y1, Z1
	VADDPD    Z0, Z4, Z4
	VADDPD    Z1, Z5, Z5
	ADDQ      $64, SI
	SUBQ      $16, CX
	JG        loop

done:
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

// INDEX leaves in BX the index of the first element for which v compared with it by predicate holds, or the number of
// elements.
//
//	SI x    CX elements left    BX elements in all    Z0 v    K2 lanes found
#define INDEX(predicate) \
	MOVQ  CX, BX           \
	TESTQ CX, CX           \
	JLE   done             \
loop:                      \
	LANES                  \
	VCMPPS $predicate, (SI), Z0, K1, K2 \
	KMOVW  K2, DX          \
	TESTL  DX, DX          \
	JNZ    found           \
	ADDQ   $64, SI         \
	SUBQ   $16, CX         \
	JG     loop            \
	JMP    done            \
found:                     \
	TZCNTL DX, DX          \
	SUBQ   CX, BX          \
	ADDQ   DX, BX          \
done:                      \
	VZEROUPPER

// func indexAboveAvx512(x []float32, threshold float32) int
TEXT ·indexAboveAvx512(SB), NOSPLIT, $0-40
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VBROADCASTSS threshold+24(FP), Z0
	INDEX(0x11) // threshold < x
	MOVQ BX, ret+32(FP)
	RET

// func indexEqualAvx512(x []float32, v float32) int
TEXT ·indexEqualAvx512(SB), NOSPLIT, $0-40
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VBROADCASTSS v+24(FP), Z0
	INDEX(0x00) // v == x
	MOVQ BX, ret+32(FP)
	RET
