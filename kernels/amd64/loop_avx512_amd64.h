// Loops over vectors, 16 elements a turn, the last ones under a mask. Only they: masked loads and stores keep Zen 5 from
// reading memory ahead, which costs half of its speed or more.
//
//	CX  elements left    K1  mask of the last elements    AX, DX are changed by LANES

// LANES sets K1 to the lanes that hold elements when CX elements are left: the first min(CX, 16).
#define LANES \
	MOVL    $16, AX    \
	CMPQ    CX, AX     \
	CMOVQLT CX, AX     \
	MOVL    $-1, DX    \
	BZHIL   AX, DX, DX \
	KMOVW   DX, K1

#define LOAD(at, z) VMOVUPS at, z
#define LOAD_TAIL(at, z) VMOVUPS.Z at, K1, z
#define STORE(z, at) VMOVUPS z, at
#define STORE_TAIL(z, at) VMOVUPS z, K1, at

// LOOP runs BODY(LD, ST), which steps over 16 elements, as often as there are 16, and BODY(LD_TAIL, ST_TAIL) for what is left.
#define LOOP(BODY, LD, ST, LD_TAIL, ST_TAIL) \
loop:                         \
	SUBQ $16, CX              \
	JLT  tail                 \
	BODY(LD, ST)              \
	JMP  loop                 \
tail:                         \
	ADDQ $16, CX              \
	JZ   done                 \
	LANES                     \
	BODY(LD_TAIL, ST_TAIL)    \
done:

#define LOOP_F32(BODY) LOOP(BODY, LOAD, STORE, LOAD_TAIL, STORE_TAIL)
