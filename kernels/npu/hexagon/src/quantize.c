#include "kernels.h"
#include "number.h"

// The largest magnitude is found on vectors. The integers are made with scalar floating point, which rounds as the definition
// does: four packets an element, little beside the products that a quantised row serves.

// The largest lane of non-negative integers.
INLINE uint32_t largest(HVX_Vector v) {
	for (int by = 64; by >= 4; by /= 2)
		v = max(v, Q6_V_vror_VR(v, by));
	return *(uint32_t *)&v;
}

INLINE float as_float(uint32_t bits) {
	union {
		uint32_t bits;
		float value;
	} u = {bits};
	return u.value;
}

// x/127, rounded correctly: Markstein's step on the rounded reciprocal.
INLINE float over_127(float x) {
	const float reciprocal = 1.0f / 127;
	float q = x * reciprocal;
	return __builtin_fmaf(__builtin_fmaf(-127, q, x), reciprocal, q);
}

// 1/d, rounded correctly, for d far from where either overflows: Newton's steps on an estimate from the bits; the last ones, by
// Markstein, end within half a unit.
INLINE float reciprocal(float d) {
	union {
		float value;
		uint32_t bits;
	} u = {d};
	float y = as_float(0x7ef311c7 - u.bits);
	for (int i = 0; i < 4; i++)
		y = __builtin_fmaf(y, __builtin_fmaf(-d, y, 1), y);
	return __builtin_fmaf(y, __builtin_fmaf(-d, y, 1), y);
}

void lever_quantize(uint8_t *q, const float *x, uint32_t blocks) {
	const uint32_t infinity = 0x7f800000, smallest = (127 - 100) << 23; // 2^-100
	for (; blocks > 0; blocks--, x += 32, q += 40) {
		uint32_t top = largest(and(*(const HVX_UVector *)x, splat(0x7fffffff)));
		float d = 0, inverse = 0;
		if (top >= infinity) {
			d = as_float(0x7fc00000);
		} else if (top >= smallest) {
			d = over_127(as_float(top));
			inverse = reciprocal(d);
		}
		int32_t sum = 0;
#pragma unroll
		for (int i = 0; i < 32; i += 4) {
			uint32_t word = 0;
			for (int j = 0; j < 4; j++) {
				int32_t v = Q6_R_convert_sf2w_R(inverse != 0 ? x[i + j] * inverse : 0);
				word |= (uint32_t)(uint8_t)v << (8 * j);
				sum += v;
			}
			*(uint32_t *)(q + i) = word;
		}
		*(float *)(q + 32) = d;
		*(int32_t *)(q + 36) = sum;
	}
}
