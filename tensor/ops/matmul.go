package ops

import (
	"fmt"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Linear multiplies the rows of x [...][inputs] with a packed weight matrix w [outputs][inputs]: the result is [...][outputs],
// each element the product of a row of x with a row of w. With quantised weights the activations are rounded to int8 in blocks of 32,
// as package kernels describes; with F16 they are not. w must be a whole matrix (w.Row = 0).
func Linear(p *kernels.Pool, x *tensor.Tensor, w tensor.Packed) (*tensor.Tensor, error) {
	shape := x.Shape()
	if err := w.Check(); err != nil {
		return nil, fmt.Errorf("ops: linear: %w", err)
	}
	if !tensor.Packable(w.Type) || w.Row != 0 {
		return nil, fmt.Errorf("ops: linear: rows %d… of type %v are no whole weight matrix", w.Row, w.Type)
	}
	last := len(shape) - 1
	if last < 0 || shape[last] != w.Cols {
		return nil, mismatch("linear", shape, []int{w.Rows, w.Cols})
	}
	values, err := floats(x)
	if err != nil {
		return nil, err
	}
	out, dst, err := result(join(shape[:last], w.Rows))
	if err != nil {
		return nil, err
	}
	var in kernels.Input
	in.Reset(values, elements(shape[:last]), w.Cols)
	kernels.MatMul(p, dst, w.Rows, w, &in)
	return out, nil
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
