package ops

import (
	"fmt"
	"slices"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Embedding returns the rows of table [vocabulary][n] that indices, I32 [...], names: [...][n].
func Embedding(table, indices *tensor.Tensor) (*tensor.Tensor, error) {
	shape := table.Shape()
	if len(shape) != 2 {
		return nil, mismatch("embedding", shape, indices.Shape())
	}
	return embed(indices, shape[0], shape[1], func(dst []float32, id int) error {
		row, err := table.Slice(0, id, id+1)
		if err != nil {
			return err
		}
		return row.CopyTo(dst)
	})
}

// EmbeddingPacked is [Embedding] with a packed table, as a model has that uses one matrix for embedding and output.
func EmbeddingPacked(table tensor.Packed, indices *tensor.Tensor) (*tensor.Tensor, error) {
	if err := table.Check(); err != nil {
		return nil, fmt.Errorf("ops: embedding: %w", err)
	}
	return embed(indices, table.Rows, table.Cols, func(dst []float32, id int) error {
		kernels.Default().DequantizeRow(dst, table, id)
		return nil
	})
}

// embed gathers rows of n elements.
func embed(indices *tensor.Tensor, vocabulary, n int, row func(dst []float32, id int) error) (*tensor.Tensor, error) {
	list, err := ids("embedding", indices)
	if err != nil {
		return nil, err
	}
	out, dst, err := result(join(indices.Shape(), n))
	if err != nil {
		return nil, err
	}
	for i, id := range list {
		if id < 0 || int(id) >= vocabulary {
			return nil, fmt.Errorf("ops: embedding: %w: index %d of a table [%d %d]", tensor.ErrShape, id, vocabulary, n)
		}
		if err := row(dst[i*n:(i+1)*n], int(id)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Concat joins tensors of one type, whose shapes differ in dimension dim alone, along it. The result has their type.
func Concat(dim int, xs ...*tensor.Tensor) (*tensor.Tensor, error) {
	if len(xs) == 0 {
		return nil, fmt.Errorf("ops: concat: %w: nothing to join", tensor.ErrShape)
	}
	shape := xs[0].Shape()
	if dim < 0 || dim >= len(shape) {
		return nil, fmt.Errorf("ops: concat: %w: dimension %d of %v", tensor.ErrShape, dim, shape)
	}
	for _, x := range xs[1:] {
		other := x.Shape()
		if len(other) != len(shape) || !slices.Equal(other[:dim], shape[:dim]) || !slices.Equal(other[dim+1:], shape[dim+1:]) {
			return nil, mismatch("concat", xs[0].Shape(), other)
		}
		if x.DType() != xs[0].DType() {
			return nil, fmt.Errorf("ops: concat: %w: %v and %v; convert to one type first", tensor.ErrType, xs[0].DType(), x.DType())
		}
		shape[dim] += other[dim]
	}
	out, err := tensor.New(xs[0].DType(), shape...)
	if err != nil {
		return nil, fmt.Errorf("ops: concat: %w", err)
	}
	at := 0
	for _, x := range xs {
		n := x.Shape()[dim]
		part, err := out.Slice(dim, at, at+n)
		if err != nil {
			return nil, err
		}
		if err := part.Assign(x); err != nil {
			return nil, fmt.Errorf("ops: concat: %w", err)
		}
		at += n
	}
	return out, nil
}
