// Double precision for the few numbers that a whole row depends on. The DSP adds and multiplies doubles; it has no division and no
// square root, and there is no C library.
#pragma once

#include "number.h"

union f64 {
	double value;
	uint64_t bits;
};

INLINE double f64_reciprocal(double x) {
	union f64 y = {x};
	y.bits = 0x7fde623822fc16e6 - y.bits;
	for (int i = 0; i < 5; i++)
		y.value *= 2 - x * y.value;
	return y.value;
}

INLINE double f64_reciprocal_root(double x) {
	union f64 y = {x};
	y.bits = 0x5fe6eb50c7b537a9 - (y.bits >> 1);
	for (int i = 0; i < 5; i++)
		y.value *= 1.5 - 0.5 * x * y.value * y.value;
	return y.value;
}

// Lane 0 of a, not negative.
INLINE double f64_from(number a) {
	int32_t m = *(int32_t *)&a.m, e = *(int32_t *)&a.e;
	union f64 power = {.bits = (uint64_t)(1023 + (e < -1000 ? -1000 : e)) << 52};
	return m * power.value;
}

// A positive x, in every lane.
INLINE number number_from_f64(double x) {
	union f64 u = {x};
	int32_t m = ((u.bits & 0xfffffffffffff) | 0x10000000000000) >> 23;
	return (number){splat(m), splat((int32_t)(u.bits >> 52) - 1023 - 29)};
}

// The sum of the lanes, in every lane.
INLINE number sum_lanes(number a) {
	for (int by = 64; by >= 4; by /= 2)
		a = number_add(a, (number){Q6_V_vror_VR(a.m, by), Q6_V_vror_VR(a.e, by)});
	return a;
}
