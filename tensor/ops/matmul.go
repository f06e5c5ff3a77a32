package ops

import (
	"fmt"
	"iter"
	"os"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Linear multiplies the rows of x [...][inputs] with the rows of a packed weight matrix that w holds, [outputs][inputs]: the result is
// [...][outputs], each element the product of a row of x with a row of w. With quantised weights the activations are rounded to int8 in
// blocks of 32, as package kernels describes; with F16 they are not. w may be a part of a matrix; [LinearParts] takes all of them.
func Linear(p *kernels.Pool, x *tensor.Tensor, w tensor.Packed) (*tensor.Tensor, error) {
	w.Row = 0
	return LinearParts(p, x, w.Rows, func(yield func(tensor.Packed, error) bool) { yield(w, nil) })
}

// LinearParts is [Linear] with a whole matrix [outputs][inputs] that comes in parts, in order, as those of a store's tensor do. A part is used
// before the next one is asked for.
func LinearParts(p *kernels.Pool, x *tensor.Tensor, outputs int, parts iter.Seq2[tensor.Packed, error]) (*tensor.Tensor, error) {
	shape := x.Shape()
	last := len(shape) - 1
	if last < 0 || outputs < 0 {
		return nil, mismatch("linear", shape, []int{outputs})
	}
	if err := usable("linear", p); err != nil {
		return nil, err
	}
	values, err := floats(x)
	if err != nil {
		return nil, err
	}
	out, dst, err := result(join(shape[:last], outputs))
	if err != nil {
		return nil, err
	}
	var in kernels.Input
	in.Reset(values, elements(shape[:last]), shape[last])
	next := 0
	for part, err := range parts {
		if err == nil {
			err = fits(part, next, outputs, shape)
		}
		if err != nil {
			return nil, fmt.Errorf("ops: linear: %w", err)
		}
		kernels.MatMul(p, dst, outputs, part, &in)
		next += part.Rows
	}
	if next != outputs {
		return nil, fmt.Errorf("ops: linear: %w: the parts have %d rows, not %d", tensor.ErrShape, next, outputs)
	}
	return out, nil
}

// fits checks that w can be multiplied with rows of a shape, and holds rows from next on of a matrix of so many outputs.
func fits(w tensor.Packed, next, outputs int, shape []int) error {
	if err := w.Check(); err != nil {
		return err
	}
	switch {
	case !tensor.Packable(w.Type):
		return fmt.Errorf("%w: a vector of %v is no weight matrix", tensor.ErrType, w.Type)
	case w.Cols != shape[len(shape)-1]:
		return fmt.Errorf("%w: %v and %v", tensor.ErrShape, shape, []int{w.Rows, w.Cols})
	case w.Row != next || w.Row+w.Rows > outputs:
		return fmt.Errorf("%w: rows %d..%d where rows from %d to at most %d belong", tensor.ErrShape, w.Row, w.Row+w.Rows, next, outputs)
	}
	return nil
}

// usable reports that a pool was closed.
func usable(op string, p *kernels.Pool) error {
	if p.Closed() {
		return fmt.Errorf("ops: %s: the pool: %w", op, os.ErrClosed)
	}
	return nil
}

// MatMul is the matrix product of a [...][m][k] and b [...][k][n], for each pair of matrices after the dimensions before the last two were
// broadcast; the result is [...][m][n]. It reads b by columns, so a transposed view of a row-major [n][k], such as a weight matrix
// or the keys of attention, is the form that needs no copy.
//
// Products are float32, whatever the types, but for one case: if b is the transposed view of a quantised matrix that has a packed form, it is
// packed and multiplied as [Linear] does. To use such a matrix more than once, pack it once and call Linear.
func MatMul(p *kernels.Pool, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	aShape, bShape := a.Shape(), b.Shape()
	aRank, bRank := len(aShape), len(bShape)
	if aRank < 2 || bRank < 2 || aShape[aRank-1] != bShape[bRank-2] {
		return nil, mismatch("matmul", aShape, bShape)
	}
	if err := usable("matmul", p); err != nil {
		return nil, err
	}
	w, err := b.Transpose() // [...][n][k]
	if err != nil {
		return nil, err
	}
	if bRank == 2 && w.DType().Quantized() && tensor.Packable(w.DType()) && w.IsContiguous() {
		packed, err := w.Packed()
		if err != nil {
			return nil, fmt.Errorf("ops: matmul: %w", err)
		}
		return Linear(p, a, packed)
	}

	m, k, n := aShape[aRank-2], aShape[aRank-1], bShape[bRank-1]
	batch, err := tensor.BroadcastShapes(aShape[:aRank-2], bShape[:bRank-2])
	if err != nil {
		return nil, mismatch("matmul", aShape, bShape)
	}
	rows, products := m, elements(batch)
	if bRank == 2 { // one matrix for all rows
		rows, products = rows*products, 1
	} else {
		if a, err = a.Broadcast(join(batch, m, k)...); err != nil {
			return nil, err
		}
		if w, err = w.Broadcast(join(batch, n, k)...); err != nil {
			return nil, err
		}
	}
	x, err := floats(a)
	if err != nil {
		return nil, err
	}
	wValues, err := floats(w)
	if err != nil {
		return nil, err
	}
	out, dst, err := result(join(batch, m, n))
	if err != nil {
		return nil, err
	}
	var in kernels.Input
	for i := range products {
		in.Reset(x[i*rows*k:(i+1)*rows*k], rows, k)
		kernels.MatMulF32(p, dst[i*rows*n:(i+1)*rows*n], n, wValues[i*n*k:(i+1)*n*k], n, &in)
	}
	return out, nil
}
