// LANES sets K1 to the lanes that hold elements when CX elements are left: the first min(CX, 16). It changes AX and DX.
// Loops that begin with it need no other code for the last elements.
#define LANES \
	MOVL    $16, AX    \
	CMPQ    CX, AX     \
	CMOVQLT CX, AX     \
	MOVL    $-1, DX    \
	BZHIL   AX, DX, DX \
	KMOVW   DX, K1
