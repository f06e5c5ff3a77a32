//go:build !purego

#include "textflag.h"
#include "loop_avx512_amd64.h"
#include "exp_avx512_amd64.h"

//	DI dst    SI x or gate    BX gain or up    CX elements left

#define ADD_BODY(LD, ST) \
	LD((DI), Z0)         \
	LD((SI), Z1)         \
	VADDPS Z1, Z0, Z0    \
	ST(Z0, (DI))         \
	ADDQ $64, DI         \
	ADDQ $64, SI

// func addAvx512(dst, x []float32)
TEXT ·addAvx512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	LOOP_F32(ADD_BODY)
	VZEROUPPER
	RET

#define MUL_BODY(LD, ST) \
	LD((DI), Z0)         \
	LD((SI), Z1)         \
	VMULPS Z1, Z0, Z0    \
	ST(Z0, (DI))         \
	ADDQ $64, DI         \
	ADDQ $64, SI

// func mulAvx512(dst, x []float32)
TEXT ·mulAvx512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	LOOP_F32(MUL_BODY)
	VZEROUPPER
	RET

#define SCALE_BODY(LD, ST) \
	LD((DI), Z0)           \
	VMULPS Z2, Z0, Z0      \
	ST(Z0, (DI))           \
	ADDQ $64, DI

// func scaleAvx512(dst []float32, s float32)
TEXT ·scaleAvx512(SB), NOSPLIT, $0-28
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	VBROADCASTSS s+24(FP), Z2
	LOOP_F32(SCALE_BODY)
	VZEROUPPER
	RET

// SILU replaces Z0 by Z0/(1+exp(-Z0)); Z31 holds the sign bits, Z1-Z3 are used.
#define SILU \
	VPXORD Z31, Z0, Z1  \
	EXP(Z1, Z2, Z3)     \
	VADDPS Z26, Z1, Z1  \
	VDIVPS Z1, Z0, Z0

#define SILU_BODY(LD, ST) \
	LD((SI), Z0)          \
	SILU                  \
	ST(Z0, (DI))          \
	ADDQ $64, DI          \
	ADDQ $64, SI

// func siluAvx512(dst, x []float32)
TEXT ·siluAvx512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	EXP_CONSTANTS
	VPTERNLOGD $0xff, Z31, Z31, Z31
	VPSLLD     $31, Z31, Z31
	LOOP_F32(SILU_BODY)
	VZEROUPPER
	RET

#define SILU_MUL_BODY(LD, ST) \
	LD((SI), Z0)              \
	SILU                      \
	LD((BX), Z1)              \
	VMULPS Z1, Z0, Z0         \
	ST(Z0, (DI))              \
	ADDQ $64, DI              \
	ADDQ $64, SI              \
	ADDQ $64, BX

// func siluMulAvx512(dst, gate, up []float32)
TEXT ·siluMulAvx512(SB), NOSPLIT, $0-72
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ gate_base+24(FP), SI
	MOVQ up_base+48(FP), BX
	EXP_CONSTANTS
	VPTERNLOGD $0xff, Z31, Z31, Z31
	VPSLLD     $31, Z31, Z31
	LOOP_F32(SILU_MUL_BODY)
	VZEROUPPER
	RET

#define NORM_BODY(LD, ST) \
	LD((SI), Z1)          \
	VMULPS Z0, Z1, Z1     \
	LD((BX), Z2)          \
	VMULPS Z2, Z1, Z1     \
	ST(Z1, (DI))          \
	ADDQ $64, DI          \
	ADDQ $64, SI          \
	ADDQ $64, BX

#define SQUARES_BODY(LD) \
	LD((SI), Z2)                  \
	VEXTRACTF32X8 $1, Z2, Y3      \
	VCVTPS2PD     Y2, Z2          \
	VCVTPS2PD     Y3, Z3          \
	VFMADD231PD   Z2, Z2, Z0      \
	VFMADD231PD   Z3, Z3, Z1      \
	ADDQ $64, SI

// func rmsNormAvx512(dst, x, gain []float32, eps float32)
//
// Squares are added up as float64, where none overflows: Z0 those of the lower, Z1 those of the upper 8 lanes.
TEXT ·rmsNormAvx512(SB), NOSPLIT, $0-76
	MOVQ  x_base+24(FP), SI
	MOVQ  x_len+32(FP), CX
	TESTQ CX, CX
	JLE   none
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	SUBQ   $16, CX
	JLT    squares_tail

squares:
	SQUARES_BODY(LOAD)
	SUBQ $16, CX
	JGE  squares

squares_tail:
	ADDQ $16, CX
	JZ   sum
	LANES
	SQUARES_BODY(LOAD_TAIL)

sum:
	// Z0 = float32(1/sqrt(sum/len + eps))
	VADDPD        Z1, Z0, Z0
	VEXTRACTF64X4 $1, Z0, Y1
	VADDPD        Y1, Y0, Y0
	VEXTRACTF128  $1, Y0, X1
	VADDPD        X1, X0, X0
	VHADDPD       X0, X0, X0
	MOVQ          x_len+32(FP), CX
	VXORPD        X1, X1, X1
	VCVTSI2SDQ    CX, X1, X1
	VDIVSD        X1, X0, X0
	VCVTSS2SD     eps+72(FP), X1, X1
	VADDSD        X1, X0, X0
	VSQRTSD       X0, X0, X0
	MOVL          $1, AX
	VCVTSI2SDL    AX, X1, X1
	VDIVSD        X0, X1, X0
	VCVTSD2SS     X0, X0, X0
	VBROADCASTSS  X0, Z0

	MOVQ dst_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ gain_base+48(FP), BX
	LOOP_F32(NORM_BODY)

none:
	VZEROUPPER
	RET

#define HALVES_BODY(LD, ST) \
	LD((SI)(DI*1), Z0)       \
	LD((R13)(DI*1), Z1)      \
	LD((BX)(DI*1), Z2)       \
	LD((R10)(DI*1), Z3)      \
	VMULPS Z3, Z1, Z4        \
	VMULPS Z3, Z0, Z5        \
	VFMSUB213PS Z4, Z2, Z0   \
	VFMADD213PS Z5, Z2, Z1   \
	ST(Z0, (SI)(DI*1))       \
	ST(Z1, (R13)(DI*1))      \
	ADDQ $64, DI

// func ropeHalvesAvx512(x, cos, sin []float32, heads, headDim int)
//
//	SI, R13 halves of a head    R8 bytes in half a head    R9 heads left    R11 bytes in a head    R12 pairs in a head
//	BX cos    R10 sin           DI bytes into all          CX pairs left
TEXT ·ropeHalvesAvx512(SB), NOSPLIT, $0-88
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
	LOOP_F32(HALVES_BODY)
	ADDQ R11, SI
	JMP  head

end:
	VZEROUPPER
	RET

DATA doubled<>+0(SB)/8, $0x0000000000000000
DATA doubled<>+8(SB)/8, $0x0000000100000001
DATA doubled<>+16(SB)/8, $0x0000000200000002
DATA doubled<>+24(SB)/8, $0x0000000300000003
DATA doubled<>+32(SB)/8, $0x0000000400000004
DATA doubled<>+40(SB)/8, $0x0000000500000005
DATA doubled<>+48(SB)/8, $0x0000000600000006
DATA doubled<>+56(SB)/8, $0x0000000700000007
GLOBL doubled<>(SB), RODATA|NOPTR, $64

// func ropeAdjacentAvx512(x, cos, sin []float32, heads, headDim int)
//
//	SI a head    R11 bytes in a head    R9 heads left    CX elements left, even
//	BX cos    R10 sin    DI bytes into both    K1 elements, K2 pairs    Z31 0 0 1 1 … 7 7
TEXT ·ropeAdjacentAvx512(SB), NOSPLIT, $0-88
	MOVQ x_base+0(FP), SI
	MOVQ cos_base+24(FP), BX
	MOVQ sin_base+48(FP), R10
	MOVQ heads+72(FP), R9
	MOVQ headDim+80(FP), R11
	MOVQ R11, R12
	ANDQ $~1, R12 // elements that have a partner
	SHLQ $2, R11
	VMOVDQU32 doubled<>(SB), Z31
	TESTQ R12, R12
	JLE  done

head:
	SUBQ $1, R9
	JLT  done
	MOVQ R12, CX
	XORL DI, DI

loop:
	LANES
	SHRL  $1, AX
	MOVL  $-1, DX
	BZHIL AX, DX, DX
	KMOVW DX, K2
	VMOVUPS.Z (SI)(DI*2), K1, Z0
	VMOVUPS.Z (BX)(DI*1), K2, Z2
	VMOVUPS.Z (R10)(DI*1), K2, Z3
	VPERMD    Z2, Z31, Z2
	VPERMD    Z3, Z31, Z3
	VPERMILPS $0xb1, Z0, Z1
	VMULPS    Z3, Z1, Z1
	VFMADDSUB213PS Z1, Z2, Z0 // even lanes a·cos - b·sin, odd lanes b·cos + a·sin
	VMOVUPS   Z0, K1, (SI)(DI*2)
	ADDQ $32, DI
	SUBQ $16, CX
	JG   loop
	ADDQ R11, SI
	JMP  head

done:
	VZEROUPPER
	RET
