// The program with which the tests run the kernels under emulation: it takes requests on its standard input and answers on its standard
// output until the input ends. A request is a header and an arena of bytes; arguments that are pointers are offsets in the
// arena. The answer is the arena after the call, so that the host also sees what a kernel must not have touched.
#include "kernels.h"

struct header {
	uint32_t kernel;
	uint32_t args[7];
	uint32_t size; // of the arena
};

static uint8_t arena[16 << 20] __attribute__((aligned(128)));

// System calls of Linux.
enum { READ = 63, WRITE = 64, EXIT = 93 };

static int system_call(int number, int a, void *b, uint32_t c) {
	register int r0 __asm__("r0") = a;
	register void *r1 __asm__("r1") = b;
	register uint32_t r2 __asm__("r2") = c;
	register int r6 __asm__("r6") = number;
	__asm__ volatile("trap0(#1)" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r6) : "memory");
	return r0;
}

static void leave(int status) {
	system_call(EXIT, status, 0, 0);
	__builtin_trap();
}

// Moves all of p; reports false at the end of the input.
static int transfer(int number, int file, void *p, uint32_t size) {
	for (uint32_t done = 0; done < size;) {
		int n = system_call(number, file, (uint8_t *)p + done, size - done);
		if (n < 0)
			leave(3);
		if (n == 0)
			return 0;
		done += n;
	}
	return 1;
}

static float *floats(uint32_t offset) { return (float *)(arena + offset); }

static void call(const struct header *h) {
	const uint32_t *a = h->args;
	switch (h->kernel) {
	case 0:
		lever_matmul_q4_0(floats(a[0]), a[1], arena + a[2], a[3], arena + a[4], a[5], a[6]);
		break;
	case 1:
		lever_matmul_q8_0(floats(a[0]), a[1], arena + a[2], a[3], arena + a[4], a[5], a[6]);
		break;
	case 2:
		lever_quantize(arena + a[0], floats(a[1]), a[2]);
		break;
	default:
		leave(2);
	}
}

void _start(void) {
	struct header h;
	while (transfer(READ, 0, &h, sizeof h)) {
		if (h.size > sizeof arena || !transfer(READ, 0, arena, h.size))
			leave(4);
		call(&h);
		transfer(WRITE, 1, arena, h.size);
	}
	leave(0);
}
