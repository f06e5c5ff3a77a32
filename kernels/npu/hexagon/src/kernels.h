// The kernels that run on the DSP: C functions over memory that the host shares with it. They start no threads, allocate nothing
// and touch only what their arguments describe, so that a host cuts work into calls as it likes. All pointers need only
// the alignment of their type. See the Go package's documentation for accuracy and for what is not finite.
#pragma once

#include <stdint.h>

// Products of weights with rows of quantised activations: for i < n and r < 16·tiles,
//   dst[i·ldd + r] = Σ_c w[r][c]·x[i][c]
// w: tiles of 16 rows of k columns as tensor.Packed lays them out; q: n rows in the form that lever_quantize writes; k a multiple
// of 32. A row of results depends on its own activations alone, bit for bit, whatever n and tiles are.
void lever_matmul_q4_0(float *dst, uint32_t ldd, const uint8_t *w, uint32_t tiles, const uint8_t *q, uint32_t n, uint32_t k);
void lever_matmul_q8_0(float *dst, uint32_t ldd, const uint8_t *w, uint32_t tiles, const uint8_t *q, uint32_t n, uint32_t k);

// Quantises blocks of 32 activations: for each, 32 int8, the scale as float, the sum of the integers as int32.
void lever_quantize(uint8_t *q, const float *x, uint32_t blocks);
