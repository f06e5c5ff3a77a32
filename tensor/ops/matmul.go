package ops

import (
	"fmt"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// MatMul is the matrix product of a [...][m][k] and b [...][k][n], for each pair of matrices after the dimensions before the last two were
// broadcast; the result is [...][m][n]. A vector a is a matrix of one row, a vector b one of one column, and the result lacks that dimension; the
// product of two vectors is a scalar. MatMul reads b by columns, so a transposed view of a row-major [n][k], such as a weight matrix
// or the keys of attention, is the form that needs no copy.
//
// Products are float32, whatever the types, but for one case: if b is the transposed view of a quantised matrix that has a packed form, it is
// packed and multiplied as [Linear] does. To use such a matrix more than once, pack it once and call Linear.
func MatMul(p *kernels.Pool, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	if a.Rank() == 1 || b.Rank() == 1 {
		return withVector(p, a, b)
	}
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
	out, dst, err := result(join(batch, m, n), a, b)
	if err != nil {
		return nil, err
	}
	in := inputs.Get().(*kernels.Input)
	defer release(in)
	for i := range products {
		in.Reset(x[i*rows*k:(i+1)*rows*k], rows, k)
		kernels.MatMulF32(p, dst[i*rows*n:(i+1)*rows*n], n, wValues[i*n*k:(i+1)*n*k], n, in)
	}
	return out, nil
}

// withVector is [MatMul] where a or b is a vector.
func withVector(p *kernels.Pool, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	var gone []int // dimensions that the result lacks
	aShape, bShape := a.Shape(), b.Shape()
	var err error
	if len(bShape) == 1 {
		gone = append(gone, -1)
		if b, err = b.Unsqueeze(-1); err != nil {
			return nil, named("matmul", err)
		}
	}
	if len(aShape) == 1 {
		gone = append(gone, -2)
		if a, err = a.Unsqueeze(0); err != nil {
			return nil, named("matmul", err)
		}
	}
	if a.Rank() < 2 || b.Rank() < 2 || a.Shape()[a.Rank()-1] != b.Shape()[b.Rank()-2] {
		return nil, mismatch("matmul", aShape, bShape)
	}
	product, err := MatMul(p, a, b)
	if err != nil {
		return nil, err
	}
	return product.Squeeze(gone...)
}
