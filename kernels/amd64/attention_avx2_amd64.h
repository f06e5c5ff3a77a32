// What attention over caches of all types shares.

// CLAMP(n, count, at, pointer) sets pointer to at if there are fewer than n.
#define CLAMP(n, count, at, pointer) \
	CMPQ    count, n \
	CMOVQLT at, pointer

#define HEAD_POINTERS(first, step, count) \
	LEAQ (first)(step*4), R9     \
	LEAQ (first)(step*8), R10    \
	LEAQ (R9)(step*8), R11       \
	CLAMP($2, count, first, R9)  \
	CLAMP($3, count, R9, R10)    \
	CLAMP($4, count, R10, R11)

// The cache is longer than the caches: ask for keys and values this many bytes before their use.
#define PREFETCH_AHEAD 4096

// Values add up in Y0-Y7, 2·head + part of 16 columns, for up to 4 heads: R13 of them, whose sums begin at DI, BX bytes from head to head. R14 is
// free. The values of key AX are in Y8 and Y9; Y10 is its weight.

#define WEIGH2(base, s0, s1) \
	VBROADCASTSS (base)(AX*4), Y10 \
	VFMADD231PS  Y8, Y10, s0       \
	VFMADD231PS  Y9, Y10, s1

#define LOAD2(at, s0, s1) \
	VMOVUPS 0(at), s0  \
	VMOVUPS 32(at), s1

#define STORE2(at, s0, s1) \
	VMOVUPS s0, 0(at)  \
	VMOVUPS s1, 32(at)

// SUMS runs PART for every head there is.
#define SUMS(PART, done) \
	PART(DI, Y0, Y1)        \
	CMPQ R13, $2            \
	JLT  done               \
	LEAQ (DI)(BX*1), R14    \
	PART(R14, Y2, Y3)       \
	CMPQ R13, $3            \
	JLT  done               \
	ADDQ BX, R14            \
	PART(R14, Y4, Y5)       \
	CMPQ R13, $4            \
	JLT  done               \
	ADDQ BX, R14            \
	PART(R14, Y6, Y7)       \
done:
