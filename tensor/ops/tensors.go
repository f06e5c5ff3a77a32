package ops

import (
	"fmt"
	"slices"

	"github.com/lever-go/lever/tensor"
)

// result returns a new F32 tensor and its elements.
func result(shape []int) (*tensor.Tensor, []float32, error) {
	out, err := tensor.New(tensor.F32, shape...)
	if err != nil {
		return nil, nil, err
	}
	values, err := out.Float32s()
	return out, values, err
}

// copied returns an F32 copy of x, to be changed in place, and its elements.
func copied(x *tensor.Tensor) (*tensor.Tensor, []float32, error) {
	out, values, err := result(x.Shape())
	if err != nil {
		return nil, nil, err
	}
	return out, values, x.CopyTo(values)
}

// floats returns the elements of x as float32 in row-major order, to be read only: they may be those of x itself.
func floats(x *tensor.Tensor) ([]float32, error) {
	plain, err := x.To(tensor.F32)
	if err != nil {
		return nil, err
	}
	return plain.Float32s()
}

// ids returns the elements of an I32 tensor, to be read only.
func ids(op string, x *tensor.Tensor) ([]int32, error) {
	if x.DType() != tensor.I32 {
		return nil, fmt.Errorf("ops: %s: %w: indices are %v, want %v", op, tensor.ErrType, x.DType(), tensor.I32)
	}
	plain, err := x.To(tensor.I32)
	if err != nil {
		return nil, err
	}
	return plain.Int32s()
}

// rowLength returns the last dimension of x, which must have elements.
func rowLength(op string, x *tensor.Tensor) (int, error) {
	shape := x.Shape()
	if len(shape) == 0 || shape[len(shape)-1] == 0 {
		return 0, fmt.Errorf("ops: %s: %w: %v has no rows with elements", op, tensor.ErrShape, shape)
	}
	return shape[len(shape)-1], nil
}

// mismatch is the error that two shapes do not fit together.
func mismatch(op string, a, b []int) error {
	return fmt.Errorf("ops: %s: %w: %v and %v", op, tensor.ErrShape, a, b)
}

// join returns a shape made of dims and more behind them, in memory of its own.
func join(dims []int, more ...int) []int { return append(slices.Clone(dims), more...) }

// elements returns the number of elements of a shape.
func elements(shape []int) int {
	n := 1
	for _, dim := range shape {
		n *= dim
	}
	return n
}
