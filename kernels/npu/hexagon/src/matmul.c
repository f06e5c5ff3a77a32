#include "kernels.h"
#include "number.h"

// Two tiles are multiplied together: shuffled, their weights give vectors of which each lane holds four columns of another row, and
// vrmpy multiplies those with four activations from a scalar register. Weights are made unsigned by adding a bias, which the sum
// of the activations takes off again. The integer sum of a block is exact; it is scaled and accumulated as a number.

enum {
	BLOCK = 32,                     // columns
	WORDS = BLOCK / 4,              // vectors of a block of 32 rows
	SCALES = 16 * 2,                // bytes of the scales of a block of a tile
	Q4_0_BYTES = SCALES + 16 * 16,  // of a block of a tile
	Q8_0_BYTES = SCALES + 16 * 32,
	Q8_BYTES = BLOCK + 4 + 4,       // of a block of activations
	GROUP = 4,                      // rows of activations that share the unpacked weights
};

typedef struct {
	uint32_t words[WORDS];
	uint32_t scale; // bits of the float
	int32_t sum;
} activations;

// Weights of one block of two tiles.
typedef struct {
	HVX_Vector q[WORDS]; // lane r: columns 4i … 4i+3 of row r, unsigned
	HVX_Vector m, e;     // scale: the mantissa stands in the upper half of a lane
} weights;

// Puts the halves of two vectors together: lo has the first ones, hi the second.
INLINE HVX_VectorPair halves(const uint8_t *a, const uint8_t *b) {
	return Q6_W_vshuff_VVR(*(const HVX_UVector *)b, *(const HVX_UVector *)a, 64);
}

// The scales of 32 rows; bad collects the largest of their exponent fields.
INLINE void load_scales(weights *w, HVX_Vector *bad, const uint8_t *a, const uint8_t *b) {
	HVX_Vector zero = splat(0);
	HVX_Vector both = Q6_V_vmux_QVV(Q6_Q_vsetq_R(SCALES), *(const HVX_UVector *)a, Q6_V_vror_VR(*(const HVX_UVector *)b, 128 - SCALES));
	HVX_Vector bits = Q6_V_lo_W(Q6_Wuw_vunpack_Vuh(both));
	HVX_Vector exponent = and(Q6_Vuw_vlsr_VuwR(bits, 10), splat(31));
	HVX_Vector m = and(bits, splat(1023));
	m = Q6_V_vmux_QVV(Q6_Q_vcmp_eq_VwVw(exponent, zero), m, or(m, splat(1024)));
	m = Q6_V_vmux_QVV(Q6_Q_vcmp_gt_VwVw(bits, splat(0x7fff)), sub(zero, m), m);
	w->m = Q6_Vw_vasl_VwR(m, 16);
	w->e = sub(max(exponent, splat(1)), splat(25));
	*bad = max(*bad, exponent);
}

INLINE void load_q4_0(weights *w, const uint8_t *a, const uint8_t *b) {
	HVX_Vector low = splat(0x0f0f0f0f);
	for (int i = 0; i < 2; i++) {
		HVX_VectorPair p = halves(a + SCALES + 128 * i, b + SCALES + 128 * i);
		w->q[2 * i] = and(Q6_V_lo_W(p), low);
		w->q[2 * i + 1] = and(Q6_V_hi_W(p), low);
		w->q[2 * i + 4] = Q6_Vub_vlsr_VubR(Q6_V_lo_W(p), 4);
		w->q[2 * i + 5] = Q6_Vub_vlsr_VubR(Q6_V_hi_W(p), 4);
	}
}

INLINE void load_q8_0(weights *w, const uint8_t *a, const uint8_t *b) {
	HVX_Vector signs = splat(0x80808080);
	for (int i = 0; i < 4; i++) {
		HVX_VectorPair p = halves(a + SCALES + 128 * i, b + SCALES + 128 * i);
		w->q[2 * i] = Q6_V_vxor_VV(Q6_V_lo_W(p), signs);
		w->q[2 * i + 1] = Q6_V_vxor_VV(Q6_V_hi_W(p), signs);
	}
}

// Adds the product of one block to sum.
INLINE number accumulate(number sum, const weights *w, const activations *x, int bias) {
	HVX_Vector dot = splat(-bias * x->sum);
	for (int c = 0; c < WORDS; c++)
		dot = Q6_Vw_vrmpyacc_VwVubRb(dot, w->q[c], x->words[c]);
	dot = Q6_Vw_vmpyio_VwVh(dot, w->m); // below 2^31: exact

	// The scale of the activations is 0 or a normal number.
	uint32_t exponent = x->scale >> 23;
	int32_t m = exponent ? ((x->scale & 0x7fffff) | 0x800000) << 6 : 0;
	HVX_Vector by = Q6_Vw_vnormamt_Vw(dot);
	number product = {
		multiply_high(Q6_Vw_vasl_VwVw(dot, by), splat(m)),
		sub(add(w->e, splat((int32_t)exponent - 150 - 6 + 31)), by),
	};
	return number_add(sum, product);
}

// Multiplies two tiles (or one, when a and b are the same and width is 16) with rows rows of activations.
INLINE void multiply(float *dst, uint32_t ldd, uint32_t width, const uint8_t *a, const uint8_t *b, const uint8_t *q, const uint32_t rows, uint32_t blocks, const int q4) {
	number sum[GROUP];
	uint32_t largest[GROUP]; // scale of a row as bits, of which those of a NaN are the largest
#pragma unroll
	for (uint32_t i = 0; i < rows; i++) {
		sum[i] = (number){splat(0), splat(-512)};
		largest[i] = 0;
	}
	HVX_Vector bad = splat(0);
	for (uint32_t k = 0; k < blocks; k++) {
		weights w;
		load_scales(&w, &bad, a, b);
		if (q4)
			load_q4_0(&w, a, b);
		else
			load_q8_0(&w, a, b);
#pragma unroll
		for (uint32_t i = 0; i < rows; i++) {
			const activations *x = (const activations *)(q + (i * blocks + k) * Q8_BYTES);
			sum[i] = accumulate(sum[i], &w, x, q4 ? 8 : 128);
			largest[i] = x->scale > largest[i] ? x->scale : largest[i];
		}
		a += q4 ? Q4_0_BYTES : Q8_0_BYTES;
		b += q4 ? Q4_0_BYTES : Q8_0_BYTES;
	}
#pragma unroll
	for (uint32_t i = 0; i < rows; i++) {
		HVX_VectorPred nan = Q6_Q_or_QQ(Q6_Q_vcmp_gt_VwVw(bad, splat(30)), not_finite(splat(largest[i])));
		store(dst + i * ldd, or_nan(nan, to_float(sum[i])), width);
	}
}

INLINE void matmul(float *dst, uint32_t ldd, const uint8_t *w, uint32_t tiles, const uint8_t *q, uint32_t n, uint32_t k, const int q4) {
	uint32_t blocks = k / BLOCK, row = blocks * Q8_BYTES;
	uint32_t tile = blocks * (q4 ? Q4_0_BYTES : Q8_0_BYTES);
	for (uint32_t t = 0; t < tiles; t += 2) {
		const uint8_t *a = w + t * tile;
		const uint8_t *b = t + 1 < tiles ? a + tile : a;
		uint32_t width = t + 1 < tiles ? 32 : 16;
		float *column = dst + 16 * t;
		uint32_t i = 0;
		for (; i + GROUP <= n; i += GROUP)
			multiply(column + i * ldd, ldd, width, a, b, q + i * row, GROUP, blocks, q4);
		for (; i < n; i++)
			multiply(column + i * ldd, ldd, width, a, b, q + i * row, 1, blocks, q4);
	}
}

void lever_matmul_q4_0(float *dst, uint32_t ldd, const uint8_t *w, uint32_t tiles, const uint8_t *q, uint32_t n, uint32_t k) {
	matmul(dst, ldd, w, tiles, q, n, k, 1);
}

void lever_matmul_q8_0(float *dst, uint32_t ldd, const uint8_t *w, uint32_t tiles, const uint8_t *q, uint32_t n, uint32_t k) {
	matmul(dst, ldd, w, tiles, q, n, k, 0);
}
