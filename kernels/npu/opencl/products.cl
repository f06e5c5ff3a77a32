// Products of packed weights with rows of activations, and the quantisation of activations, as package kernels defines them: the order
// and the rounding of every float operation is that of its scalar reference. Layouts: tensor.Packed; kernels/form_ref.go.
//
// LANES is 1 or 16. With 1, which suits GPUs, a work-item computes one row of weights: neighbours read neighbouring words of a tile, and
// the same words of the activations. With 16, which suits CPUs, it computes the rows of a tile in the lanes of vectors.

#pragma OPENCL FP_CONTRACT OFF

#define TILE 16   // rows of a tile
#define Q8_WORDS 10 // of a block of quantised activations: eight of 32 int8, the scale, the sum

// Bytes of a block of one row in GGUF form; a tile's block has 16 times as many.
#define Q4_0_BYTES 18
#define Q8_0_BYTES 34
#define Q4_K_BYTES 144
#define Q6_K_BYTES 210

// x/127 and 1/d, rounded correctly although division need not be: Markstein's steps on an estimate.
float over_127(float x) {
	const float reciprocal = 1.0f / 127;
	float q = x * reciprocal;
	return fma(fma(-127.0f, q, x), reciprocal, q);
}

float reciprocal(float d) {
	float y = as_float(0x7ef311c7u - as_uint(d));
	for (int i = 0; i < 5; i++)
		y = fma(y, fma(-d, y, 1.0f), y);
	return y;
}

// Quantises blocks of 32 activations, one a work-item.
__kernel void quantize(__global uint *q, __global const float *x, ulong first, uint blocks) {
	uint b = get_global_id(0);
	if (b >= blocks)
		return;
	x += first + 32 * (size_t)b;
	q += Q8_WORDS * (size_t)b;
	uint top = 0; // the largest magnitude as bits, which order like the numbers, NaN above all
	for (int i = 0; i < 32; i++)
		top = max(top, as_uint(x[i]) & 0x7fffffffu);
	float d = 0, inverse = 0;
	if (top >= 0x7f800000u) {
		d = as_float(0x7fc00000u);
	} else if (top >= (127 - 100) << 23) {
		d = over_127(as_float(top));
		inverse = reciprocal(d);
	}
	int sum = 0;
	for (int w = 0; w < 8; w++) {
		uint word = 0;
		for (int i = 0; i < 4; i++) {
			int v = inverse == 0 ? 0 : (int)rint(x[4 * w + i] * inverse);
			sum += v;
			word |= (uint)(v & 255) << (8 * i);
		}
		q[w] = word;
	}
	q[8] = as_uint(d);
	q[9] = as_uint(sum);
}

// What a work-item has of the rows of a tile: numbers of each type, and how they are read. A field of a tile holds 16 items for each index i.
#if LANES == 16
typedef uint16 UINT;
typedef int16 INT;
typedef float16 FLOAT;
#define AS_INT(v) as_int16(v)
#define TO_FLOAT(v) convert_float16(v)
#define HALVES(p, i) vload_half16(i, (__global const half *)(p))
#define WORDS(p, i) vload16(i, (__global const uint *)(p))
#define BYTES(p, i) convert_uint16(vload16(i, (__global const uchar *)(p)))
#define SIGNED_BYTES(p, i) convert_int16(vload16(i, (__global const char *)(p)))
#else
typedef uint UINT;
typedef int INT;
typedef float FLOAT;
#define AS_INT(v) as_int(v)
#define TO_FLOAT(v) convert_float(v)
#define HALVES(p, i) vload_half(TILE * (i) + r, (__global const half *)(p))
#define WORDS(p, i) ((__global const uint *)(p))[TILE * (i) + r]
#define BYTES(p, i) (uint)((__global const uchar *)(p))[TILE * (i) + r]
#define SIGNED_BYTES(p, i) (int)((__global const char *)(p))[TILE * (i) + r]
#endif

// Sums of products of four bytes: of unsigned weights, or signed ones, with signed activations.
#define BYTE_OF(x, i) ((int)((x) << (24 - 8 * (i))) >> 24)
#ifdef INTEGER_DOT
INT dot_unsigned(UINT w, uint x) { return dot(as_uchar4(w), as_char4(x)); }
INT dot_signed(UINT w, uint x) { return dot(as_char4(w), as_char4(x)); }
#else
INT dot_unsigned(UINT w, uint x) {
	return AS_INT(w & 255) * BYTE_OF(x, 0) + AS_INT(w >> 8 & 255) * BYTE_OF(x, 1) + AS_INT(w >> 16 & 255) * BYTE_OF(x, 2) + AS_INT(w >> 24) * BYTE_OF(x, 3);
}
INT dot_signed(UINT w, uint x) {
	return (AS_INT(w << 24) >> 24) * BYTE_OF(x, 0) + (AS_INT(w << 16) >> 24) * BYTE_OF(x, 1) + (AS_INT(w << 8) >> 24) * BYTE_OF(x, 2) +
		(AS_INT(w) >> 24) * BYTE_OF(x, 3);
}
#endif

#define LOW(w) ((w) & 0x0f0f0f0fu)
#define HIGH(w) ((w) >> 4 & 0x0f0f0f0fu)

// Where a work-item is: its tile, its row in it, and the rows of activations.
#define PLACE(rows_at_once) \
	enum { ROWS = rows_at_once }; \
	const uint tile = get_global_id(0) * LANES / TILE, r = get_global_id(0) * LANES % TILE, first = ROWS * get_global_id(1); \
	if (tile * TILE + r >= rows) \
		return

// Stores the sums of those rows that there are.
#if LANES == 16
#define STORE \
	for (uint i = 0; i < ROWS && first + i < n; i++) { \
		__global float *to = dst + dst_first + (first + i) * (size_t)ldd + tile * TILE; \
		float all[TILE]; \
		vstore16(sum[i], 0, all); \
		for (uint j = 0; j < min(TILE, (int)(rows - tile * TILE)); j++) \
			to[j] = all[j]; \
	}
#else
#define STORE \
	for (uint i = 0; i < ROWS && first + i < n; i++) \
		dst[dst_first + (first + i) * (size_t)ldd + tile * TILE + r] = sum[i];
#endif

// A product with quantised activations, of which body adds a block to the sums.
#define PRODUCT(name, rows_at_once, format_bytes, block_columns, body) \
	__kernel void name(__global float *dst, ulong dst_first, uint ldd, __global const uchar *w, ulong w_first, uint rows, \
		__global const uint *q, uint n, uint k) { \
		PLACE(rows_at_once); \
		const uint blocks = k / block_columns; \
		__global const uchar *block = w + w_first + tile * (size_t)blocks * (TILE * format_bytes); \
		__global const uint *x[ROWS]; \
		FLOAT sum[ROWS]; \
		for (uint i = 0; i < ROWS; i++) { \
			x[i] = q + min(first + i, n - 1) * (size_t)(k / 32 * Q8_WORDS); \
			sum[i] = 0; \
		} \
		for (uint b = 0; b < blocks; b++, block += TILE * format_bytes) \
			body \
		STORE \
	}

#define SCALE(x) as_float((x)[8])
#define SUM(x) as_int((x)[9])

#define Q4_0_BODY { \
		const FLOAT d = HALVES(block, 0); \
		__global const uchar *quants = block + 2 * TILE; \
		const UINT w0 = WORDS(quants, 0), w1 = WORDS(quants, 1), w2 = WORDS(quants, 2), w3 = WORDS(quants, 3); \
		for (uint i = 0; i < ROWS; i++) { \
			__global const uint *y = x[i]; \
			INT v = dot_unsigned(LOW(w0), y[0]) + dot_unsigned(LOW(w1), y[1]) + dot_unsigned(LOW(w2), y[2]) + dot_unsigned(LOW(w3), y[3]) + \
				dot_unsigned(HIGH(w0), y[4]) + dot_unsigned(HIGH(w1), y[5]) + dot_unsigned(HIGH(w2), y[6]) + dot_unsigned(HIGH(w3), y[7]); \
			sum[i] += SCALE(y) * (d * TO_FLOAT(v - 8 * SUM(y))); \
			x[i] += Q8_WORDS; \
		} \
	}

#define Q8_0_BODY { \
		const FLOAT d = HALVES(block, 0); \
		__global const uchar *quants = block + 2 * TILE; \
		for (uint i = 0; i < ROWS; i++) { \
			__global const uint *y = x[i]; \
			INT v = 0; \
			for (uint c = 0; c < 8; c++) \
				v += dot_signed(WORDS(quants, c), y[c]); \
			sum[i] += SCALE(y) * (d * TO_FLOAT(v)); \
			x[i] += Q8_WORDS; \
		} \
	}

// Eight runs of 32 columns have a scale and a minimum of 6 bits each.
#define Q4_K_BODY { \
		const FLOAT d = HALVES(block, 0), dmin = HALVES(block, 1); \
		__global const uchar *scales = block + 4 * TILE, *quants = block + 16 * TILE; \
		for (uint j = 0; j < 8; j++) { \
			UINT sc, m; \
			if (j < 4) { \
				sc = BYTES(scales, j) & 63; \
				m = BYTES(scales, j + 4) & 63; \
			} else { \
				const UINT low = BYTES(scales, j + 4); \
				sc = (low & 15) | BYTES(scales, j - 4) >> 6 << 4; \
				m = low >> 4 | BYTES(scales, j) >> 6 << 4; \
			} \
			const FLOAT scale = d * TO_FLOAT(sc), minimum = dmin * TO_FLOAT(m); \
			for (uint i = 0; i < ROWS; i++) { \
				__global const uint *y = x[i]; \
				INT v = 0; \
				for (uint c = 0; c < 8; c++) \
					v += dot_unsigned(LOW(WORDS(quants, 8 * (j / 2) + c) >> 4 * (j % 2)), y[c]); \
				sum[i] += SCALE(y) * (scale * TO_FLOAT(v) - minimum * (float)SUM(y)); \
				x[i] += Q8_WORDS; \
			} \
		} \
	}

// Sixteen runs of 16 columns have a scale of 8 bits each. The runs of a half, eight, are in the low nibbles of words 0 … 15 of that half, then in
// the high ones; two of the runs share words for the bits above.
#define Q6_K_BODY { \
		const FLOAT d = HALVES(block, 0); \
		__global const uchar *scales = block + 2 * TILE, *low = block + 18 * TILE, *high = low + 128 * TILE; \
		for (uint j = 0; j < 16; j++) { \
			const FLOAT scale = d * TO_FLOAT(SIGNED_BYTES(scales, j)); \
			const uint run = j % 8, l = 16 * (j / 8) + 4 * (run % 4), h = 8 * (j / 8) + 4 * (run % 2); \
			UINT words[4]; \
			for (uint c = 0; c < 4; c++) \
				words[c] = LOW(WORDS(low, l + c) >> 4 * (run / 4)) | (WORDS(high, h + c) >> 2 * (run / 2) & 0x03030303u) << 4; \
			for (uint i = 0; i < ROWS; i++) { \
				__global const uint *y = x[i]; \
				INT v = 0; \
				int ones = 0; \
				for (uint c = 0; c < 4; c++) { \
					const uint word = y[4 * (j % 2) + c]; \
					v += dot_unsigned(words[c], word); \
					ones += BYTE_OF(word, 0) + BYTE_OF(word, 1) + BYTE_OF(word, 2) + BYTE_OF(word, 3); \
				} \
				sum[i] += SCALE(y) * (scale * TO_FLOAT(v - 32 * ones)); \
				x[i] += j % 2 * Q8_WORDS; \
			} \
		} \
	}

PRODUCT(matmul_q4_0_1, 1, Q4_0_BYTES, 32, Q4_0_BODY)
PRODUCT(matmul_q4_0_4, 4, Q4_0_BYTES, 32, Q4_0_BODY)
PRODUCT(matmul_q8_0_1, 1, Q8_0_BYTES, 32, Q8_0_BODY)
PRODUCT(matmul_q8_0_4, 4, Q8_0_BYTES, 32, Q8_0_BODY)
PRODUCT(matmul_q4_k_1, 1, Q4_K_BYTES, 256, Q4_K_BODY)
PRODUCT(matmul_q4_k_4, 4, Q4_K_BYTES, 256, Q4_K_BODY)
PRODUCT(matmul_q6_k_1, 1, Q6_K_BYTES, 256, Q6_K_BODY)
PRODUCT(matmul_q6_k_4, 4, Q6_K_BYTES, 256, Q6_K_BODY)

// Products with F16 weights take the activations as they are.
#define F16_PRODUCT(name, rows_at_once) \
	__kernel void name(__global float *dst, ulong dst_first, uint ldd, __global const uchar *w, ulong w_first, uint rows, \
		__global const float *x, ulong x_first, uint n, uint k) { \
		PLACE(rows_at_once); \
		__global const uchar *columns = w + w_first + tile * (size_t)k * (2 * TILE); \
		__global const float *y[ROWS]; \
		FLOAT sum[ROWS]; \
		for (uint i = 0; i < ROWS; i++) { \
			y[i] = x + x_first + min(first + i, n - 1) * (size_t)k; \
			sum[i] = 0; \
		} \
		for (uint c = 0; c < k; c++) { \
			const FLOAT v = HALVES(columns, (size_t)c); \
			for (uint i = 0; i < ROWS; i++) \
				sum[i] += v * y[i][c]; \
		} \
		STORE \
	}

F16_PRODUCT(matmul_f16_1, 1)
F16_PRODUCT(matmul_f16_4, 4)
