// The exponential function on vectors.
#pragma once

#include "number.h"

// a·b / 2^31 + c.
INLINE HVX_Vector horner(HVX_Vector a, HVX_Vector b, int32_t c) { return add(multiply_high(a, b), splat(c)); }

// e^x. From |x| ≥ 126 on it may be 0 or 2^1000, which floats cannot tell from the truth. Below, the relative error is under
// 2^-25 + |x|·2^-29.
INLINE number number_exp(number x) {
	// x·log2(e), as an integer n and a fraction f.
	x = normalize(x.m, x.e);
	HVX_Vector m = multiply_high(add(x.m, x.m), splat(1549082005)); // log2(e)/2 with 31 bits
	HVX_VectorPred large = Q6_Q_vcmp_gt_VwVw(x.e, splat(-23)); // |x·log2(e)| ≥ 2^7.5
	HVX_Vector fixed = shift_right(m, sub(splat(-23), min(x.e, splat(-23)))); // 23 bits of fraction
	HVX_Vector n = Q6_Vw_vasr_VwR(fixed, 23);
	HVX_Vector f = Q6_Vw_vasl_VwR(and(fixed, splat(0x7fffff)), 8);

	// 2^f in [1, 2) with 30 bits: the polynomial of degree 6 through the Chebyshev nodes, off by 2^-28.
	HVX_Vector p = splat(234782);
	p = horner(p, f, 1330509);
	p = horner(p, f, 10398316);
	p = horner(p, f, 59571873);
	p = horner(p, f, 257945486);
	p = horner(p, f, 744260852);
	p = horner(p, f, 1073741827);

	n = Q6_V_vmux_QVV(large, splat(1000), n);
	HVX_VectorPred none = Q6_Q_and_QQ(large, Q6_Q_vcmp_gt_VwVw(splat(0), m));
	p = Q6_V_vmux_QVV(none, splat(0), Q6_Vw_vasr_VwR(p, 1));
	n = Q6_V_vmux_QVV(none, splat(-1000), n);
	return (number){p, sub(n, splat(29))};
}
