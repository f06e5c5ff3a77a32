// What a session loads: the function that the host calls by FastRPC. The host writes messages, one for each product, to a queue in memory
// that both see, and calls for a range of them. Addresses in messages are the DSP's. There is no state between calls.
#include "kernels.h"

// An argument of a remote call, as the DSP's runtime passes it.
typedef struct {
	void *data;
	uint32_t size;
} argument;

// One product. It has cache lines of its own, which only the host writes.
struct message {
	uint32_t type, rows, columns, outputs; // of the product: y[rows][outputs] = x[rows][columns] · w[outputs][columns]
	uint32_t weights, activations;         // activations are 0 if their quantised form is there already
	uint32_t form, results;
	uint32_t unused[24];
};

struct call {
	uint32_t queue, messages; // address and length of the queue, a power of two
	uint32_t from, to;        // positions, which count on beyond the queue's length
	uint32_t part, parts;     // calls at the same time share the rows of weights; parts is a power of two
	uint32_t done;            // address of as many numbers for each part, which only the DSP writes: the position behind what is done
};

enum { Q4_0, Q8_0 };
enum { OPEN = 0, CLOSE = 1, RUN = 2 }; // methods; the runtime makes calls of the first two itself
enum { BAD_PARAMETER = 0x8000040e, UNSUPPORTED = 0x80000414 };

// The runtime's. Called like this, it writes all that is in the data caches back to memory, and forgets it.
enum { FLUSH_INVALIDATE_ALL = 4, DATA = 1 };
extern int qurt_mem_cache_clean(uint32_t address, uint32_t size, int operation, int cache);

// Computes one part's share. Each part quantises for itself: all write the same, and none waits for another.
static void product(const struct message *m, uint32_t part, uint32_t parts) {
	const uint32_t blocks = m->columns / 32, tile = blocks * (m->type == Q4_0 ? 288 : 544);
	const uint32_t tiles = m->outputs / 16, rest = part + 1 == parts ? m->outputs % 16 : 0;
	const uint32_t pairs = (tiles + 1) / 2, log = __builtin_ctz(parts);
	const uint32_t from = (pairs * part >> log) * 2, end = (pairs * (part + 1) >> log) * 2, to = end < tiles ? end : tiles;
	const uint8_t *w = (const uint8_t *)m->weights;
	uint8_t *form = (uint8_t *)m->form;
	float *y = (float *)m->results;
	void (*multiply)(float *, uint32_t, const uint8_t *, uint32_t, const uint8_t *, uint32_t, uint32_t) = m->type == Q4_0 ? lever_matmul_q4_0 : lever_matmul_q8_0;

	if (m->activations)
		lever_quantize(form, (const float *)m->activations, m->rows * blocks);
	multiply(y + 16 * from, m->outputs, w + from * tile, to - from, form, m->rows, m->columns);
	// The kernels write whole tiles: the last one, if it is none, is cut to what belongs to the row.
	for (uint32_t i = 0; rest > 0 && i < m->rows; i++) {
		float columns[16];
		multiply(columns, 16, w + tiles * tile, 1, form + i * blocks * 40, 1, m->columns);
		for (uint32_t r = 0; r < rest; r++)
			y[i * m->outputs + 16 * tiles + r] = columns[r];
	}
}

static int run(const struct call *c) {
	const uint32_t last = c->messages - 1;
	if (!c->queue || !c->done || (c->messages & last) || c->to - c->from > c->messages || c->part >= c->parts || (c->parts & (c->parts - 1)))
		return BAD_PARAMETER;
	qurt_mem_cache_clean(0, 0, FLUSH_INVALIDATE_ALL, DATA); // so that what the host has written is read
	for (uint32_t i = c->from; i != c->to; i++) {
		const struct message *m = (const struct message *)c->queue + (i & last);
		if (m->type > Q8_0 || m->columns % 32)
			return BAD_PARAMETER;
		product(m, c->part, c->parts);
		((uint32_t *)c->done)[c->part * c->messages + (i & last)] = i + 1;
	}
	qurt_mem_cache_clean(0, 0, FLUSH_INVALIDATE_ALL, DATA); // so that the host reads what was written
	return 0;
}

// Called by the runtime: scalars hold the method and the numbers of arguments, those that come in first.
__attribute__((visibility("default"))) int lever_entry(uint64_t handle, uint32_t scalars, argument *arguments) {
	(void)handle;
	switch (scalars >> 24 & 31) {
	case OPEN:
	case CLOSE:
		return 0;
	case RUN:
		if ((scalars >> 16 & 255) != 1 || arguments[0].size != sizeof(struct call))
			return BAD_PARAMETER;
		return run(arguments[0].data);
	}
	return UNSUPPORTED;
}
