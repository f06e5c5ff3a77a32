// Package kernels is the arithmetic of Lever: quantised matrix products, attention over a paged cache, norms, rotary
// positions, selection and conversion, each one operation over slices with one definition, the scalar reference.
//
// # Layout
//
//  1. Weights are [tensor.Packed]: tiles of 16 rows, consumed in place.
//  2. Activations are float32 rows [n][k]. Matrices of a quantised type are multiplied with an int8 form of the
//     activations, which [Input] makes once and several products share; F16 matrices with the float32 rows themselves.
//  3. Results are float32 [n][ldd]. The KV cache is F16 or F32 in pages [KVHeads][PageLen][HeadDim].
//
// # Usage
//
//	pool := kernels.NewPool(0) // one worker per performance core
//	defer pool.Close()
//	var in kernels.Input
//	in.Reset(x, n, k)                                  // x [n][k]
//	for part := range parts {                          // of one matrix
//		kernels.MatMul(pool, dst, rows, part, &in)     // dst [n][rows]
//	}
//	pool.Set().SiLU(dst, dst)
//
// # Quantised activations
//
// A row is quantised in blocks of 32 columns, alone: nothing in it depends on other rows. With amax the largest magnitude
// in the block, in float32 arithmetic:
//
//	amax not finite:  d = NaN, q = 0                    so that the products become NaN
//	amax < 2^-100:    d = 0,   q = 0
//	otherwise:        d = amax/127, q = roundToEven(x·(1/d))
//
// and sum = Σq. The plain form "q8" stores per block 32 int8 q, then d as float32, then sum as int32: 40 bytes,
// little-endian, block after block, row after row.
//
// A product of a row of weights with a row of activations is, block by block, an integer sum, exact in every set, times the
// scales in float32. Sets differ in the order and rounding of the float operations only, within a few eps·Σ|w·x|; a set
// whose form rounds activations in another way (a [table.Form] of another name) is measured against its own form.
//
// # Batch invariance
//
// Row i of any result never depends on the other rows, on how many there are, or on the number of workers, bit for bit.
//
// # Sets
//
// A set is one implementation of all inner kernels: ref (the definition: short, never tuned), go (tuned, portable), and
// those in assembly that the processor can run: neon, dotprod, i8mm, sme2, fp16 on arm64, avx2, avx512, amx on amd64. The last of
// [Sets] but fp16, and on macOS sme2, is the default, unless the environment variable LEVER_KERNELS names another. A [Pool] uses the default until
// [Pool.Use] gives it a set, so that two pools of a process may differ. Build tag purego leaves ref and go.
//
// fp16 is the set before it except for F16 weights, which it multiplies in float16: twice as fast, and off by 0.16 % of a
// result where all other sets are exact but for rounding in float32. An F16 store is precise unless a program asks for fp16.
//
// # Weights that are unpacked first
//
// Q4_0, Q8_0, Q4_K and Q6_K have products of their own in every set. A tile of the other quantised formats is unpacked once, to integers of 8 bits
// and float32 scales, and then multiplied with all rows of activations: what unpacking costs is shared by the rows of a tree. A set has a product
// for each layout of an unpacked tile (a [table.Layout]) and an unpacker for each format; it inherits what it lacks.
//
//	set              unpacks                                                  multiplies unpacked tiles
//	go               IQ4_NL, MXFP4, IQ4_XS, Q3_K, Q5_K, IQ3_S, IQ3_XXS        without and with minima (Q5_K)
//	neon             the same                                                 without and with minima
//	dotprod          as neon                                                  without and with minima
//	i8mm, sme2       as neon, Q5_K in pairs of rows                           without and with minima
//	avx2             the same                                                 of five layouts, all of unsigned integers
//	avx512, amx      as avx2                                                  as avx2
//
// The rate of a product with 16 rows, in hundredths of Q4_0's in the same set: measured on amd64 (medians, 4096 × 4096), on arm64 as the pipelines of
// a Cortex-A710 are modelled (TestCost has the bounds of each kernel). avx2 lacks an instruction that sums products of signed bytes: 16 × 32 weights of
// Q4_0 take 55 vector operations, loads aside, and those of Q8_0 78, so that it reaches 62. IQ4_NL and IQ4_XS, whose unpacked magnitudes and masks
// take 70, are between. Of unsigned weights below 32, four products fit into 16 bits, of those below 64, two.
//
//	            IQ4_NL  MXFP4  IQ4_XS  Q3_K  Q5_K  IQ3_XXS  IQ3_S
//	avx2            72     95      75    88    85       70     73
//	dotprod         92     88      90    81    79       82     82
//	i8mm            83     79      81    71    71       72     72
//
// With one row, unpacking takes most of the time. A core of a shared Zen 3 class machine unpacks and multiplies IQ3_XXS and IQ3_S at about 5 billion elements a
// second with avx2, 2.0 and 2.2 GB/s (medians of 40 runs, whose quartiles are a third apart).
//
// The sets avx512 and amx have no unpackers and no products with unpacked tiles of their own: no machine was at hand to try them on.
//
// # What is not fused
//
// Norms, additions and quantising are operations of their own: fused, they would save a decoding step of an 8B model 0.14 %
// of its time at most (amd64, 2 threads), and an embedding row takes 0.02 %, so that the portable code is enough for it.
//
// # Writing a kernel set
//
//  1. In kernels/ARCH, write the kernels of [table.Kernels] that the set improves: NAME_ARCH.go holds unexported
//     //go:noescape stubs with the equal Go loop; NAME_ARCH.s the code. The function of a field of the table is named like it in
//     lower case with the set's name behind (matMulF16F32Neon). Entries and formats left out are inherited from the set before.
//  2. Append the table to Sets of kernels/ARCH behind a check of the processor's features.
//  3. Run go test ./kernels/...: every test, fuzz target and benchmark there runs for every set; LEVER_EXPECT_KERNELS
//     (comma-separated names) makes the absence of a set a failure.
//
// # Adding a weight format
//
//  1. In package tensor, a constant and a row of formats (dtype.go), block_NAME.go with the fields of a block and how to decode
//     it, and its layout in the documentation of [tensor.Packed]; in golden_test.go, a block with its values, and the layout.
//  2. Here, a row of formats (formats.go) and block_NAME.go with the definition, element by element, and how to unpack a tile. Every set then
//     multiplies with it.
//  3. Assembly where it pays: an entry of the set's Unpack, or of its MatMul for a product of its own.
//
// Reading from GGUF, conversion, stores, drivers that take every format, tests and benchmarks ask the tables.
//
// # Limits
//
// Functions are safe for concurrent use on distinct memory, [Pool], [Input] and [AttentionScratch] by one goroutine at a
// time. Nothing allocates once buffers have reached their size.
//
// # Errors
//
// [Named] and [EnvError] return an error where a set is not there, with the names of those that are. Nothing else fails: wrong lengths
// and shapes are mistakes of the programmer and panic; values never do: NaN and infinity propagate.
package kernels
