// Real numbers in integer lanes. HVX has no floating point before version 68, so that the kernels keep 32 numbers as a vector of
// mantissas and one of exponents: value = m·2^e. Mantissas have up to 30 bits and a sign, six bits more than a float, and
// exponents cannot overflow: sums err by about 2^-28 of their operands, and only the conversion to float rounds
// to 24 bits, once for a result.
#pragma once

#include <hexagon_types.h>
#include <hexagon_protos.h>
#include <hvx_hexagon_protos.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 32 };

// number: |m| < 2^30; zero has m = 0 and any e.
typedef struct {
	HVX_Vector m, e;
} number;

INLINE HVX_Vector splat(int32_t v) { return Q6_V_vsplat_R(v); }
INLINE HVX_Vector add(HVX_Vector a, HVX_Vector b) { return Q6_Vw_vadd_VwVw(a, b); }
INLINE HVX_Vector sub(HVX_Vector a, HVX_Vector b) { return Q6_Vw_vsub_VwVw(a, b); }
INLINE HVX_Vector and(HVX_Vector a, HVX_Vector b) { return Q6_V_vand_VV(a, b); }
INLINE HVX_Vector or(HVX_Vector a, HVX_Vector b) { return Q6_V_vor_VV(a, b); }
INLINE HVX_Vector min(HVX_Vector a, HVX_Vector b) { return Q6_Vw_vmin_VwVw(a, b); }
INLINE HVX_Vector max(HVX_Vector a, HVX_Vector b) { return Q6_Vw_vmax_VwVw(a, b); }

// a·b / 2^31, rounded.
INLINE HVX_Vector multiply_high(HVX_Vector a, HVX_Vector b) {
	return Q6_Vw_vmpyoacc_VwVwVh_s1_rnd_sat_shift(Q6_Vw_vmpye_VwVuh(a, b), a, b);
}

// Arithmetic shift right by the lane's own amount, which may exceed 31.
INLINE HVX_Vector shift_right(HVX_Vector v, HVX_Vector by) { return Q6_Vw_vasr_VwVw(v, min(by, splat(31))); }

// The same number with 2^29 ≤ |m| < 2^30, from any m.
INLINE number normalize(HVX_Vector m, HVX_Vector e) {
	HVX_Vector by = sub(Q6_Vw_vnormamt_Vw(m), splat(1));
	return (number){Q6_Vw_vasl_VwVw(m, by), sub(e, by)};
}

INLINE number number_add(number a, number b) {
	HVX_Vector e = max(a.e, b.e);
	return normalize(add(shift_right(a.m, sub(e, a.e)), shift_right(b.m, sub(e, b.e))), e);
}

// Lanes of floats that are NaN or infinite.
INLINE HVX_VectorPred not_finite(HVX_Vector bits) {
	HVX_Vector inf = splat(0x7f800000);
	return Q6_Q_vcmp_eq_VwVw(and(bits, inf), inf);
}

// Rounds to the nearest float, ties to even, subnormal numbers included; what is too large becomes infinite.
INLINE HVX_Vector to_float(number a) {
	HVX_Vector zero = splat(0), one = splat(1);
	a = normalize(a.m, a.e);
	HVX_Vector m = Q6_Vw_vabs_Vw(a.m);
	HVX_Vector exponent = max(add(a.e, splat(29 + 127)), splat(-64)); // as a float has it
	HVX_Vector drop = min(add(splat(6), max(sub(one, exponent), zero)), splat(31));
	HVX_Vector odd = and(Q6_Vw_vlsr_VwVw(m, drop), one);
	HVX_Vector half = sub(Q6_Vw_vasl_VwVw(one, sub(drop, one)), one);
	HVX_Vector rounded = Q6_Vw_vlsr_VwVw(add(m, add(half, odd)), drop); // with the leading bit of a normal number
	HVX_Vector bits = add(Q6_Vw_vasl_VwR(sub(max(exponent, one), one), 23), rounded);
	bits = Q6_V_vmux_QVV(Q6_Q_vcmp_gt_VwVw(exponent, splat(254)), splat(0x7f800000), bits);
	bits = Q6_V_vmux_QVV(Q6_Q_vcmp_eq_VwVw(m, zero), zero, bits);
	return or(bits, and(a.m, splat(0x80000000)));
}

// NaN in the lanes that are bad.
INLINE HVX_Vector or_nan(HVX_VectorPred bad, HVX_Vector bits) { return Q6_V_vmux_QVV(bad, splat(0x7fc00000), bits); }

// Writes the first n lanes, or all.
INLINE void store(float *p, HVX_Vector v, uint32_t n) {
	if (n >= LANES) {
		*(HVX_UVector *)p = v;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		p[i] = ((float *)&v)[i];
}
