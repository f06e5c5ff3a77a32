//go:build !purego

#include "textflag.h"
#include "lanes_avx512_amd64.h"

// Conversions take 16 elements a turn, the last ones under the mask K1:
//
//	DI dst    SI src    CX elements left

// func f16ToF32Avx512(dst []float32, src []uint16)
TEXT ·f16ToF32Avx512(SB), NOSPLIT, $0-48
	MOVQ  dst_base+0(FP), DI
	MOVQ  dst_len+8(FP), CX
	MOVQ  src_base+24(FP), SI
	TESTQ CX, CX
	JLE   done

loop:
	LANES
	VCVTPH2PS.Z (SI), K1, Z0
	VMOVUPS     Z0, K1, (DI)
	ADDQ $64, DI
	ADDQ $32, SI
	SUBQ $16, CX
	JG   loop

done:
	VZEROUPPER
	RET

// func f32ToF16Avx512(dst []uint16, src []float32)
TEXT ·f32ToF16Avx512(SB), NOSPLIT, $0-48
	MOVQ  dst_base+0(FP), DI
	MOVQ  dst_len+8(FP), CX
	MOVQ  src_base+24(FP), SI
	TESTQ CX, CX
	JLE   done

loop:
	LANES
	VMOVUPS.Z (SI), K1, Z0
	VCVTPS2PH $0, Z0, Y0
	VMOVDQU16 Y0, K1, (DI)
	ADDQ $32, DI
	ADDQ $64, SI
	SUBQ $16, CX
	JG   loop

done:
	VZEROUPPER
	RET

// func bf16ToF32Avx512(dst []float32, src []uint16)
TEXT ·bf16ToF32Avx512(SB), NOSPLIT, $0-48
	MOVQ  dst_base+0(FP), DI
	MOVQ  dst_len+8(FP), CX
	MOVQ  src_base+24(FP), SI
	TESTQ CX, CX
	JLE   done

loop:
	LANES
	VPMOVZXWD.Z (SI), K1, Z0
	VPSLLD      $16, Z0, Z0
	VMOVUPS     Z0, K1, (DI)
	ADDQ $64, DI
	ADDQ $32, SI
	SUBQ $16, CX
	JG   loop

done:
	VZEROUPPER
	RET

DATA bf16Data<>+0(SB)/4, $1
DATA bf16Data<>+4(SB)/4, $0x7fff
DATA bf16Data<>+8(SB)/4, $0x00400000
GLOBL bf16Data<>(SB), RODATA|NOPTR, $12

// func f32ToBF16Avx512(dst []uint16, src []float32)
//
// Half a unit of the result, less one when it is even, is added to the bits before they are cut; a NaN gets the quiet bit
// instead.
//
//	Z29 1    Z30 0x7fff    Z31 the quiet bit    K2 NaN lanes
TEXT ·f32ToBF16Avx512(SB), NOSPLIT, $0-48
	MOVQ  dst_base+0(FP), DI
	MOVQ  dst_len+8(FP), CX
	MOVQ  src_base+24(FP), SI
	TESTQ CX, CX
	JLE   done
	VPBROADCASTD bf16Data<>+0(SB), Z29
	VPBROADCASTD bf16Data<>+4(SB), Z30
	VPBROADCASTD bf16Data<>+8(SB), Z31

loop:
	LANES
	VMOVUPS.Z (SI), K1, Z0
	VCMPPS    $3, Z0, Z0, K2
	VPSRLD    $16, Z0, Z1
	VPANDD    Z29, Z1, Z1
	VPADDD    Z30, Z1, Z1
	VPADDD    Z1, Z0, Z1
	VPORD     Z31, Z0, K2, Z1
	VPSRLD    $16, Z1, Z1
	VPMOVDW   Z1, K1, (DI)
	ADDQ $32, DI
	ADDQ $64, SI
	SUBQ $16, CX
	JG   loop

done:
	VZEROUPPER
	RET
