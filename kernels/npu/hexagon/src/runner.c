// The program with which the tests run the kernels under emulation: it takes requests on its standard input and answers on its standard
// output until the input ends. A request is a header and an arena of bytes; arguments that are pointers are offsets in the
// arena. The answer is the arena after the call, so that the host also sees what a kernel must not have touched.
#include "kernels.h"
#include "system.h"

struct header {
	uint32_t kernel;
	uint32_t args[7];
	uint32_t size; // of the arena
};

static uint8_t arena[16 << 20] __attribute__((aligned(128)));

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
