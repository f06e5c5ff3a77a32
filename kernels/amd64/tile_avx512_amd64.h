// The frame of the AVX-512 tile kernels: one tile of 16 matrix rows times 1 to 16 rows of activations, block by block of
// columns, with one accumulator register per row of activations over all of k. Rows are taken as 1 to 4 first and then 4 at
// a time, by the macros ROWS1(acc) … ROWS4(acc, acc, acc, acc) of the including file, each of which steps over its rows.
// Labels are those of the macros' only use in a function.
//
//	DI  dst, one row                    R8  rows that come first, 1..4
//	BX  bytes from row to row of dst    R9  groups of 4 that follow, 0..3
//	SI  weights                         CX  blocks left
//	Z0-Z3   accumulators of the first rows
//	Z4-Z15  accumulators of the groups of 4

// PREFETCH_AHEAD is how far before their use weights are asked for, in bytes.
#define PREFETCH_AHEAD 8192

// BLOCK multiplies the weights of one block, in registers, with all rows.
#define BLOCK \
	CMPQ R8, $2                 \
	JEQ  first2                 \
	JLT  first1                 \
	CMPQ R8, $3                 \
	JEQ  first3                 \
	ROWS4(Z0, Z1, Z2, Z3)       \
	JMP  groups                 \
first3:                         \
	ROWS3(Z0, Z1, Z2)           \
	JMP  groups                 \
first2:                         \
	ROWS2(Z0, Z1)               \
	JMP  groups                 \
first1:                         \
	ROWS1(Z0)                   \
groups:                         \
	CMPQ R9, $1                 \
	JLT  block_done             \
	ROWS4(Z4, Z5, Z6, Z7)       \
	CMPQ R9, $2                 \
	JLT  block_done             \
	ROWS4(Z8, Z9, Z10, Z11)     \
	CMPQ R9, $3                 \
	JLT  block_done             \
	ROWS4(Z12, Z13, Z14, Z15)   \
block_done:

#define ZERO4(a0, a1, a2, a3) \
	VPXORD a0, a0, a0 \
	VPXORD a1, a1, a1 \
	VPXORD a2, a2, a2 \
	VPXORD a3, a3, a3

#define ZERO \
	ZERO4(Z0, Z1, Z2, Z3)       \
	ZERO4(Z4, Z5, Z6, Z7)       \
	ZERO4(Z8, Z9, Z10, Z11)     \
	ZERO4(Z12, Z13, Z14, Z15)

#define STORE(acc) \
	VMOVUPS acc, (DI) \
	ADDQ    BX, DI

#define STORE4(a0, a1, a2, a3) \
	STORE(a0) \
	STORE(a1) \
	STORE(a2) \
	STORE(a3)

// STORE_ALL writes the accumulators of all rows.
#define STORE_ALL \
	STORE(Z0)                   \
	CMPQ R8, $2                 \
	JLT  store_groups           \
	STORE(Z1)                   \
	CMPQ R8, $3                 \
	JLT  store_groups           \
	STORE(Z2)                   \
	CMPQ R8, $4                 \
	JLT  store_groups           \
	STORE(Z3)                   \
store_groups:                   \
	CMPQ R9, $1                 \
	JLT  store_done             \
	STORE4(Z4, Z5, Z6, Z7)      \
	CMPQ R9, $2                 \
	JLT  store_done             \
	STORE4(Z8, Z9, Z10, Z11)    \
	CMPQ R9, $3                 \
	JLT  store_done             \
	STORE4(Z12, Z13, Z14, Z15)  \
store_done:

// SPLIT_ROWS sets R8 and R9 from the number of rows in R9.
#define SPLIT_ROWS \
	SUBQ $1, R9 \
	MOVQ R9, R8 \
	ANDQ $3, R8 \
	ADDQ $1, R8 \
	SHRQ $2, R9
