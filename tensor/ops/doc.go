// Package ops is eager arithmetic on tensors, for building and trying a model of one's own: every operation takes tensors of any type and
// strides, computes at once, and returns a new tensor.
//
// # Conventions
//
//  1. Results are F32, row-major and share no memory with the arguments; exceptions say so. The arithmetic is that of package kernels, in
//     float32, so a result is bit-identical to what the layers of a decoder compute.
//  2. The last dimension is the one that [Softmax], [RMSNorm], [Argmax] and [TopK] work along; [Add] and [Mul] broadcast like
//     tensor.Tensor.Broadcast.
//  3. A weight matrix is [outputs][inputs], as models store it. [Linear] multiplies with its packed form, any type that kernels know.
//  4. Shapes that do not fit are errors that wrap tensor.ErrShape and name both. Nothing panics, but for a pool that two goroutines use at
//     once.
//
// # Usage
//
//	pool := kernels.NewPool(0)
//	defer pool.Close()
//	w, err := weight.Packed()                  // once
//	h, err := ops.Linear(pool, x, w)           // [rows][inputs] to [rows][outputs]
//	h, err = ops.LinearParts(pool, x, outputs, store.Parts(ctx, "block.0.q")) // the same, with a matrix of a store
//	h, err = ops.SiLU(h)
//	scores, err := ops.MatMul(pool, q, kT)     // [heads][rows][dim] × [heads][dim][rows]
//
// # Limits
//
// Each call allocates its result: the decode loop of package layers calls kernels itself. A nil pool computes on the caller's goroutine; a
// pool serves one call at a time. Functions without a pool are safe for concurrent use.
//
// # Errors
//
//   - [tensor.ErrShape]: shapes or indices that do not fit; the text names the operation and both.
//   - [tensor.ErrType]: a type that the operation does not take, or no tensor.
//   - [os.ErrClosed]: the pool was closed.
package ops
