// Package kernels measures every operation of package kernels with every kernel set, in the shapes of real models, and compares it with what
// bounds it: a roofline (Williams, Waterman and Patterson 2009).
//
//  1. Matrices, keys and values are taken in turn from far more memory than the caches hold, as in a pass. Their bound is the longer of two
//     times: their bytes at the rate at which as many threads read memory, and their multiply-accumulates at the best rate of a product that was
//     measured of the set, of any quantised type (or, where sums are in floating point, of F16). That rate is no peak from a data sheet; a set
//     with slow products has a low one.
//  2. Rows stay in the caches, and one thread computes them, as in a pass. Their bound is the faster of a copy and an addition that read and write as many
//     bytes there.
//
// Usage:
//
//	r, err := kernels.Run(ctx, kernels.Options{Short: true})
//
// Limits: products exclude the quantising of their input, which is measured on its own: the difference of a small product with and without it.
// What a set leaves to the one before it is measured again under its name. One kernel set is in use in a process, so nothing else may compute
// while Run does.
package kernels
