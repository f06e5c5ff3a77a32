//go:build !purego

#include "textflag.h"
#include "attention_avx2_amd64.h"

DATA ones16<>+0(SB)/8, $0x0001000100010001
DATA ones16<>+8(SB)/8, $0x0001000100010001
DATA ones16<>+16(SB)/8, $0x0001000100010001
DATA ones16<>+24(SB)/8, $0x0001000100010001
GLOBL ones16<>(SB), RODATA|NOPTR, $32

// Scores take 4 heads with 2 keys a turn, as those of other caches do. VPMADDUBSW multiplies unsigned with signed bytes: the sign of a key goes
// to the query. Pairs of products fit into 16 bits.
//
//	DI      scores of the first head    R12  bytes from head to head of scores    BX  heads
//	R8-R11  q of the heads              AX   column                               DX  columns, which are the bytes of a key
//	SI, R13 the keys                    R14  scales of the block                  R15 bytes from block to block of scales
//	CX      keys left
//	Y0-Y7   sums, 2·head + key          Y8, Y9 keys    Y10, Y11 their absolute values    Y12, Y13 their scales    Y15 q

#define DOT(key, size, scale, sum) \
	VPSIGNB     key, Y15, Y14               \
	VPMADDUBSW  Y14, size, Y14              \
	VPMADDWD    ones16<>+0(SB), Y14, Y14    \
	VCVTDQ2PS   Y14, Y14                    \
	VFMADD231PS scale, Y14, sum

#define HEAD(base, s0, s1) \
	VMOVDQU (base)(AX*1), Y15 \
	DOT(Y8, Y10, Y12, s0)     \
	DOT(Y9, Y11, Y13, s1)

// SUM adds up two heads' lanes: x = head and key 0 0, 0 1, 1 0, 1 1.
#define SUM(a, b, c, d, x) \
	VHADDPS      b, a, a    \
	VHADDPS      d, c, c    \
	VHADDPS      c, a, a    \
	VEXTRACTF128 $1, a, X14 \
	VADDPS       X14, x, x

// func scoresQ8Avx2(s *float32, lds int, q *int8, heads, headDim int, k *int8, keys int, d *float32, ldd int)
TEXT ·scoresQ8Avx2(SB), NOSPLIT, $0-72
	MOVQ s+0(FP), DI
	MOVQ lds+8(FP), R12
	SHLQ $2, R12
	MOVQ q+16(FP), R8
	MOVQ heads+24(FP), BX
	MOVQ headDim+32(FP), DX
	MOVQ k+40(FP), SI
	MOVQ keys+48(FP), CX
	MOVQ ldd+64(FP), R15
	SHLQ $2, R15
	LEAQ (R8)(DX*1), R9
	LEAQ (R8)(DX*2), R10
	LEAQ (R9)(DX*2), R11
	CLAMP($2, BX, R8, R9)
	CLAMP($3, BX, R9, R10)
	CLAMP($4, BX, R10, R11)

keys2:
	LEAQ (SI)(DX*1), R13
	CLAMP($2, CX, SI, R13)
	MOVQ d+56(FP), R14
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	XORL AX, AX

block:
	PREFETCHT0 PREFETCH_AHEAD(SI)(AX*1)
	PREFETCHT0 PREFETCH_AHEAD(R13)(AX*1)
	VMOVDQU (SI)(AX*1), Y8
	VMOVDQU (R13)(AX*1), Y9
	VPABSB  Y8, Y10
	VPABSB  Y9, Y11
	VBROADCASTSS 0(R14), Y12
	VBROADCASTSS 4(R14), Y13
	HEAD(R8, Y0, Y1)
	HEAD(R9, Y2, Y3)
	HEAD(R10, Y4, Y5)
	HEAD(R11, Y6, Y7)
	ADDQ R15, R14
	ADDQ $32, AX
	CMPQ AX, DX
	JLT  block
	SUM(Y0, Y1, Y2, Y3, X0)
	SUM(Y4, Y5, Y6, Y7, X4)
	LEAQ (DI)(R12*2), R13
	CMPQ CX, $2
	JLT  last
	VMOVLPS X0, (DI)
	CMPQ BX, $2
	JLT  stored
	VMOVHPS X0, (DI)(R12*1)
	CMPQ BX, $3
	JLT  stored
	VMOVLPS X4, (R13)
	CMPQ BX, $4
	JLT  stored
	VMOVHPS X4, (R13)(R12*1)

stored:
	ADDQ $8, DI
	ADDQ $8, d+56(FP)
	LEAQ (SI)(DX*2), SI
	SUBQ $2, CX
	JG   keys2
	JMP  done

last:
	VMOVSS X0, (DI)
	CMPQ BX, $2
	JLT  done
	VEXTRACTPS $2, X0, (DI)(R12*1)
	CMPQ BX, $3
	JLT  done
	VMOVSS X4, (R13)
	CMPQ BX, $4
	JLT  done
	VEXTRACTPS $2, X4, (R13)(R12*1)

done:
	VZEROUPPER
	RET

// Values take 16 columns of 4 heads, whose sums stay in registers, through all keys.
//
//	DI      sums of the first head    BX  bytes from head to head of sums    R8-R11  weights of the heads
//	SI      values                    DX  bytes from key to key              AX      key
//	CX      keys                      R13 heads                              R14     sums of a head
//	Y0-Y7   sums, 2·head + part       Y8, Y9 values    Y10  weight           Y11     15 in each lane

// BYTES and NIBBLES make integers of the 16 columns of a value.
#define BYTES \
	VPMOVZXBD 0(SI), Y8 \
	VPMOVZXBD 8(SI), Y9

#define NIBBLES \
	VPMOVZXBD (SI), Y9      \
	VPAND     Y11, Y9, Y8   \
	VPSRLD    $4, Y9, Y9

#define KEYS(VALUE) \
	SUMS(LOAD2, loaded)         \
	XORL AX, AX                 \
key:                            \
	PREFETCHT0 PREFETCH_AHEAD(SI) \
	VALUE                       \
	VCVTDQ2PS Y8, Y8            \
	VCVTDQ2PS Y9, Y9            \
	WEIGH2(R8, Y0, Y1)          \
	WEIGH2(R9, Y2, Y3)          \
	WEIGH2(R10, Y4, Y5)         \
	WEIGH2(R11, Y6, Y7)         \
	ADDQ DX, SI                 \
	ADDQ $1, AX                 \
	CMPQ AX, CX                 \
	JLT  key                    \
	SUMS(STORE2, stored)        \
	VZEROUPPER                  \
	RET

// func valuesQ8Avx2(acc *float32, headDim int, w *float32, ldw, heads int, v *uint8, keys int)
TEXT ·valuesQ8Avx2(SB), NOSPLIT, $0-56
	MOVQ acc+0(FP), DI
	MOVQ headDim+8(FP), DX
	MOVQ w+16(FP), R8
	MOVQ ldw+24(FP), BX
	MOVQ heads+32(FP), R13
	MOVQ v+40(FP), SI
	MOVQ keys+48(FP), CX
	HEAD_POINTERS(R8, BX, R13)
	LEAQ (DX*4), BX
	KEYS(BYTES)

// func valuesQ4Avx2(acc *float32, headDim int, w *float32, ldw, heads int, v *uint8, keys int)
TEXT ·valuesQ4Avx2(SB), NOSPLIT, $0-56
	MOVQ acc+0(FP), DI
	MOVQ headDim+8(FP), DX
	MOVQ w+16(FP), R8
	MOVQ ldw+24(FP), BX
	MOVQ heads+32(FP), R13
	MOVQ v+40(FP), SI
	MOVQ keys+48(FP), CX
	HEAD_POINTERS(R8, BX, R13)
	LEAQ (DX*4), BX
	SHRQ $1, DX
	VPCMPEQD Y11, Y11, Y11
	VPSRLD   $28, Y11, Y11
	KEYS(NIBBLES)
