//go:build !purego

#include "textflag.h"
#include "loop_avx2_amd64.h"
#include "exp_avx2_amd64.h"

//	DI dst    SI x or gate    BX gain or up    CX elements left

#define ADD_BODY(LD, ST) \
	LD((DI), Y0)         \
	LD((SI), Y1)         \
	VADDPS Y1, Y0, Y0    \
	ST(Y0, (DI))         \
	ADDQ $32, DI         \
	ADDQ $32, SI

// func addAvx2(dst, x []float32)
TEXT ·addAvx2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	LOOP(ADD_BODY)
	VZEROUPPER
	RET

#define MUL_BODY(LD, ST) \
	LD((DI), Y0)         \
	LD((SI), Y1)         \
	VMULPS Y1, Y0, Y0    \
	ST(Y0, (DI))         \
	ADDQ $32, DI         \
	ADDQ $32, SI

// func mulAvx2(dst, x []float32)
TEXT ·mulAvx2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	LOOP(MUL_BODY)
	VZEROUPPER
	RET

#define SCALE_BODY(LD, ST) \
	LD((DI), Y0)           \
	VMULPS Y2, Y0, Y0      \
	ST(Y0, (DI))           \
	ADDQ $32, DI

// func scaleAvx2(dst []float32, s float32)
TEXT ·scaleAvx2(SB), NOSPLIT, $0-28
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	VBROADCASTSS s+24(FP), Y2
	LOOP(SCALE_BODY)
	VZEROUPPER
	RET

// SILU replaces Y0 by Y0/(1+exp(-Y0)); Y14 holds the sign bits, Y1-Y4 are used. EXP leaves 1 in Y4.
#define SILU \
	VXORPS Y14, Y0, Y1   \
	EXP(Y1, Y2, Y3, Y4)  \
	VADDPS Y4, Y1, Y1    \
	VDIVPS Y1, Y0, Y0

#define SILU_BODY(LD, ST) \
	LD((SI), Y0)          \
	SILU                  \
	ST(Y0, (DI))          \
	ADDQ $32, DI          \
	ADDQ $32, SI

// func siluAvx2(dst, x []float32)
TEXT ·siluAvx2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	VPCMPEQD Y14, Y14, Y14
	VPSLLD   $31, Y14, Y14
	LOOP(SILU_BODY)
	VZEROUPPER
	RET

#define SILU_MUL_BODY(LD, ST) \
	LD((SI), Y0)              \
	SILU                      \
	LD((BX), Y1)              \
	VMULPS Y1, Y0, Y0         \
	ST(Y0, (DI))              \
	ADDQ $32, DI              \
	ADDQ $32, SI              \
	ADDQ $32, BX

// func siluMulAvx2(dst, gate, up []float32)
TEXT ·siluMulAvx2(SB), NOSPLIT, $0-72
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ gate_base+24(FP), SI
	MOVQ up_base+48(FP), BX
	VPCMPEQD Y14, Y14, Y14
	VPSLLD   $31, Y14, Y14
	LOOP(SILU_MUL_BODY)
	VZEROUPPER
	RET

#define NORM_BODY(LD, ST) \
	LD((SI), Y1)          \
	VMULPS Y0, Y1, Y1     \
	LD((BX), Y2)          \
	VMULPS Y2, Y1, Y1     \
	ST(Y1, (DI))          \
	ADDQ $32, DI          \
	ADDQ $32, SI          \
	ADDQ $32, BX

#define SQUARES_BODY(LD) \
	LD((SI), Y2)                 \
	VEXTRACTF128 $1, Y2, X3      \
	VCVTPS2PD    X2, Y2          \
	VCVTPS2PD    X3, Y3          \
	VFMADD231PD  Y2, Y2, Y0      \
	VFMADD231PD  Y3, Y3, Y1      \
	ADDQ $32, SI

// func rmsNormAvx2(dst, x, gain []float32, eps float32)
//
// Squares are added up as float64, where none overflows: Y0 those of the lower, Y1 those of the upper 4 lanes.
TEXT ·rmsNormAvx2(SB), NOSPLIT, $0-76
	MOVQ  x_base+24(FP), SI
	MOVQ  x_len+32(FP), CX
	TESTQ CX, CX
	JLE   none
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	SUBQ   $8, CX
	JLT    squares_tail

squares:
	SQUARES_BODY(LOAD)
	SUBQ $8, CX
	JGE  squares

squares_tail:
	ADDQ $8, CX
	JZ   sum
	TAIL_MASK
	SQUARES_BODY(LOAD_TAIL)

sum:
	// Y0 = float32(1/sqrt(sum/len + eps))
	VADDPD       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPD       X1, X0, X0
	VHADDPD      X0, X0, X0
	MOVQ         x_len+32(FP), CX
	VXORPD       X1, X1, X1
	VCVTSI2SDQ   CX, X1, X1
	VDIVSD       X1, X0, X0
	VCVTSS2SD    eps+72(FP), X1, X1
	VADDSD       X1, X0, X0
	VSQRTSD      X0, X0, X0
	MOVL         $1, AX
	VCVTSI2SDL   AX, X1, X1
	VDIVSD       X0, X1, X0
	VCVTSD2SS    X0, X0, X0
	VBROADCASTSS X0, Y0

	MOVQ dst_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ gain_base+48(FP), BX
	LOOP(NORM_BODY)

none:
	VZEROUPPER
	RET

#define HALVES_BODY(LD, ST) \
	LD((SI)(DI*1), Y0)       \
	LD((R13)(DI*1), Y1)      \
	LD((BX)(DI*1), Y2)       \
	LD((R10)(DI*1), Y3)      \
	VMULPS Y3, Y1, Y4        \
	VMULPS Y3, Y0, Y5        \
	VFMSUB213PS Y4, Y2, Y0   \
	VFMADD213PS Y5, Y2, Y1   \
	ST(Y0, (SI)(DI*1))       \
	ST(Y1, (R13)(DI*1))      \
	ADDQ $32, DI

// func ropeHalvesAvx2(x, cos, sin []float32, heads, headDim int)
//
//	SI, R13 halves of a head    R8 bytes in half a head    R9 heads left    R11 bytes in a head    R12 pairs in a head
//	BX cos    R10 sin           DI bytes into all          CX pairs left
TEXT ·ropeHalvesAvx2(SB), NOSPLIT, $0-88
	MOVQ x_base+0(FP), SI
	MOVQ cos_base+24(FP), BX
	MOVQ sin_base+48(FP), R10
	MOVQ heads+72(FP), R9
	MOVQ headDim+80(FP), R12
	LEAQ (R12*4), R11
	SHRQ $1, R12
	LEAQ (R12*4), R8

head:
	SUBQ $1, R9
	JLT  end
	MOVQ R12, CX
	XORL DI, DI
	LEAQ (SI)(R8*1), R13
	LOOP(HALVES_BODY)
	ADDQ R11, SI
	JMP  head

end:
	VZEROUPPER
	RET

DATA doubled<>+0(SB)/8, $0x0000000000000000
DATA doubled<>+8(SB)/8, $0x0000000100000001
DATA doubled<>+16(SB)/8, $0x0000000200000002
DATA doubled<>+24(SB)/8, $0x0000000300000003
GLOBL doubled<>(SB), RODATA|NOPTR, $32

#define LOAD4(at, x) VMOVUPS at, x
#define LOAD4_TAIL(at, x) VMASKMOVPS at, X14, x

#define ADJACENT_BODY(LD, LD4, ST) \
	LD((SI)(DI*2), Y0)             \
	LD4((BX)(DI*1), X2)            \
	LD4((R10)(DI*1), X3)           \
	VPERMPS   Y2, Y13, Y2          \
	VPERMPS   Y3, Y13, Y3          \
	VPERMILPS $0xb1, Y0, Y1        \
	VMULPS    Y3, Y1, Y1           \
	VFMADDSUB213PS Y1, Y2, Y0      \
	ST(Y0, (SI)(DI*2))             \
	ADDQ $16, DI

// func ropeAdjacentAvx2(x, cos, sin []float32, heads, headDim int)
//
//	SI a head    R11 bytes in a head    R12 elements in pairs    R9 heads left    CX elements left, even
//	BX cos    R10 sin    DI bytes into both    Y13 0 0 1 1 2 2 3 3    X14 mask of the last pairs
TEXT ·ropeAdjacentAvx2(SB), NOSPLIT, $0-88
	MOVQ x_base+0(FP), SI
	MOVQ cos_base+24(FP), BX
	MOVQ sin_base+48(FP), R10
	MOVQ heads+72(FP), R9
	MOVQ headDim+80(FP), R12
	LEAQ (R12*4), R11
	ANDQ $~1, R12
	VMOVDQU doubled<>(SB), Y13

head:
	SUBQ $1, R9
	JLT  end
	MOVQ R12, CX
	XORL DI, DI
	SUBQ $8, CX
	JLT  last

loop:
	ADJACENT_BODY(LOAD, LOAD4, STORE)
	SUBQ $8, CX
	JGE  loop

last:
	ADDQ $8, CX
	JZ   next
	MOVQ CX, DX
	TAIL_MASK
	LEAQ tailMask<>+32(SB), AX
	SHLQ $1, DX
	SUBQ DX, AX
	VMOVUPS (AX), X14
	ADJACENT_BODY(LOAD_TAIL, LOAD4_TAIL, STORE_TAIL)

next:
	ADDQ R11, SI
	JMP  head

end:
	VZEROUPPER
	RET
