// Loops over vectors, 8 elements a turn, the last ones under a mask.
//
//	CX  elements left    Y15  mask of the last elements    AX  is changed

DATA tailMask<>+0(SB)/8, $-1
DATA tailMask<>+8(SB)/8, $-1
DATA tailMask<>+16(SB)/8, $-1
DATA tailMask<>+24(SB)/8, $-1
DATA tailMask<>+32(SB)/8, $0
DATA tailMask<>+40(SB)/8, $0
DATA tailMask<>+48(SB)/8, $0
DATA tailMask<>+56(SB)/8, $0
GLOBL tailMask<>(SB), RODATA|NOPTR, $64

#define LOAD(at, y) VMOVUPS at, y
#define LOAD_TAIL(at, y) VMASKMOVPS at, Y15, y
#define STORE(y, at) VMOVUPS y, at
#define STORE_TAIL(y, at) VMASKMOVPS y, Y15, at

// TAIL_MASK sets Y15 to the first CX lanes, CX < 8.
#define TAIL_MASK \
	LEAQ    tailMask<>+32(SB), AX \
	SHLQ    $2, CX                \
	SUBQ    CX, AX                \
	VMOVUPS (AX), Y15

// LOOP runs BODY(LOAD, STORE), which steps over 8 elements, as often as there are 8, and BODY(LOAD_TAIL, STORE_TAIL) for
// what is left.
#define LOOP(BODY) \
loop:                          \
	SUBQ $8, CX                \
	JLT  tail                  \
	BODY(LOAD, STORE)          \
	JMP  loop                  \
tail:                          \
	ADDQ $8, CX                \
	JZ   done                  \
	TAIL_MASK                  \
	BODY(LOAD_TAIL, STORE_TAIL) \
done:
