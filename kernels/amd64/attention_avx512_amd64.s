//go:build !purego

#include "textflag.h"

// Scores take 4 heads with 4 keys a turn. Where there are fewer, the last head or key is taken again in place of those
// missing, and what comes of it is not stored. The sum over columns is 16 chains, one per lane, added up as a tree, the same
// for every head and key.
//
//	DI        scores of the first head      R12          bytes from head to head of scores
//	R8-R11    q of the heads                AX           column
//	SI, R13, R14, BX  the keys              DX           bytes from key to key
//	CX        keys left                     limit-8(SP)  last column from which 16 remain
//	Z0-Z15    sums, 4·head + key            Z16-Z19 keys, Z20 q
//	K1        columns of the turn           K2 those of the last turn
//	K3        keys of the turn

// CLAMP(n, count, at, pointer) sets pointer to at if there are fewer than n.
#define CLAMP(n, count, at, pointer) \
	CMPQ    count, n \
	CMOVQLT at, pointer

// The cache is longer than the caches: ask for keys and values this many bytes before their use.
#define PREFETCH_AHEAD 4096

#define LOAD_F16(base, reg) \
	PREFETCHT0  PREFETCH_AHEAD(base)(AX*2) \
	VCVTPH2PS.Z (base)(AX*2), K1, reg

#define LOAD_F32(base, reg) \
	PREFETCHT0 PREFETCH_AHEAD(base)(AX*4) \
	VMOVUPS.Z  (base)(AX*4), K1, reg

#define HEAD(base, s0, s1, s2, s3) \
	VMOVUPS.Z   (base)(AX*4), K1, Z20 \
	VFMADD231PS Z16, Z20, s0          \
	VFMADD231PS Z17, Z20, s1          \
	VFMADD231PS Z18, Z20, s2          \
	VFMADD231PS Z19, Z20, s3

// PAIRS replaces a and b by one vector with half the partial sums of each: UNPCK interleaves within 128 bits.
#define PAIRS(a, b) \
	VUNPCKLPS b, a, Z16   \
	VUNPCKHPS b, a, Z17   \
	VADDPS    Z17, Z16, a

#define QUADS(a, b) \
	VUNPCKLPD b, a, Z16   \
	VUNPCKHPD b, a, Z17   \
	VADDPS    Z17, Z16, a

#define SUM_KEYS(s0, s1, s2, s3) \
	PAIRS(s0, s1) \
	PAIRS(s2, s3) \
	QUADS(s0, s2)

// FOLD adds vectors of 128 bits of a and b: evens and odds choose the terms.
#define FOLD(a, b, evens, odds) \
	VSHUFF32X4 $evens, b, a, Z16 \
	VSHUFF32X4 $odds, b, a, Z17  \
	VADDPS     Z17, Z16, a

#define SCORES_SETUP(elemShift) \
	SHLQ $2, R12               \
	MOVQ DX, AX                \
	SUBQ $16, AX               \
	MOVQ AX, limit-8(SP)       \
	MOVQ DX, AX                \
	ANDQ $15, AX               \
	MOVL $-1, R9               \
	BZHIL AX, R9, R9           \
	KMOVW R9, K2               \
	LEAQ (R8)(DX*4), R9        \
	LEAQ (R8)(DX*8), R10       \
	LEAQ (R9)(DX*8), R11       \
	CLAMP($2, BX, R8, R9)      \
	CLAMP($3, BX, R9, R10)     \
	CLAMP($4, BX, R10, R11)    \
	VBROADCASTSS X31, Z31      \
	SHLQ $elemShift, DX

#define ZERO4(a, b, c, d) \
	VPXORD a, a, a \
	VPXORD b, b, b \
	VPXORD c, c, c \
	VPXORD d, d, d

#define SCORES(LOAD, HEADS, HEADDIM) \
keys4:                           \
	LEAQ (SI)(DX*1), R13         \
	LEAQ (SI)(DX*2), R14         \
	LEAQ (R13)(DX*2), BX         \
	CLAMP($2, CX, SI, R13)       \
	CLAMP($3, CX, R13, R14)      \
	CLAMP($4, CX, R14, BX)       \
	ZERO4(Z0, Z1, Z2, Z3)        \
	ZERO4(Z4, Z5, Z6, Z7)        \
	ZERO4(Z8, Z9, Z10, Z11)      \
	ZERO4(Z12, Z13, Z14, Z15)    \
	KXNORW K1, K1, K1            \
	XORL AX, AX                  \
columns16:                       \
	CMPQ AX, limit-8(SP)         \
	JLE  whole                   \
	KMOVW K2, K1                 \
whole:                           \
	LOAD(SI, Z16)                \
	LOAD(R13, Z17)               \
	LOAD(R14, Z18)               \
	LOAD(BX, Z19)                \
	HEAD(R8, Z0, Z1, Z2, Z3)     \
	HEAD(R9, Z4, Z5, Z6, Z7)     \
	HEAD(R10, Z8, Z9, Z10, Z11)  \
	HEAD(R11, Z12, Z13, Z14, Z15) \
	ADDQ $16, AX                 \
	CMPQ AX, HEADDIM             \
	JLT  columns16               \
	SUM_KEYS(Z0, Z1, Z2, Z3)     \
	SUM_KEYS(Z4, Z5, Z6, Z7)     \
	SUM_KEYS(Z8, Z9, Z10, Z11)   \
	SUM_KEYS(Z12, Z13, Z14, Z15) \
	FOLD(Z0, Z4, 0x44, 0xee)     \
	FOLD(Z8, Z12, 0x44, 0xee)    \
	FOLD(Z0, Z8, 0x88, 0xdd)     \
	VMULPS Z31, Z0, Z0           \
	MOVQ $4, AX                  \
	CLAMP($4, CX, CX, AX)        \
	MOVL $-1, R13                \
	BZHIL AX, R13, R13           \
	KMOVW R13, K3                \
	MOVQ HEADS, R13              \
	VMOVUPS X0, K3, (DI)         \
	CMPQ R13, $2                 \
	JLT  stored                  \
	VEXTRACTF32X4 $1, Z0, X1     \
	VMOVUPS X1, K3, (DI)(R12*1)  \
	CMPQ R13, $3                 \
	JLT  stored                  \
	VEXTRACTF32X4 $2, Z0, X1     \
	VMOVUPS X1, K3, (DI)(R12*2)  \
	CMPQ R13, $4                 \
	JLT  stored                  \
	VEXTRACTF32X4 $3, Z0, X1     \
	LEAQ (R12)(R12*2), R13       \
	VMOVUPS X1, K3, (DI)(R13*1)  \
stored:                          \
	ADDQ $16, DI                 \
	LEAQ (SI)(DX*4), SI          \
	SUBQ $4, CX                  \
	JG   keys4                   \
	VZEROUPPER

// func scoresF16Avx512(s *float32, lds int, q *float32, heads, headDim int, k *uint16, keys int, scale float32)
TEXT ·scoresF16Avx512(SB), NOSPLIT, $8-60
	MOVQ s+0(FP), DI
	MOVQ lds+8(FP), R12
	MOVQ q+16(FP), R8
	MOVQ heads+24(FP), BX
	MOVQ headDim+32(FP), DX
	MOVQ k+40(FP), SI
	MOVQ keys+48(FP), CX
	VMOVSS scale+56(FP), X0
	VMOVAPS X0, X31
	SCORES_SETUP(1)
	SCORES(LOAD_F16, heads+24(FP), headDim+32(FP))
	RET

// func scoresF32Avx512(s *float32, lds int, q *float32, heads, headDim int, k *float32, keys int, scale float32)
TEXT ·scoresF32Avx512(SB), NOSPLIT, $8-60
	MOVQ s+0(FP), DI
	MOVQ lds+8(FP), R12
	MOVQ q+16(FP), R8
	MOVQ heads+24(FP), BX
	MOVQ headDim+32(FP), DX
	MOVQ k+40(FP), SI
	MOVQ keys+48(FP), CX
	VMOVSS scale+56(FP), X0
	VMOVAPS X0, X31
	SCORES_SETUP(2)
	SCORES(LOAD_F32, heads+24(FP), headDim+32(FP))
	RET

// Values take 64 columns of 4 heads, whose sums stay in registers, through all keys.
//
//	DI       sums of the first head, from the first of the 64 columns
//	BX       bytes from head to head of sums     R8-R11   weights of the heads
//	SI       values, from the first of the 64    DX       bytes from key to key
//	AX       key                                 CX       keys
//	R12      columns left                        R13      heads
//	Z0-Z15   sums, 4·head + part                 Z16-Z19  values    Z20-Z23 weights
//	K1-K4    columns of the parts

#define VALUES_F16(part, mask, reg) \
	PREFETCHT0  (PREFETCH_AHEAD+32*part)(R14) \
	VCVTPH2PS.Z (32*part)(R14), mask, reg

#define VALUES_F32(part, mask, reg) \
	PREFETCHT0 (PREFETCH_AHEAD+64*part)(R14) \
	VMOVUPS.Z  (64*part)(R14), mask, reg

#define WEIGH(p, base, s0, s1, s2, s3) \
	VBROADCASTSS (base)(AX*4), p \
	VFMADD231PS  Z16, p, s0      \
	VFMADD231PS  Z17, p, s1      \
	VFMADD231PS  Z18, p, s2      \
	VFMADD231PS  Z19, p, s3

#define LOAD_SUMS(at, s0, s1, s2, s3) \
	VMOVUPS.Z 0(at), K1, s0   \
	VMOVUPS.Z 64(at), K2, s1  \
	VMOVUPS.Z 128(at), K3, s2 \
	VMOVUPS.Z 192(at), K4, s3

#define STORE_SUMS(at, s0, s1, s2, s3) \
	VMOVUPS s0, K1, 0(at)   \
	VMOVUPS s1, K2, 64(at)  \
	VMOVUPS s2, K3, 128(at) \
	VMOVUPS s3, K4, 192(at)

// SUMS runs SUMS4 for every head there is.
#define SUMS(SUMS4, done) \
	SUMS4(DI, Z0, Z1, Z2, Z3)       \
	CMPQ R13, $2                    \
	JLT  done                       \
	LEAQ (DI)(BX*1), R14            \
	SUMS4(R14, Z4, Z5, Z6, Z7)      \
	CMPQ R13, $3                    \
	JLT  done                       \
	ADDQ BX, R14                    \
	SUMS4(R14, Z8, Z9, Z10, Z11)    \
	CMPQ R13, $4                    \
	JLT  done                       \
	ADDQ BX, R14                    \
	SUMS4(R14, Z12, Z13, Z14, Z15)  \
done:

#define VALUES(LOAD, elemShift) \
	LEAQ (R8)(BX*4), R9         \
	LEAQ (R8)(BX*8), R10        \
	LEAQ (R9)(BX*8), R11        \
	CLAMP($2, R13, R8, R9)      \
	CLAMP($3, R13, R9, R10)     \
	CLAMP($4, R13, R10, R11)    \
	MOVQ R12, DX                \
	SHLQ $elemShift, DX         \
	MOVQ R12, BX                \
	SHLQ $2, BX                 \
columns64:                      \
	MOVL $64, AX                \
	CLAMP(AX, R12, R12, AX)     \
	MOVQ $-1, R14               \
	BZHIQ AX, R14, R14          \
	KMOVQ R14, K1               \
	KSHIFTRQ $16, K1, K2        \
	KSHIFTRQ $32, K1, K3        \
	KSHIFTRQ $48, K1, K4        \
	SUMS(LOAD_SUMS, loaded)     \
	XORL AX, AX                 \
	MOVQ SI, R14                \
key:                            \
	LOAD(0, K1, Z16)            \
	LOAD(1, K2, Z17)            \
	LOAD(2, K3, Z18)            \
	LOAD(3, K4, Z19)            \
	WEIGH(Z20, R8, Z0, Z1, Z2, Z3)      \
	WEIGH(Z21, R9, Z4, Z5, Z6, Z7)      \
	WEIGH(Z22, R10, Z8, Z9, Z10, Z11)   \
	WEIGH(Z23, R11, Z12, Z13, Z14, Z15) \
	ADDQ DX, R14                \
	ADDQ $1, AX                 \
	CMPQ AX, CX                 \
	JLT  key                    \
	SUMS(STORE_SUMS, stored)    \
	ADDQ $256, DI               \
	ADDQ $(64<<elemShift), SI   \
	SUBQ $64, R12               \
	JG   columns64              \
	VZEROUPPER

// func valuesF16Avx512(acc, p *float32, ldp, heads, headDim int, v *uint16, keys int)
TEXT ·valuesF16Avx512(SB), NOSPLIT, $0-56
	MOVQ acc+0(FP), DI
	MOVQ p+8(FP), R8
	MOVQ ldp+16(FP), BX
	MOVQ heads+24(FP), R13
	MOVQ headDim+32(FP), R12
	MOVQ v+40(FP), SI
	MOVQ keys+48(FP), CX
	VALUES(VALUES_F16, 1)
	RET

// func valuesF32Avx512(acc, p *float32, ldp, heads, headDim int, v *float32, keys int)
TEXT ·valuesF32Avx512(SB), NOSPLIT, $0-56
	MOVQ acc+0(FP), DI
	MOVQ p+8(FP), R8
	MOVQ ldp+16(FP), BX
	MOVQ heads+24(FP), R13
	MOVQ headDim+32(FP), R12
	MOVQ v+40(FP), SI
	MOVQ keys+48(FP), CX
	VALUES(VALUES_F32, 2)
	RET
