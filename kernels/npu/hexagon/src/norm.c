#include "kernels.h"
#include "scalar.h"

void lever_rms_norm(float *dst, const float *x, const float *gain, uint32_t n, float eps) {
	number sum = {splat(0), splat(-512)};
	HVX_VectorPred bad = Q6_Q_vsetq_R(0);
	for (uint32_t i = 0; i < n; i += LANES) {
		HVX_Vector v = load(x + i, n - i);
		bad = Q6_Q_or_QQ(bad, not_finite(v));
		number a = from_float(v);
		sum = number_add(sum, number_mul(a, a));
	}
	double mean = f64_from(sum_lanes(sum)) * f64_reciprocal(n) + eps;
	number scale = number_from_f64(f64_reciprocal_root(mean));

	HVX_Vector any = Q6_V_vand_QR(bad, -1);
	for (int by = 64; by >= 4; by /= 2)
		any = or(any, Q6_V_vror_VR(any, by));
	bad = Q6_Q_vcmp_eq_VwVw(any, splat(0));
	bad = mean > 0 ? Q6_Q_not_Q(bad) : Q6_Q_vsetq2_R(128);

	for (uint32_t i = 0; i < n; i += LANES) {
		HVX_Vector g = load(gain + i, n - i);
		number a = number_mul(from_float(load(x + i, n - i)), scale);
		HVX_Vector v = to_float(number_mul(a, from_float(g)));
		store(dst + i, or_nan(Q6_Q_or_QQ(bad, not_finite(g)), v), n - i);
	}
}
