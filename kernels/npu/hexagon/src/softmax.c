#include "exp.h"
#include "kernels.h"
#include "scalar.h"

// Floats as integers of the same order. Its own inverse.
INLINE HVX_Vector ordered(HVX_Vector bits) { return Q6_V_vxor_VV(bits, Q6_Vuw_vlsr_VuwR(Q6_Vw_vasr_VwR(bits, 31), 1)); }

void lever_softmax(float *x, uint32_t n) {
	const HVX_Vector minus_infinity = splat(0xff800000);
	HVX_Vector top = ordered(minus_infinity), magnitude = splat(0);
	for (uint32_t i = 0; i < n; i += LANES) {
		HVX_Vector v = load(x + i, n - i);
		if (n - i < LANES)
			v = Q6_V_vmux_QVV(Q6_Q_vsetq_R(4 * (n - i)), v, minus_infinity);
		top = max(top, ordered(v));
		HVX_VectorPred masked = Q6_Q_vcmp_eq_VwVw(v, minus_infinity);
		magnitude = max(magnitude, Q6_V_vmux_QVV(masked, splat(0), and(v, splat(0x7fffffff))));
	}
	for (int by = 64; by >= 4; by /= 2) {
		top = max(top, Q6_V_vror_VR(top, by));
		magnitude = max(magnitude, Q6_V_vror_VR(magnitude, by));
	}
	top = ordered(top);
	HVX_VectorPred bad = Q6_Q_or_QQ(not_finite(top), Q6_Q_vcmp_gt_VwVw(magnitude, splat(0x7f7fffff)));
	number shift = number_neg(from_float(top));

	number sum = {splat(0), splat(-512)};
	for (uint32_t i = 0; i < n; i += LANES) {
		HVX_Vector v = load(x + i, n - i);
		if (n - i < LANES)
			v = Q6_V_vmux_QVV(Q6_Q_vsetq_R(4 * (n - i)), v, minus_infinity);
		number y = number_exp(number_add(from_float(v), shift));
		y.m = Q6_V_vmux_QVV(Q6_Q_vcmp_eq_VwVw(v, minus_infinity), splat(0), y.m);
		sum = number_add(sum, y);
		store(x + i, to_float(y), n - i);
	}
	number scale = number_from_f64(f64_reciprocal(f64_from(sum_lanes(sum))));
	for (uint32_t i = 0; i < n; i += LANES)
		store(x + i, or_nan(bad, to_float(number_mul(from_float(load(x + i, n - i)), scale))), n - i);
}
