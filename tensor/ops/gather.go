package ops

import (
	"fmt"
	"slices"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Embedding returns, as F32 [...][n], the rows of table [vocabulary][n] that indices, integers [...], name. See [Gather] for other dimensions
// and types.
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
	list, err := ids("embedding", indices, vocabulary)
	if err != nil {
		return nil, err
	}
	out, dst, err := result(join(indices.Shape(), n), indices)
	if err != nil {
		return nil, err
	}
	for i, id := range list {
		if err := row(dst[i*n:(i+1)*n], int(id)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Gather returns, in place of dimension dim of x, the parts of x that indices name along it: with x [a][b][c], dim 1 and indices, integers [...], the
// result is [a][...][c]. It has the type of x; a block type can be gathered along all dimensions but the last.
func Gather(x *tensor.Tensor, dim int, indices *tensor.Tensor) (*tensor.Tensor, error) {
	d, err := axis("gather", x, dim)
	if err != nil {
		return nil, err
	}
	shape := x.Shape()
	list, err := ids("gather", indices, shape[d])
	if err != nil {
		return nil, err
	}
	after := slices.Clone(shape[d+1:])
	flat := join(append(shape[:d:d], len(list)), after...)
	out, err := arena(x, indices).New(x.DType(), flat...)
	if err != nil {
		return nil, named("gather", err)
	}
	for i, id := range list {
		if err := copyPart(out, i, x, int(id), d); err != nil {
			return nil, named("gather", err)
		}
	}
	return out.Reshape(join(join(shape[:d], indices.Shape()...), after...)...)
}

// Scatter is the inverse of [Gather]: it returns a copy of x whose parts along dimension dim that indices name are those of values. With x [a][b][c],
// dim 1 and indices, integers [n], values are [a][n][c]; they are converted to the type of x. Where an index stands twice, the last one holds.
func Scatter(x *tensor.Tensor, dim int, indices, values *tensor.Tensor) (*tensor.Tensor, error) {
	d, err := axis("scatter", x, dim)
	if err != nil {
		return nil, err
	}
	shape := x.Shape()
	list, err := ids("scatter", indices, shape[d])
	if err != nil {
		return nil, err
	}
	shape[d] = len(list)
	if indices.Rank() != 1 || !slices.Equal(values.Shape(), shape) {
		return nil, fmt.Errorf("ops: scatter: %w: values %v at indices %v of dimension %d of %v", tensor.ErrShape, values.Shape(), indices.Shape(), dim, x.Shape())
	}
	out, err := x.Clone()
	if err != nil {
		return nil, named("scatter", err)
	}
	for i, id := range list {
		if err := copyPart(out, int(id), values, i, d); err != nil {
			return nil, named("scatter", err)
		}
	}
	return out, nil
}

// copyPart copies what is at index from of dimension dim of src to index to of dst.
func copyPart(dst *tensor.Tensor, to int, src *tensor.Tensor, from, dim int) error {
	into, err := dst.Slice(dim, to, to+1)
	if err != nil {
		return err
	}
	part, err := src.Slice(dim, from, from+1)
	if err != nil {
		return err
	}
	return into.Assign(part)
}
