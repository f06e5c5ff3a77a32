// What attention over caches of all types shares.

// QUERIES1, QUERIES2 and QUERIES4 run OP for the four registers of each head.
#define QUERIES1(OP) OP(16, 17, 18, 19)
#define QUERIES2(OP) QUERIES1(OP) \
	OP(20, 21, 22, 23)
#define QUERIES4(OP) QUERIES2(OP) \
	OP(24, 25, 26, 27) \
	OP(28, 29, 30, 31)

// WEIGH adds a value times the next head's weight, at R12, to V(a), V(b), V(c), V(d).
#define WEIGH(a, b, c, d) \
	FMOVS (R12), F4 \
	ADD   R8, R12 \
	FMLAE(4, 0, 0, a) \
	FMLAE(4, 0, 1, b) \
	FMLAE(4, 0, 2, c) \
	FMLAE(4, 0, 3, d)

#define LDQ4(a, b, c, d) \
	LDQ(12, 0, a) \
	LDQ(12, 1, b) \
	LDQ(12, 2, c) \
	LDQ(12, 3, d) \
	ADD R10, R12

#define STQ4(a, b, c, d) \
	STQAT(12, 0, a) \
	STQAT(12, 1, b) \
	STQAT(12, 2, c) \
	STQAT(12, 3, d) \
	ADD R10, R12
