// System calls of Linux, for the programs that run under emulation.
#pragma once

#include <stdint.h>

enum { OPENAT = 56, CLOSE = 57, READ = 63, WRITE = 64, EXIT = 93, MUNMAP = 215, MMAP = 222 };

static inline int system_call(int number, int a, const void *b, uint32_t c, uint32_t d, int e, uint32_t f) {
	register int r0 __asm__("r0") = a;
	register const void *r1 __asm__("r1") = b;
	register uint32_t r2 __asm__("r2") = c;
	register uint32_t r3 __asm__("r3") = d;
	register int r4 __asm__("r4") = e;
	register uint32_t r5 __asm__("r5") = f;
	register int r6 __asm__("r6") = number;
	__asm__ volatile("trap0(#1)" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5), "r"(r6) : "memory");
	return r0;
}

static inline void leave(int status) {
	system_call(EXIT, status, 0, 0, 0, 0, 0);
	__builtin_trap();
}

// Moves all of p; reports false at the end of the input.
static inline int transfer(int number, int file, void *p, uint32_t size) {
	for (uint32_t done = 0; done < size;) {
		int n = system_call(number, file, (uint8_t *)p + done, size - done, 0, 0, 0);
		if (n < 0)
			leave(3);
		if (n == 0)
			return 0;
		done += n;
	}
	return 1;
}
