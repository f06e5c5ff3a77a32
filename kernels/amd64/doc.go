// Package amd64 holds the kernel sets in amd64 assembly. See "Writing a kernel set" in package kernels.
//
//   - avx2 (AVX2, FMA, F16C): activations in the plain form "q8". Dot products are made of VPMADDUBSW, exact because weights
//     are nibbles, or magnitudes times activations that carry the sign or, where it is negative, are inverted (-1-a for a). Tiles are taken
//     with one or two rows of activations.
//   - avx512 (F, BW, DQ, VL, VNNI): activations in the form "q8x16", groups of 16 rows interleaved block by block. Dot
//     products are made of VPDPBUSD with broadcast activations: 8 of them and 3 operations for the scales per 32 columns of
//     16 matrix rows. Tiles are taken with up to 16 rows of activations, whose sums stay in registers over all columns.
//   - amx (what avx512 has, AMX-TILE, AMX-INT8): avx512 with products of 8 to 16 rows of activations made in tile registers.
//
// # AMX
//
// A packed tile of 16 matrix rows, and a block of a group of activations in the form q8x16, have the layouts that tile registers
// want, so that both are read in place; weights of less than a byte are unpacked first. TDPBSSD leaves int32 sums, which pass
// through memory to the vector registers that scale and add them up. The sums are exact and the float operations those of
// avx512, in the same order: both sets have the same bits, and amx takes avx512's kernels where there are fewer than 8 rows.
//
// Vector operations (and instructions in all) for a thousand multiply-accumulates, in a group of 16 rows and, in brackets, of 8:
//
//	       avx512                              amx
//	Q4_0   23 (29 in all)   [25 (33 in all)]   8 (14 in all)    [9 (21 in all)]
//	Q8_0   23 (28 in all)   [24 (32 in all)]   6 (11 in all)    [6 (15 in all)]
//	Q4_K   31 (36 in all)   [34 (43 in all)]   12 (18 in all)   [15 (26 in all)]
//	Q6_K   31 (43 in all)   [37 (55 in all)]   15 (23 in all)   [20 (35 in all)]
//
// An instruction that moves a tile is counted as one here, but moves a row at a time. With a step for each row, amx still has
// 1.3 to 1.8 times fewer than avx512 for 8 and 16 rows of Q4_0 and Q8_0, and none fewer for 4 rows of Q4_0: hence the 8.
//
// This set has run in emulators only, one of them under Linux with its permissions and signals. It was never timed: the
// counts above are all that is known of its speed. LEVER_KERNELS=avx512 turns it off without changing a bit of any result.
//
// Tile registers belong to a thread of the system. A goroutine does not leave its thread within a kernel, since the runtime
// does not preempt assembly; each kernel sets the shapes of the tiles when it begins and releases the tiles when it ends, so
// that nothing depends on what a thread ran before, and no tile is saved at a switch of threads between kernels. A signal
// that comes within a kernel makes Linux save them, 8 KiB of a frame of 12 KiB, on the signal stack, for which Go takes
// 32 KiB. Where a thread that C code made has a smaller one, Linux refuses the permission, and there is no set amx.
//
// # Files
//
// The .h files hold what several files share: the frames of the tile kernels, loops over vectors, the exponential function.
// Dequantising a row has no kernel here: it is one row per token, and its bytes are strewn over a tile.
package amd64
