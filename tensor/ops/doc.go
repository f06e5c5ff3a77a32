// Package ops is eager arithmetic on tensors, for building and trying a model of one's own: every operation takes tensors of any type and
// strides, computes at once, and returns a new tensor.
//
// # Conventions
//
//  1. Results are row-major and share no memory with the arguments; exceptions say so. Arguments may be of any type and strides, views and
//     broadcasts included.
//  2. Results are F32, computed in float32 by the kernels of package kernels where there are any, so that they are bit-identical to what the layers of
//     a decoder compute; else in float64 and rounded once. Where an operation says so, integers give integers: I64 if one argument is I64, else I32, in
//     exact arithmetic; what is beyond I32 becomes the nearest that it holds. Bool counts as 0 and 1. F64 is rounded to float32 before anything
//     is done with it.
//  3. A dimension may be counted from the last one: −1 is the last.
//  4. Operations of two tensors broadcast like tensor.Tensor.Broadcast.
//  5. A weight matrix is [outputs][inputs], as models store it. [Linear] multiplies with its packed form, any type that kernels know, [Affine] with a
//     tensor of any type.
//  6. Shapes that do not fit are errors that wrap tensor.ErrShape and name both. Nothing panics, but for a pool that two goroutines use at
//     once.
//
// # Rows
//
// A layer of a decoder that verifies trees must compute each row, a vector along the last dimension, without regard to the others, or drafting changes
// what is written. Bit for bit, on any number of workers, these do: everything that works element by element; what works along the last dimension, as
// [Softmax], [RMSNorm], [LayerNorm] and the reductions with dims −1; [Linear], [LinearParts], [Affine], and [MatMul] with one matrix on the right for
// all rows; [RoPE], [Embedding], and all that only moves elements. [Attention] does not.
//
// Such a layer reads the residual stream as tensor.FromFloat32s(x, rows, width), which copies nothing, in a [tensor.Arena], multiplies with the parts
// of a store by [LinearParts], and ends with tensor.Tensor.CopyTo. The example of layers.Sublayer is one.
//
// # Usage
//
//	pool := kernels.NewPool(0)
//	defer pool.Close()
//	w, err := weight.Packed()                  // once
//	h, err := ops.Linear(pool, x, w)           // [rows][inputs] to [rows][outputs]
//	h, err = ops.LinearParts(pool, x, outputs, store.Parts(ctx, "block.0.q")) // the same, with a matrix of a store
//	h, err = ops.SiLU(h)
//	y, err := ops.Attention(pool, q, k, v, ops.AttentionOptions{Causal: true}) // [heads][rows][dim]
//
// # Limits
//
// Each call allocates its result, unless an argument is of a [tensor.Arena]: then the result is too, and steady use allocates little. A nil pool
// computes on the caller's goroutine; a pool serves one call at a time. Only what takes a pool is computed in parallel. Functions without a pool are
// safe for concurrent use on tensors without an arena.
//
// # Errors
//
//   - [tensor.ErrShape]: shapes or indices that do not fit; the text names the operation and both.
//   - [tensor.ErrType]: a type that the operation does not take, or no tensor.
//   - [os.ErrClosed]: the pool was closed.
package ops
