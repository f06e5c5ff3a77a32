#include "textflag.h"
#include "enc_arm64.h"
#include "enc_sme2_arm64.h"

// Products of Q4_K and Q6_K weights with activations in outerWideForm, by outer products of 16-bit numbers: weights times their
// scales in integers with activations. The integers and the operations on floats are those of matmul_q4k_arm64.s and
// matmul_q6k_arm64.s.
//
// A vector has L = 4, 8 or 16 lanes; a unit of L rows of weights is multiplied with L rows of activations at a time. Rows of a
// tile of ZA are rows of weights, columns are rows of activations:
//
//	ZA0  integer sums of a chunk of 64 columns; then the scales d of the weights
//	ZA1  sums of the block, for ZA2 those of the minima
//	ZA3  sums of the rows
//
//	R1  bytes from row to row of dst    R3  rows of weights    R7  L    R8, R9 0, 8: rows of ZA    R10 bytes of a tile
//	R11 first row of the unit           R12 activations of the chunk, then column of a tile    R13 quants of the block
//	R14-R16 32, 64, 96                  R17 scales of the chunk's activations    R19 dst    R20 offset of quants
//	R21 blocks left                     R22 group of activations    R23 rows left    R24 first row of activations in the group
//	R25 block, one byte a row on        R2 block, two bytes a row on    R0, R6 further quants    R26 temporary
//	Z0 d of the activations    Z1-Z3 temporary    Z4-Z6, Z12, Z13 scales    Z8-Z11 activations    Z16-Z23 of ZA
//	Z24 ones    Z25-Z31 constants

// CONSTANT makes all lanes value.
#define CONSTANT(value, d) \
	MOVD $value, R26 \
	DUPZ(26, d)

// ADDCHUNK adds the integers in ZA0, times d, to tile t.
#define ADDCHUNK(t, end) \
	READZA4(0, 0, 16) \
	SCVTFZ4(16, 16) \
	FMLAZA4X(0, t, 0, 16) \
	TBNZ $2, R7, end \
	READZA4(0, 4, 16) \
	SCVTFZ4(16, 16) \
	FMLAZA4X(0, t+4, 0, 16) \
	TBNZ $3, R7, end \
	READZA4(1, 0, 16) \
	SCVTFZ4(16, 16) \
	FMLAZA4X(1, t, 0, 16) \
	READZA4(1, 4, 16) \
	SCVTFZ4(16, 16) \
	FMLAZA4X(1, t+4, 0, 16) \
end:

// ADDBLOCK adds tile t, times the float16 of rows at R26, to ZA3; OP is FMLAZA4, or FMLSZA4 to subtract.
#define ADDBLOCK(t, OP, end) \
	LD1HWAT(26, 1) \
	FCVTZ(1, 1) \
	ZEROZA(0x11) \
	FMOPA(24, 1, 0) \
	ADDBLOCK4(0, 0, t, OP) \
	TBNZ $2, R7, end \
	ADDBLOCK4(0, 4, t, OP) \
	TBNZ $3, R7, end \
	ADDBLOCK4(1, 0, t, OP) \
	ADDBLOCK4(1, 4, t, OP) \
end:

#define ADDBLOCK4(w, off, t, OP) \
	READZA4(w, off, 16) \
	READZA4(w, off+t, 20) \
	OP(w, off+3, 16, 20)

// ACTIVATIONS loads columns 4i, 4i+2 of the chunk, 32+4i, 34+4i, 4i+1, 4i+3, and 33+4i, 35+4i.
#define ACTIVATIONS \
	LD1SBHAT(12, 8) \
	LD1SBH(14, 12, 9) \
	LD1SBH(15, 12, 10) \
	LD1SBH(16, 12, 11) \
	ADD $128, R12

// BYTES loads bytes i of 16 in each row, 16 rows apart, from at on, to 32-bit lanes.
#define BYTES(at, i, d) \
	ADD $(at+16*(i)), R25, R26 \
	LD1BSAT(26, d)

// TWICE copies the lower half of lanes to the upper one, Z1 is temporary.
#define TWICE(d) \
	LSLZ(16, d, 1) \
	ORRZ(1, d, d)

// LOWSCALES and HIGHSCALES make the scales of sub-blocks 2c and 2c+1, to Z4 and Z5, and their minima, to Z6 and Z3.
#define LOWSCALES(c) \
	BYTES(64, 2*c, 4) \
	BYTES(64, 2*c+1, 5) \
	BYTES(64, 2*c+4, 6) \
	BYTES(64, 2*c+5, 3) \
	ANDZ(28, 4, 4) \
	ANDZ(28, 5, 5) \
	ANDZ(28, 6, 6) \
	ANDZ(28, 3, 3)

#define HIGHSCALES(c) \
	BYTES(64, 2*c-4, 4) \
	BYTES(64, 2*c-3, 5) \
	BYTES(64, 2*c, 1) \
	BYTES(64, 2*c+1, 2) \
	BYTES(64, 2*c+4, 6) \
	BYTES(64, 2*c+5, 3) \
	ANDZ(30, 6, 12) \
	ANDZ(30, 3, 13) \
	LSRZ(2, 4, 4) \
	LSRZ(2, 5, 5) \
	LSRZ(2, 1, 1) \
	LSRZ(2, 2, 2) \
	LSRZ(4, 6, 6) \
	LSRZ(4, 3, 3) \
	ANDZ(29, 4, 4) \
	ANDZ(29, 5, 5) \
	ANDZ(29, 1, 1) \
	ANDZ(29, 2, 2) \
	ORRZ(12, 4, 4) \
	ORRZ(13, 5, 5) \
	ORRZ(1, 6, 6) \
	ORRZ(2, 3, 3)

// CHUNKQ4K adds chunk c to the sums of the block: the minima, one product of pairs, and the products of 4 columns of the low
// nibbles, and the 4 of the high ones, a turn.
#define CHUNKQ4K(SCALES, c, loop, end1, end2) \
	SCALES(c) \
	LSLZ(16, 3, 3) \
	ORRZ(3, 6, 6) \
	TWICE(4) \
	TWICE(5) \
	LD1WAT(17, 0) \
	MOVD $16, R20 \
	LD1W(20, 17, 2) \
	ADD  $1152, R17 \
	ZEROZA(0x11) \
	SMOPAH(2, 6, 0) \
	ADDCHUNK(2, end1) \
	ZEROZA(0x11) \
	MOVD $(512*c), R20 \
loop: \
	LD1B(20, 13, 1) \
	ACTIVATIONS \
	LSRZ(4, 1, 2) \
	LSRZ(8, 1, 3) \
	LSRZ(12, 1, 12) \
	ANDZ(31, 1, 1) \
	ANDZ(31, 2, 2) \
	ANDZ(31, 3, 3) \
	ANDZ(31, 12, 12) \
	MULZH(4, 1, 1) \
	MULZH(5, 2, 2) \
	MULZH(4, 3, 3) \
	MULZH(5, 12, 12) \
	SMOPAH(8, 1, 0) \
	SMOPAH(9, 2, 0) \
	SMOPAH(10, 3, 0) \
	SMOPAH(11, 12, 0) \
	ADD  $64, R20 \
	CMP  $(512*c+512), R20 \
	BLT  loop \
	ADD  $128, R12 \
	ADDCHUNK(1, end2)

#define BLOCKQ4K \
	ADD  $256, R13 \
	CHUNKQ4K(LOWSCALES, 0, loop0, end00, end01) \
	CHUNKQ4K(LOWSCALES, 1, loop1, end10, end11) \
	CHUNKQ4K(HIGHSCALES, 2, loop2, end20, end21) \
	CHUNKQ4K(HIGHSCALES, 3, loop3, end30, end31) \
	MOVD R2, R26 \
	ADDBLOCK(1, FMLAZA4, end40) \
	ADD  $32, R2, R26 \
	ADDBLOCK(2, FMLSZA4, end41) \
	ADD  $(2304-256), R13 \
	ADD  $2304, R2 \
	ADD  $2304, R25

// SCALEQ6K makes pairs of the scale of run i.
#define SCALEQ6K(i, d) \
	ADD $(32+16*(i)), R25, R26 \
	LD1SBSAT(26, d) \
	LSLZ(16, d, d) \
	LSRZ(16, d, 1) \
	ORRZ(1, d, d)

#define LSRZ2(n, d)  LSRZ(2, n, d)
#define LSRZ4(n, d)  LSRZ(4, n, d)
#define LSRZ6(n, d)  LSRZ(6, n, d)
#define LSRZ8(n, d)  LSRZ(8, n, d)
#define LSRZ10(n, d) LSRZ(10, n, d)
#define LSRZ12(n, d) LSRZ(12, n, d)
#define LSLZ2(n, d)  LSLZ(2, n, d)
#define LSLZ4(n, d)  LSLZ(4, n, d)
#define LSRZ0(n, d)  ORRZ(n, n, d)

// PAIRQ6K multiplies two columns: nibbles of Z(w) that LOW shifts, two bits of Z3 that HIGH shifts.
#define PAIRQ6K(w, LOW, HIGH, scale, act) \
	LOW(w, 1) \
	HIGH(3, 2) \
	ANDZ(31, 1, 1) \
	ANDZ(29, 2, 2) \
	ORRZ(2, 1, 1) \
	SUBZH(27, 1, 1) \
	MULZH(scale, 1, 1) \
	SMOPAH(act, 1, 0)

// RUNSQ6K adds 16 columns of two quarters of half a block, whose quants' offset ends at last: of the quarters 0, 1, with the shifts
// of chunk 0, or 2, 3.
#define RUNSQ6K(SHIFTS, run, last, loop) \
	SCALEQ6K(run, 4) \
	SCALEQ6K(run+2, 5) \
loop: \
	LD1B(20, 13, 12) \
	LD1B(20, 0, 13) \
	LD1B(20, 6, 3) \
	ACTIVATIONS \
	SHIFTS \
	ADD $64, R20 \
	CMP $last, R20 \
	BLT loop

#define SHIFTS0 \
	PAIRQ6K(12, LSRZ0, LSLZ4, 4, 8) \
	PAIRQ6K(13, LSRZ0, LSLZ2, 5, 9) \
	PAIRQ6K(12, LSRZ8, LSRZ4, 4, 10) \
	PAIRQ6K(13, LSRZ8, LSRZ6, 5, 11)

#define SHIFTS1 \
	PAIRQ6K(12, LSRZ4, LSRZ0, 4, 8) \
	PAIRQ6K(13, LSRZ4, LSRZ2, 5, 9) \
	PAIRQ6K(12, LSRZ12, LSRZ8, 4, 10) \
	PAIRQ6K(13, LSRZ12, LSRZ10, 5, 11)

// CHUNKQ6K adds the chunk whose first run of 16 columns is run to the sums of the block.
#define CHUNKQ6K(SHIFTS, run, loop1, loop2, end) \
	MOVD $0, R20 \
	ZEROZA(0x11) \
	RUNSQ6K(SHIFTS, run, 256, loop1) \
	RUNSQ6K(SHIFTS, run+1, 512, loop2) \
	LD1WAT(17, 0) \
	ADD  $1152, R17 \
	ADD  $128, R12 \
	ADDCHUNK(1, end)

#define BLOCKQ6K \
	ADD  $288, R13 \
	ADD  $512, R13, R0 \
	ADD  $2048, R13, R6 \
	CHUNKQ6K(SHIFTS0, 0, loop00, loop01, end0) \
	CHUNKQ6K(SHIFTS1, 4, loop10, loop11, end1) \
	ADD  $1024, R13 \
	ADD  $1024, R0 \
	ADD  $512, R6 \
	CHUNKQ6K(SHIFTS0, 8, loop20, loop21, end2) \
	CHUNKQ6K(SHIFTS1, 12, loop30, loop31, end3) \
	MOVD R2, R26 \
	ADDBLOCK(1, FMLAZA4, end4) \
	ADD  $(3360-288-1024), R13 \
	ADD  $3360, R2 \
	ADD  $3360, R25

// GEMM is the body for blocks of weights of some bytes.
#define GEMM(bytes, BLOCK) \
	MOVD ldd+8(FP), R1 \
	MOVD tiles+24(FP), R3 \
	MOVD blocks+40(FP), R21 \
	SMSTART \
	RDSVL(7) \
	PTRUEB(0) \
	CONSTANT(0x3f800000, 24) \
	CONSTANT(0x00200020, 27) \
	CONSTANT(0x3f, 28) \
	CONSTANT(0x00300030, 29) \
	CONSTANT(0x0f, 30) \
	CONSTANT(0x000f000f, 31) \
	LSR  $2, R7 \
	LSL  $2, R1 \
	LSL  $4, R3 \
	MOVD $0, R8 \
	MOVD $8, R9 \
	MOVD $bytes, R10 \
	MUL  R21, R10 \
	MOVD $32, R14 \
	MOVD $64, R15 \
	MOVD $96, R16 \
	MOVD $0, R11 \
unit_loop: \
	MOVD dst+0(FP), R19 \
	ADD  R11<<2, R19 \
	MOVD w+16(FP), R26 \
	LSR  $4, R11, R12 \
	MADD R10, R26, R12, R26 \
	AND  $15, R11, R12 \
	ADD  R12, R26, R25 \
	ADD  R12<<1, R26, R2 \
	ADD  R12<<2, R26, R13 \
	MOVD q+32(FP), R22 \
	MOVD rows+48(FP), R23 \
group_loop: \
	MOVD $0, R24 \
rows_loop: \
	ADD  R24<<2, R22, R17 \
	ADD  R24<<1, R22, R12 \
	ADD  $128, R12 \
	MOVD blocks+40(FP), R21 \
	ZEROZA(0x88) \
block_loop: \
	ZEROZA(0x66) \
	BLOCK \
	SUBS $1, R21 \
	BNE  block_loop \
	SUB  R10, R13 \
	SUB  R10, R2 \
	SUB  R10, R25 \
	MOVD $0, R12 \
store_loop: \
	ST1WV(3, 0, 19) \
	ADD  R1, R19 \
	ADD  $1, R12 \
	SUBS $1, R23 \
	BEQ  unit_end \
	CMP  R7, R12 \
	BLT  store_loop \
	ADD  R7, R24 \
	CMP  $16, R24 \
	BLT  rows_loop \
	MOVD blocks+40(FP), R21 \
	MOVD $9216, R26 \
	MADD R21, R22, R26, R22 \
	B    group_loop \
unit_end: \
	ADD  R7, R11 \
	CMP  R3, R11 \
	BLT  unit_loop \
	SMSTOP \
	RET

// func gemmQ4KSME2(dst *float32, ldd int, w *byte, tiles int, q *byte, blocks, rows int)
TEXT ·gemmQ4KSME2(SB), NOSPLIT, $0-56
	GEMM(2304, BLOCKQ4K)

// func gemmQ6KSME2(dst *float32, ldd int, w *byte, tiles int, q *byte, blocks, rows int)
TEXT ·gemmQ6KSME2(SB), NOSPLIT, $0-56
	GEMM(3360, BLOCKQ6K)
