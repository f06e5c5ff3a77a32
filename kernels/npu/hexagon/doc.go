// Package hexagon is a driver for the NPU of phones with a Qualcomm processor, the Hexagon DSP, and the kernels that run on it, in C and
// compiled. It stands on package fastrpc: no vendor's library, no cgo. Importing it registers the driver under the name "hexagon".
//
// The kernels compute what package kernels defines, on the same data: weights in tiles of 16 rows as [tensor.Packed] lays them out, and
// activations in the form "q8". src/kernels.h declares them: quantisation of activations, and products with Q4_0 and Q8_0 weights.
//
// # How a product is computed
//
//  1. Buffers lie in memory that CPU and DSP share, mapped in both for as long as they live.
//  2. A Submit writes a message to a queue in shared memory: addresses and sizes. There are eight places. Weights that stay in memory lie where
//     the DSP sees them (AllocWeights); others are copied to such memory before.
//  3. A goroutine calls the DSP for all messages that there are, by four calls at the same time, each of which has a thread of the DSP and
//     computes a share of the rows of weights. The module (src/module.c) flushes the DSP's caches, computes the products in order, marks each as
//     done, and flushes again. What is submitted meanwhile is for the next calls: the more wait, the less a call costs each.
//     A product that reads or overwrites what one before it writes or reads waits for the calls after that one's.
//  4. The quantised form of activations lies beside their buffer, so that parts of a matrix that follow need not quantise again.
//
// # Where it has run
//
// Against a kernel of Linux and of Android that tests stand in for ([github.com/lever-go/lever/kernels/npu/fastrpc/fastrpctest]), with this
// module loaded as the DSP loads it, under emulation (qemu-hexagon): the conformance suite passes, a model's text is the CPU's, and
// nothing stays open when 1,000 calls fail. Never on a phone: whether makers' systems let it in, and how fast it is, is not known.
//
// # Limits
//
// Between calls the DSP waits for the next. No clock is asked for: the DSP's own governor chooses. The kernels need version 67 of the architecture
// or newer (Snapdragon 888).
//
// Weights that are streamed from flash are copied at each Submit: Linux reads files past the page cache only into memory that is not a dma-buf, and
// copying is faster than the page cache. Weights that stay are mapped once, as far as 32 bits of addresses go. Where other buffers need addresses,
// those of the weights that were used least recently are given back, and these are copied too. Package offload measures products whose
// weights are copied.
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
// go generate compiles the module (Debian: clang, lld); build.txt keeps the versions of the tools and the hashes of sources and
// results, which tests compare. The tests run it with qemu-hexagon-static (Debian: qemu-user-static).
//
// # Errors
//
// Those of package npu with the cause, and [io/fs.ErrClosed] after Close. [Open] says which file or right is missing and what to do. Whatever
// goes wrong while the DSP computes loses the session, as does a call that takes longer than [fastrpc.CallLimit].
package hexagon
