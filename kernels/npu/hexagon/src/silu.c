#include "exp.h"
#include "kernels.h"

// 1/a for a > 0.
INLINE number number_reciprocal(number a) {
	a = normalize(a.m, a.e);
	HVX_Vector m = add(a.m, a.m); // in [½, 1) with 31 bits
	// 48/17 − 32/17·m with 29 bits is off by 1/17 at most; each step of Newton squares that.
	HVX_Vector r = sub(splat(1515870810), multiply_high(splat(1010580540), m));
	for (int i = 0; i < 3; i++) {
		HVX_Vector t = sub(splat(1 << 30), multiply_high(m, r)); // 2 − m·r
		r = multiply_high(r, add(t, t));
		r = add(r, r);
	}
	return normalize(r, sub(splat(-59), a.e));
}

void lever_silu_mul(float *dst, const float *gate, const float *up, uint32_t n) {
	const number one = {splat(1 << 29), splat(-29)};
	for (uint32_t i = 0; i < n; i += LANES) {
		HVX_Vector g = load(gate + i, n - i), u = load(up + i, n - i);
		number x = from_float(g);
		number silu = number_mul(x, number_reciprocal(number_add(one, number_exp(number_neg(x)))));
		HVX_VectorPred bad = Q6_Q_or_QQ(not_finite(g), not_finite(u));
		store(dst + i, or_nan(bad, to_float(number_mul(silu, from_float(u)))), n - i);
	}
}
