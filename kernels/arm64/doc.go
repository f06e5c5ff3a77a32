// Package arm64 holds the kernel sets in arm64 assembly. See "Writing a kernel set" in package kernels.
//
//	neon     ARMv8.0: products of bytes by SMULL and SMLAL; everything that works on float32
//	dotprod  SDOT
//	i8mm     USDOT for one row of activations and Q4_0, USMMLA and SMMLA for more rows of any; FMLAL for F16
//	fp16     F16 weights by arithmetic in float16; all else as in the sets before it. Taken only if asked for.
//
// Assembly does whole groups of rows, columns or elements; the Go function of the same field of the table, beside its
// declaration, puts a product or a row together from those, and does what remains.
//
// # How the products with quantised weights work
//
//  1. A register of weights is 4 rows × 4 columns, so that one instruction multiplies it with 4 activations of one row. A
//     lane is a row from beginning to end: nothing is ever added up across lanes. For SMMLA, two registers are zipped to
//     two rows × 8 columns.
//  2. Activations are laid out for that, with all that depends on them alone computed once, when they are quantised:
//     form_arm64.go describes it.
//  3. One row of activations (gemv) takes 16 rows of weights through each block; many (gemm) take 4 rows of weights through
//     16 rows of activations, or, of K-quants, a block that is unpacked once.
//  4. For a sum of a row of weights with a row of activations, every kernel of a set does the same float operations in the
//     same order.
//
// # Cost
//
// TestCost holds each inner loop to what it reaches in a model of the processors' pipelines.
package arm64
