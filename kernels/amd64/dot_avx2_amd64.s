//go:build !purego

#include "textflag.h"

// func dotF32Avx2(w, x *float32, k int) float32
//
// 32 columns a turn in four chains, then 8 a turn in the first, then one by one.
//
//	SI w    DI x    CX columns left    Y0-Y3 sums    X4 sum of the last columns
TEXT ·dotF32Avx2(SB), NOSPLIT, $0-28
	MOVQ w+0(FP), SI
	MOVQ x+8(FP), DI
	MOVQ k+16(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	SUBQ $32, CX
	JLT  eights

loop:
	VMOVUPS 0(SI), Y5
	VMOVUPS 32(SI), Y6
	VMOVUPS 64(SI), Y7
	VMOVUPS 96(SI), Y8
	VFMADD231PS 0(DI), Y5, Y0
	VFMADD231PS 32(DI), Y6, Y1
	VFMADD231PS 64(DI), Y7, Y2
	VFMADD231PS 96(DI), Y8, Y3
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $32, CX
	JGE  loop

eights:
	ADDQ $24, CX
	JLT  ones

eight:
	VMOVUPS (SI), Y5
	VFMADD231PS (DI), Y5, Y0
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JGE  eight

ones:
	ADDQ $8, CX
	JZ   sum

one:
	VMOVSS (SI), X5
	VFMADD231SS (DI), X5, X4
	ADDQ $4, SI
	ADDQ $4, DI
	SUBQ $1, CX
	JNZ  one

sum:
	VADDPS       Y1, Y0, Y0
	VADDPS       Y3, Y2, Y2
	VADDPS       Y2, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VPERMILPS    $0x4e, X0, X1
	VADDPS       X1, X0, X0
	VPERMILPS    $0xb1, X0, X1
	VADDSS       X1, X0, X0
	VADDSS       X4, X0, X0
	VMOVSS       X0, ret+24(FP)
	VZEROUPPER
	RET
