//go:build !purego

#include "textflag.h"
#include "loop_avx2_amd64.h"
#include "exp_avx2_amd64.h"

DATA minusInfinity<>+0(SB)/4, $0xff800000
GLOBL minusInfinity<>(SB), RODATA|NOPTR, $4

// func maxAvx2(x []float32) float32
//
//	SI x    CX elements left    Y0 largest of each lane    Y2 -Inf, which fills the last lanes
TEXT ·maxAvx2(SB), NOSPLIT, $0-28
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VBROADCASTSS minusInfinity<>(SB), Y0
	VMOVAPS Y0, Y2
	SUBQ $8, CX
	JLT  last

loop:
	VMOVUPS (SI), Y1
	VMAXPS  Y0, Y1, Y0 // a NaN in the first source, Y1, gives the second
	ADDQ $32, SI
	SUBQ $8, CX
	JGE  loop

last:
	ADDQ $8, CX
	JZ   lanes
	TAIL_MASK
	VMASKMOVPS (SI), Y15, Y1
	VBLENDVPS  Y15, Y1, Y2, Y1
	VMAXPS     Y0, Y1, Y0

lanes:
	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0x4e, X0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0xb1, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSS       X0, ret+24(FP)
	VZEROUPPER
	RET

#define ADD_UP(y, x) \
	VEXTRACTF128 $1, y, X1 \
	VCVTPS2PD    x, Y2     \
	VCVTPS2PD    X1, Y1    \
	VADDPD       Y2, Y5, Y5 \
	VADDPD       Y1, Y6, Y6

// func expSumAvx2(x []float32, max float32) float32
//
//	SI x    CX elements left    Y5, Y6 sums as float64    Y7 max
TEXT ·expSumAvx2(SB), NOSPLIT, $0-36
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VBROADCASTSS max+24(FP), Y7
	VXORPD Y5, Y5, Y5
	VXORPD Y6, Y6, Y6
	SUBQ $8, CX
	JLT  last

loop:
	VMOVUPS (SI), Y0
	VSUBPS  Y7, Y0, Y0
	EXP(Y0, Y1, Y2, Y3)
	VMOVUPS Y0, (SI)
	ADD_UP(Y0, X0)
	ADDQ $32, SI
	SUBQ $8, CX
	JGE  loop

last:
	ADDQ $8, CX
	JZ   lanes
	TAIL_MASK
	VMASKMOVPS (SI), Y15, Y0
	VSUBPS     Y7, Y0, Y0
	EXP(Y0, Y1, Y2, Y3)
	VMASKMOVPS Y0, Y15, (SI)
	VANDPS     Y15, Y0, Y0
	ADD_UP(Y0, X0)

lanes:
	VADDPD       Y6, Y5, Y5
	VEXTRACTF128 $1, Y5, X6
	VADDPD       X6, X5, X5
	VHADDPD      X5, X5, X5
	VCVTSD2SS    X5, X5, X5
	VMOVSS       X5, ret+32(FP)
	VZEROUPPER
	RET

// INDEX leaves in BX the index of the first element for which v compared with it by predicate holds, or the number of
// elements.
//
//	SI x    CX elements left    BX elements in all    Y0 v    DX lanes found
#define INDEX(predicate) \
	MOVQ CX, BX                     \
	SUBQ $8, CX                     \
	JLT  last                       \
loop:                               \
	VCMPPS    $predicate, (SI), Y0, Y1 \
	VMOVMSKPS Y1, DX                \
	TESTL     DX, DX                \
	JNZ       found                 \
	ADDQ      $32, SI               \
	SUBQ      $8, CX                \
	JGE       loop                  \
last:                               \
	ADDQ $8, CX                     \
	JZ   done                       \
	MOVQ CX, R8                     \
	TAIL_MASK                       \
	VMASKMOVPS (SI), Y15, Y1        \
	VCMPPS    $predicate, Y1, Y0, Y1 \
	VANDPS    Y15, Y1, Y1           \
	VMOVMSKPS Y1, DX                \
	LEAQ      -8(R8), CX            \
	TESTL     DX, DX                \
	JZ        done                  \
found:                              \
	ADDQ $8, CX                     \
	SUBQ CX, BX                     \
	BSFL DX, DX                     \
	ADDQ DX, BX                     \
done:                               \
	VZEROUPPER

// func indexAboveAvx2(x []float32, threshold float32) int
TEXT ·indexAboveAvx2(SB), NOSPLIT, $0-40
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VBROADCASTSS threshold+24(FP), Y0
	INDEX(0x11) // threshold < x
	MOVQ BX, ret+32(FP)
	RET

// func indexEqualAvx2(x []float32, v float32) int
TEXT ·indexEqualAvx2(SB), NOSPLIT, $0-40
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VBROADCASTSS v+24(FP), Y0
	INDEX(0x00) // v == x
	MOVQ BX, ret+32(FP)
	RET
