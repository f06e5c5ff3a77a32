// Package arm64 holds the kernel sets in arm64 assembly. See "Writing a kernel set" in package kernels.
//
//	neon     ARMv8.0: products of bytes by SMULL and SMLAL; everything that works on float32
//	dotprod  SDOT
//	i8mm     USDOT for one row of activations and Q4_0, USMMLA and SMMLA for more rows of any; FMLAL for F16
//	sme2     outer products in streaming mode, from 8 rows of activations on: SMOPA and USMOPA; FMOPA for F16. Bits as of i8mm.
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
// # Streaming mode
//
// A kernel of sme2 turns streaming mode and the matrix ZA on once, multiplies all of its tiles with all of its rows, and turns both off
// right before it returns. While they are on, the goroutine cannot leave its thread, nor other code run on it but a signal's handler:
//
//  1. The runtime does not preempt assembly asynchronously: what has no maps of its pointers has no safe points. A signal that
//     asks for preemption is noted and has no effect before the function returned.
//  2. The kernel calls nothing and its stack does not grow: the check stands before the instruction that turns streaming mode on.
//  3. Linux saves streaming vectors, predicates and ZA in the signal's frame and turns them off before it runs a handler, and
//     restores them when that returns (Documentation/arch/arm64/sme.rst). With vectors of 512 bits the frame takes about 8 kB of the 32 kB
//     of a signal stack of the runtime.
//  4. macOS saves NEON's registers and goes on in streaming mode (bsd/dev/arm/unix_signal.c of xnu), where a handler's NEON instructions trap, and
//     one that gets further leaves other sums in ZA. So all signals but those of faults are held from the thread for the time of the call, and the goroutine is
//     locked to the thread. That others who did so report right sums, and that xnu keeps ZA for each thread that it switches, is all we know:
//     we had no Mac, so that there sme2 is taken only if LEVER_KERNELS asks for it.
//
// In Go's assembly all vector registers are the caller's to save. Go's compiler knows neither predicates nor the parts of Z
// registers beyond V registers, and SMSTART and SMSTOP zero all of them. A C function that calls Go while it keeps ZA for itself
// (a dormant ZA of AAPCS64) would lose it: no binding of this module is called so.
//
// # Cost
//
// TestCost holds each inner loop to what it reaches in a model of the processors' pipelines.
package arm64
