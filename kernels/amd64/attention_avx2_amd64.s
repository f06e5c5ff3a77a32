//go:build !purego

#include "textflag.h"
#include "attention_avx2_amd64.h"

// Scores take 4 heads with 2 keys a turn. Where there are fewer, the last head or key is taken again in place of those
// missing, and what comes of it is not stored. The sum over columns is 8 chains, one per lane, added up as a tree, the same
// for every head and key.
//
//	DI      scores of the first head    R12  bytes from head to head of scores    BX  heads
//	R8-R11  q of the heads              AX   column                               R14 columns
//	SI, R13 the keys                    DX   bytes from key to key                CX  keys left
//	Y0-Y7   sums, 2·head + key          Y8, Y9 keys, Y10 q                        X15 scale

#define ZERO4(a, b, c, d) \
	VXORPS a, a, a \
	VXORPS b, b, b \
	VXORPS c, c, c \
	VXORPS d, d, d

#define KEY_F16(base, y) \
	PREFETCHT0 PREFETCH_AHEAD(base)(AX*2) \
	VCVTPH2PS  (base)(AX*2), y

#define KEY_F32(base, y) \
	PREFETCHT0 PREFETCH_AHEAD(base)(AX*4) \
	VMOVUPS    (base)(AX*4), y

#define HEAD(base, s0, s1) \
	VMOVUPS     (base)(AX*4), Y10 \
	VFMADD231PS Y8, Y10, s0       \
	VFMADD231PS Y9, Y10, s1

// SUM adds up two heads' lanes: x = head and key 0 0, 0 1, 1 0, 1 1.
#define SUM(a, b, c, d, x) \
	VHADDPS      b, a, a   \
	VHADDPS      d, c, c   \
	VHADDPS      c, a, a   \
	VEXTRACTF128 $1, a, X10 \
	VADDPS       X10, x, x \
	VMULPS       X15, x, x

#define SCORES(KEY) \
keys2:                       \
	LEAQ (SI)(DX*1), R13     \
	CLAMP($2, CX, SI, R13)   \
	ZERO4(Y0, Y1, Y2, Y3)    \
	ZERO4(Y4, Y5, Y6, Y7)    \
	XORL AX, AX              \
	CMPQ AX, R14             \
	JGE  summed              \
columns8:                    \
	KEY(SI, Y8)              \
	KEY(R13, Y9)             \
	HEAD(R8, Y0, Y1)         \
	HEAD(R9, Y2, Y3)         \
	HEAD(R10, Y4, Y5)        \
	HEAD(R11, Y6, Y7)        \
	ADDQ $8, AX              \
	CMPQ AX, R14             \
	JLT  columns8            \
summed:                      \
	SUM(Y0, Y1, Y2, Y3, X0)  \
	SUM(Y4, Y5, Y6, Y7, X4)  \
	LEAQ (DI)(R12*2), R13    \
	CMPQ CX, $2              \
	JLT  last                \
	VMOVLPS X0, (DI)         \
	CMPQ BX, $2              \
	JLT  stored              \
	VMOVHPS X0, (DI)(R12*1)  \
	CMPQ BX, $3              \
	JLT  stored              \
	VMOVLPS X4, (R13)        \
	CMPQ BX, $4              \
	JLT  stored              \
	VMOVHPS X4, (R13)(R12*1) \
stored:                      \
	ADDQ $8, DI              \
	LEAQ (SI)(DX*2), SI      \
	SUBQ $2, CX              \
	JG   keys2               \
	JMP  done                \
last:                        \
	VMOVSS X0, (DI)          \
	CMPQ BX, $2              \
	JLT  done                \
	VEXTRACTPS $2, X0, (DI)(R12*1) \
	CMPQ BX, $3              \
	JLT  done                \
	VMOVSS X4, (R13)         \
	CMPQ BX, $4              \
	JLT  done                \
	VEXTRACTPS $2, X4, (R13)(R12*1) \
done:                        \
	VZEROUPPER

// func scoresF16Avx2(s *float32, lds int, q *float32, heads, headDim int, k *uint16, keys int, scale float32)
TEXT ·scoresF16Avx2(SB), NOSPLIT, $0-60
	MOVQ s+0(FP), DI
	MOVQ lds+8(FP), R12
	SHLQ $2, R12
	MOVQ q+16(FP), R8
	MOVQ heads+24(FP), BX
	MOVQ headDim+32(FP), DX
	MOVQ k+40(FP), SI
	MOVQ keys+48(FP), CX
	VBROADCASTSS scale+56(FP), X15
	HEAD_POINTERS(R8, DX, BX)
	MOVQ DX, R14
	ANDQ $~7, R14
	SHLQ $1, DX
	SCORES(KEY_F16)
	RET

// func scoresF32Avx2(s *float32, lds int, q *float32, heads, headDim int, k *float32, keys int, scale float32)
TEXT ·scoresF32Avx2(SB), NOSPLIT, $0-60
	MOVQ s+0(FP), DI
	MOVQ lds+8(FP), R12
	SHLQ $2, R12
	MOVQ q+16(FP), R8
	MOVQ heads+24(FP), BX
	MOVQ headDim+32(FP), DX
	MOVQ k+40(FP), SI
	MOVQ keys+48(FP), CX
	VBROADCASTSS scale+56(FP), X15
	HEAD_POINTERS(R8, DX, BX)
	MOVQ DX, R14
	ANDQ $~7, R14
	SHLQ $2, DX
	SCORES(KEY_F32)
	RET

// Values take 16 columns of 4 heads, whose sums stay in registers, through all keys; then 8 columns if so many are left.
//
//	DI      sums of the first head    BX  bytes from head to head of sums    R8-R11  weights of the heads
//	SI      values                    DX  bytes from key to key              R14     value of a key
//	AX      key                       CX  keys                               R12     columns left    R13  heads
//	Y0-Y7   sums, 2·head + part       Y8, Y9 values    Y10  weight

#define VALUE_F16(part, y) \
	PREFETCHT0 (PREFETCH_AHEAD+16*part)(R14) \
	VCVTPH2PS  (16*part)(R14), y

#define VALUE_F32(part, y) \
	PREFETCHT0 (PREFETCH_AHEAD+32*part)(R14) \
	VMOVUPS    (32*part)(R14), y

#define WEIGH1(base, s0) \
	VBROADCASTSS (base)(AX*4), Y10 \
	VFMADD231PS  Y8, Y10, s0

#define LOAD1(at, s0, s1) \
	VMOVUPS 0(at), s0

#define STORE1(at, s0, s1) \
	VMOVUPS s0, 0(at)

#define VALUES(VALUE, elemShift) \
	SUBQ $16, R12               \
	JLT  columns8               \
columns16:                      \
	SUMS(LOAD2, loaded2)        \
	XORL AX, AX                 \
	MOVQ SI, R14                \
key16:                          \
	VALUE(0, Y8)                \
	VALUE(1, Y9)                \
	WEIGH2(R8, Y0, Y1)          \
	WEIGH2(R9, Y2, Y3)          \
	WEIGH2(R10, Y4, Y5)         \
	WEIGH2(R11, Y6, Y7)         \
	ADDQ DX, R14                \
	ADDQ $1, AX                 \
	CMPQ AX, CX                 \
	JLT  key16                  \
	SUMS(STORE2, stored2)       \
	ADDQ $64, DI                \
	ADDQ $(16<<elemShift), SI   \
	SUBQ $16, R12               \
	JGE  columns16              \
columns8:                       \
	TESTQ $8, R12               \
	JZ   done                   \
	SUMS(LOAD1, loaded1)        \
	XORL AX, AX                 \
	MOVQ SI, R14                \
key8:                           \
	VALUE(0, Y8)                \
	WEIGH1(R8, Y0)              \
	WEIGH1(R9, Y2)              \
	WEIGH1(R10, Y4)             \
	WEIGH1(R11, Y6)             \
	ADDQ DX, R14                \
	ADDQ $1, AX                 \
	CMPQ AX, CX                 \
	JLT  key8                   \
	SUMS(STORE1, stored1)       \
done:                           \
	VZEROUPPER

// func valuesF16Avx2(acc, p *float32, ldp, heads, headDim int, v *uint16, keys int)
TEXT ·valuesF16Avx2(SB), NOSPLIT, $0-56
	MOVQ acc+0(FP), DI
	MOVQ p+8(FP), R8
	MOVQ ldp+16(FP), BX
	MOVQ heads+24(FP), R13
	MOVQ headDim+32(FP), R12
	MOVQ v+40(FP), SI
	MOVQ keys+48(FP), CX
	HEAD_POINTERS(R8, BX, R13)
	LEAQ (R12*4), BX
	LEAQ (R12*2), DX
	VALUES(VALUE_F16, 1)
	RET

// func valuesF32Avx2(acc, p *float32, ldp, heads, headDim int, v *float32, keys int)
TEXT ·valuesF32Avx2(SB), NOSPLIT, $0-56
	MOVQ acc+0(FP), DI
	MOVQ p+8(FP), R8
	MOVQ ldp+16(FP), BX
	MOVQ heads+24(FP), R13
	MOVQ headDim+32(FP), R12
	MOVQ v+40(FP), SI
	MOVQ keys+48(FP), CX
	HEAD_POINTERS(R8, BX, R13)
	LEAQ (R12*4), BX
	LEAQ (R12*4), DX
	VALUES(VALUE_F32, 2)
	RET
