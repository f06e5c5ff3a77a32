// Package hexagon holds kernels for the vector unit (HVX) of Qualcomm's Hexagon DSP, in C, and embeds their compiled form. They
// compute what package kernels defines, on the same data: weights in tiles of 16 rows as [tensor.Packed] lays them out, and
// activations in the form "q8". src/kernels.h declares them: quantisation of activations, and products with Q4_0 and Q8_0 weights.
//
// The host's side, a driver that opens a session on the DSP, is not written. The kernels have run under emulation only
// (qemu-hexagon), never on a phone.
//
// # Target
//
// They are built for version 67 of the architecture and vectors of 128 bytes, without a C library. HVX has no floating point there:
// it came with version 68. So the kernels compute with pairs of an integer mantissa of 30 bits and an exponent (src/number.h),
// and round to float32 once, at the end. Only the quantisation of activations uses scalar floating point, because its roundings are
// part of the definition.
//
// # Accuracy
//
// The quantised form equals that of package kernels bit for bit. A product differs from the exact sum of its quantised operands by one
// rounding to float32 and, for each block of 32 columns, 2^-27 of the sum of magnitudes so far: less than the scalar
// reference, whose every step rounds. Results below the normal range are rounded like others.
// Rows are computed alone: a result does not depend on how many rows or tiles a call has.
//
// # What is not finite
//
// A result that depends on a NaN or an infinity is NaN: the whole row of results for such an activation (as in the reference), and the
// column of results for a row of weights with such a scale (where the reference may give an infinity). Finite operands whose result is too
// large give an infinity.
//
// # Cost
//
// Packets of instructions executed, of which the DSP begins at most one a cycle; how long it waits for memory and for results is not
// in these numbers. A block is 32 columns of 32 rows of weights, 1024 multiply-accumulates for each row of activations.
//
//	product, Q4_0, one row             34 packets a block, 30 multiply-accumulates a packet
//	product, Q4_0, four rows           72                  57
//	product, Q8_0, one row             37                  28
//	product, Q8_0, four rows           78                  53
//	quantisation, 32 elements         115
//
// Eight of the packets of a product are the vrmpy instructions; most others scale and add the sums of blocks without floating
// point.
//
// # Building
//
// go generate compiles the kernels (Debian: clang, lld); build.txt keeps the versions of the tools and the hashes of sources and
// results, which tests compare. The tests run the kernels with qemu-hexagon-static (Debian: qemu-user-static).
package hexagon
