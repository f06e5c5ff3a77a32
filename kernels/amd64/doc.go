// Package amd64 holds the kernel sets in amd64 assembly. See "Writing a kernel set" in package kernels.
//
//   - avx2 (AVX2, FMA, F16C): activations in the plain form "q8". Dot products are made of VPMADDUBSW, exact because weights
//     are nibbles, or magnitudes times activations that carry the sign. Tiles are taken with one or two rows of activations.
//   - avx512 (F, BW, DQ, VL, VNNI): activations in the form "q8x16", groups of 16 rows interleaved block by block. Dot
//     products are made of VPDPBUSD with broadcast activations: 8 of them and 3 operations for the scales per 32 columns of
//     16 matrix rows. Tiles are taken with up to 16 rows of activations, whose sums stay in registers over all columns.
//
// The .h files hold what several files share: the frames of the tile kernels, loops over vectors, the exponential function.
// Dequantising a row has no kernel here: it is one row per token, and its bytes are strewn over a tile.
package amd64
