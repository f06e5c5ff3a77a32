//go:build !purego

#include "textflag.h"

// Conversions take 8 elements a turn, the last ones one by one:
//
//	DI dst    SI src    CX elements left

// func f16ToF32Avx2(dst []float32, src []uint16)
TEXT ·f16ToF32Avx2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ src_base+24(FP), SI
	SUBQ $8, CX
	JLT  last

loop:
	VCVTPH2PS (SI), Y0
	VMOVUPS   Y0, (DI)
	ADDQ $32, DI
	ADDQ $16, SI
	SUBQ $8, CX
	JGE  loop

last:
	ADDQ $8, CX
	JZ   done

one:
	MOVWLZX   (SI), AX
	VMOVD     AX, X0
	VCVTPH2PS X0, X0
	VMOVSS    X0, (DI)
	ADDQ $4, DI
	ADDQ $2, SI
	SUBQ $1, CX
	JNZ  one

done:
	VZEROUPPER
	RET

// func f32ToF16Avx2(dst []uint16, src []float32)
TEXT ·f32ToF16Avx2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ src_base+24(FP), SI
	SUBQ $8, CX
	JLT  last

loop:
	VMOVUPS   (SI), Y0
	VCVTPS2PH $0, Y0, (DI)
	ADDQ $16, DI
	ADDQ $32, SI
	SUBQ $8, CX
	JGE  loop

last:
	ADDQ $8, CX
	JZ   done

one:
	VMOVSS    (SI), X0
	VCVTPS2PH $0, X0, X0
	VMOVD     X0, AX
	MOVW      AX, (DI)
	ADDQ $2, DI
	ADDQ $4, SI
	SUBQ $1, CX
	JNZ  one

done:
	VZEROUPPER
	RET

// func bf16ToF32Avx2(dst []float32, src []uint16)
TEXT ·bf16ToF32Avx2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ src_base+24(FP), SI
	SUBQ $8, CX
	JLT  last

loop:
	VPMOVZXWD (SI), Y0
	VPSLLD    $16, Y0, Y0
	VMOVUPS   Y0, (DI)
	ADDQ $32, DI
	ADDQ $16, SI
	SUBQ $8, CX
	JGE  loop

last:
	ADDQ $8, CX
	JZ   done

one:
	MOVWLZX (SI), AX
	SHLL    $16, AX
	MOVL    AX, (DI)
	ADDQ $4, DI
	ADDQ $2, SI
	SUBQ $1, CX
	JNZ  one

done:
	VZEROUPPER
	RET

DATA bf16Data<>+0(SB)/4, $1
DATA bf16Data<>+4(SB)/4, $0x7fff
DATA bf16Data<>+8(SB)/4, $0x00400000
GLOBL bf16Data<>(SB), RODATA|NOPTR, $12

// BF16 makes bits of the result of the bits in x: half a unit of the result, less one when it is even, is added before they
// are cut; a NaN gets the quiet bit instead.
#define BF16(x, t, nan, one, half, quiet) \
	VCMPPS    $3, x, x, nan       \
	VPSRLD    $16, x, t           \
	VPAND     one, t, t           \
	VPADDD    half, t, t          \
	VPADDD    x, t, t             \
	VPOR      quiet, x, x         \
	VBLENDVPS nan, x, t, x        \
	VPSRLD    $16, x, x

// func f32ToBF16Avx2(dst []uint16, src []float32)
//
//	Y13 1    Y14 0x7fff    Y15 the quiet bit
TEXT ·f32ToBF16Avx2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ src_base+24(FP), SI
	VPBROADCASTD bf16Data<>+0(SB), Y13
	VPBROADCASTD bf16Data<>+4(SB), Y14
	VPBROADCASTD bf16Data<>+8(SB), Y15
	SUBQ $8, CX
	JLT  last

loop:
	VMOVUPS   (SI), Y0
	BF16(Y0, Y1, Y2, Y13, Y14, Y15)
	VEXTRACTI128 $1, Y0, X1
	VPACKUSDW    X1, X0, X0
	VMOVDQU      X0, (DI)
	ADDQ $16, DI
	ADDQ $32, SI
	SUBQ $8, CX
	JGE  loop

last:
	ADDQ $8, CX
	JZ   done

one:
	VMOVSS (SI), X0
	BF16(X0, X1, X2, X13, X14, X15)
	VMOVD  X0, AX
	MOVW   AX, (DI)
	ADDQ $2, DI
	ADDQ $4, SI
	SUBQ $1, CX
	JNZ  one

done:
	VZEROUPPER
	RET
