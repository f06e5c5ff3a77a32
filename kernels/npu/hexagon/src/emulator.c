// The program that stands for the DSP in tests of the driver: it loads the module as the DSP's runtime does, maps files that stand for shared
// memory, and makes calls. Requests come on its standard input, each answered on its standard output, until the input ends.
#include "system.h"

enum { LOAD, MAP, UNMAP, CALL };

struct request {
	uint32_t operation;
	uint32_t a, b; // LOAD: size of the file that follows. MAP: size of memory, size of the path that follows. UNMAP: address, size. CALL: scalars, size of the argument that follows.
};

typedef struct {
	void *data;
	uint32_t size;
} argument;

typedef int entry(uint64_t handle, uint32_t scalars, argument *arguments);

// ELF, as far as a module has it.
struct header {
	uint8_t identity[16];
	uint16_t type, machine;
	uint32_t version, start, segments, sections, flags;
	uint16_t size, segment_size, segment_count;
};
struct segment {
	uint32_t type, offset, address, physical, file_size, memory_size, flags, align;
};
struct symbol {
	uint32_t name, value, size;
	uint8_t info, other;
	uint16_t section;
};
struct relocation {
	uint32_t offset, info;
	int32_t addend;
};
enum { SEGMENT_LOAD = 1, SEGMENT_DYNAMIC = 2 };
enum { DYNAMIC_RELOCATIONS_SIZE_JUMP = 2, DYNAMIC_HASH = 4, DYNAMIC_STRINGS = 5, DYNAMIC_SYMBOLS = 6, DYNAMIC_RELOCATIONS = 7, DYNAMIC_RELOCATIONS_SIZE = 8, DYNAMIC_RELOCATIONS_JUMP = 23, DYNAMIC_TAGS = 32 };
enum { WORD = 6, GLOBAL_DATA = 33, JUMP_SLOT = 34, RELATIVE = 35 };

static uint8_t input[1 << 20] __attribute__((aligned(4096)));
// The runtime's function of which the module has need. There is no cache here; all of it must be meant.
static int qurt_mem_cache_clean(uint32_t address, uint32_t size, int operation, int cache) {
	if (address || size || operation != 4 || cache != 1)
		leave(5);
	return 0;
}

static int same(const char *a, const char *b) {
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static uint8_t *map(uint32_t size, int flags, int file) {
	int p = system_call(MMAP, 0, (void *)size, 7, flags, file, 0);
	if (p < 0 && p > -4096)
		leave(6);
	return (uint8_t *)p;
}

static void relocate(uint8_t *base, const uint32_t *dynamic, uint32_t table, uint32_t size) {
	const struct symbol *symbols = (const struct symbol *)(base + dynamic[DYNAMIC_SYMBOLS]);
	const struct relocation *r = (const struct relocation *)(base + table);
	for (; size >= sizeof *r; size -= sizeof *r, r++) {
		uint32_t value = (uint32_t)base;
		if ((r->info & 255) != RELATIVE) {
			const struct symbol *s = &symbols[r->info >> 8];
			if (s->section)
				value += s->value;
			else if (same((const char *)base + dynamic[DYNAMIC_STRINGS] + s->name, "qurt_mem_cache_clean"))
				value = (uint32_t)qurt_mem_cache_clean;
			else
				leave(7);
		}
		switch (r->info & 255) {
		case WORD: case GLOBAL_DATA: case JUMP_SLOT: case RELATIVE:
			*(uint32_t *)(base + r->offset) = value + r->addend;
			break;
		default:
			leave(8);
		}
	}
}

// Loads the module that is in the input and returns its function.
static entry *load(void) {
	const struct header *h = (const struct header *)input;
	const struct segment *segments = (const struct segment *)(input + h->segments);
	static uint32_t dynamic[DYNAMIC_TAGS];
	uint32_t end = 0;
	for (int i = 0; i < h->segment_count; i++)
		if (segments[i].type == SEGMENT_LOAD && segments[i].address + segments[i].memory_size > end)
			end = segments[i].address + segments[i].memory_size;
	uint8_t *base = map(end, 0x22, -1);
	for (int i = 0; i < h->segment_count; i++)
		if (segments[i].type == SEGMENT_LOAD)
			for (uint32_t j = 0; j < segments[i].file_size; j++)
				base[segments[i].address + j] = input[segments[i].offset + j];
	for (int i = 0; i < h->segment_count; i++)
		if (segments[i].type == SEGMENT_DYNAMIC)
			for (const uint32_t *d = (const uint32_t *)(base + segments[i].address); d[0]; d += 2)
				if (d[0] < DYNAMIC_TAGS)
					dynamic[d[0]] = d[1];
	relocate(base, dynamic, dynamic[DYNAMIC_RELOCATIONS], dynamic[DYNAMIC_RELOCATIONS_SIZE]);
	relocate(base, dynamic, dynamic[DYNAMIC_RELOCATIONS_JUMP], dynamic[DYNAMIC_RELOCATIONS_SIZE_JUMP]);
	const struct symbol *s = (const struct symbol *)(base + dynamic[DYNAMIC_SYMBOLS]);
	for (uint32_t n = ((uint32_t *)(base + dynamic[DYNAMIC_HASH]))[1]; n > 0; n--, s++)
		if (s->section && same((const char *)base + dynamic[DYNAMIC_STRINGS] + s->name, "lever_entry"))
			return (entry *)(base + s->value);
	leave(9);
	return 0;
}

static uint32_t map_file(uint32_t size) {
	int file = system_call(OPENAT, -100, input, 2, 0, 0, 0);
	if (file < 0)
		leave(10);
	uint8_t *p = map(size, 1, file);
	system_call(CLOSE, file, 0, 0, 0, 0, 0);
	return (uint32_t)p;
}

void _start(void) {
	struct request r;
	entry *module = 0;
	while (transfer(READ, 0, &r, sizeof r)) {
		uint32_t follows = r.operation == LOAD ? r.a : r.operation == UNMAP ? 0 : r.b, answer = 0;
		if (follows > sizeof input || !transfer(READ, 0, input, follows))
			leave(4);
		switch (r.operation) {
		case LOAD:
			module = load();
			break;
		case MAP:
			answer = map_file(r.a);
			break;
		case UNMAP:
			system_call(MUNMAP, r.a, (void *)r.b, 0, 0, 0, 0);
			break;
		case CALL:
			answer = module(0, r.a, &(argument){input, follows});
			break;
		}
		transfer(WRITE, 1, &answer, sizeof answer);
	}
	leave(0);
}
