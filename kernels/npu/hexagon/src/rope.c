#include "kernels.h"
#include "number.h"

typedef struct {
	HVX_Vector a, b;
} pair;

// Turns 32 pairs.
INLINE pair rotate(HVX_Vector a, HVX_Vector b, HVX_Vector cos, HVX_Vector sin) {
	HVX_VectorPred bad = Q6_Q_or_QQ(Q6_Q_or_QQ(not_finite(a), not_finite(b)), Q6_Q_or_QQ(not_finite(cos), not_finite(sin)));
	number na = from_float(a), nb = from_float(b), nc = from_float(cos), ns = from_float(sin);
	return (pair){
		or_nan(bad, to_float(number_add(number_mul(na, nc), number_neg(number_mul(nb, ns))))),
		or_nan(bad, to_float(number_add(number_mul(nb, nc), number_mul(na, ns)))),
	};
}

void lever_rope_halves(float *x, const float *cos, const float *sin, uint32_t heads, uint32_t dim) {
	uint32_t half = dim / 2;
	for (; heads > 0; heads--, x += dim) {
		for (uint32_t i = 0; i < half; i += LANES) {
			uint32_t n = half - i;
			pair p = rotate(load(x + i, n), load(x + half + i, n), load(cos + i, n), load(sin + i, n));
			store(x + i, p.a, n);
			store(x + half + i, p.b, n);
		}
	}
}

void lever_rope_adjacent(float *x, const float *cos, const float *sin, uint32_t heads, uint32_t dim) {
	for (; heads > 0; heads--, x += dim) {
		for (uint32_t i = 0; i < dim / 2; i += LANES) {
			uint32_t n = dim / 2 - i, first = 2 * n, second = n > LANES / 2 ? 2 * n - LANES : 0;
			float *at = x + 2 * i;
			HVX_VectorPair both = Q6_W_vdeal_VVR(load(at + LANES, second), load(at, first), -4);
			pair p = rotate(Q6_V_lo_W(both), Q6_V_hi_W(both), load(cos + i, n), load(sin + i, n));
			both = Q6_W_vshuff_VVR(p.b, p.a, -4);
			store(at, Q6_V_lo_W(both), first);
			store(at + LANES, Q6_V_hi_W(both), second);
		}
	}
}
