package ops

import (
	"fmt"
	"slices"

	"github.com/lever-go/lever/tensor"
)

// number is a type that arithmetic is done in.
type number interface{ float32 | int64 }

// arena returns the arena of the first of xs that has one.
func arena(xs ...*tensor.Tensor) *tensor.Arena {
	for _, x := range xs {
		if a := x.Arena(); a != nil {
			return a
		}
	}
	return nil
}

// result returns a new F32 tensor and its elements, in the arena of the arguments it is computed from.
func result(shape []int, from ...*tensor.Tensor) (*tensor.Tensor, []float32, error) {
	out, err := arena(from...).New(tensor.F32, shape...)
	if err != nil {
		return nil, nil, err
	}
	values, err := out.Float32s()
	return out, values, err
}

// copied returns an F32 copy of x, to be changed in place, and its elements.
func copied(x *tensor.Tensor, from ...*tensor.Tensor) (*tensor.Tensor, []float32, error) {
	out, values, err := result(x.Shape(), append(from, x)...)
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

// integers returns a copy of the elements of a tensor of integers in row-major order.
func integers(x *tensor.Tensor) ([]int64, error) {
	values := make([]int64, x.Len())
	return values, x.CopyInts(values)
}

// ofIntegers returns a tensor of the given values, as far as its type holds them.
func ofIntegers(values []int64, d tensor.DType, shape []int, from ...*tensor.Tensor) (*tensor.Tensor, error) {
	out, err := arena(from...).New(d, shape...)
	if err != nil {
		return nil, err
	}
	return out, out.CopyFromInts(values)
}

// integerResult returns the type of what is computed from integers.
func integerResult(xs ...*tensor.Tensor) tensor.DType {
	if slices.ContainsFunc(xs, func(x *tensor.Tensor) bool { return x.DType() == tensor.I64 }) {
		return tensor.I64
	}
	return tensor.I32
}

// allIntegers reports whether the result of an operation on xs is of integers.
func allIntegers(xs ...*tensor.Tensor) bool {
	return !slices.ContainsFunc(xs, func(x *tensor.Tensor) bool { return !x.DType().Integer() })
}

// ids returns the elements of a tensor of integers that are all indices of a dimension of n.
func ids(op string, x *tensor.Tensor, n int) ([]int64, error) {
	if !allIntegers(x) {
		return nil, fmt.Errorf("ops: %s: %w: indices are %v, want %v or %v", op, tensor.ErrType, x.DType(), tensor.I32, tensor.I64)
	}
	list, err := integers(x)
	if err != nil {
		return nil, err
	}
	for _, id := range list {
		if id < 0 || id >= int64(n) {
			return nil, fmt.Errorf("ops: %s: %w: index %d of a dimension of %d", op, tensor.ErrShape, id, n)
		}
	}
	return list, nil
}

// axis returns the number, counted from the first, of a dimension of x that may be counted from the last.
func axis(op string, x *tensor.Tensor, dim int) (int, error) {
	rank := x.Rank()
	if dim < -rank || dim >= rank {
		return 0, fmt.Errorf("ops: %s: %w: dimension %d of %v", op, tensor.ErrShape, dim, x.Shape())
	}
	return (dim + rank) % rank, nil
}

// rowLength returns the last dimension of x, which must have elements.
func rowLength(op string, x *tensor.Tensor) (int, error) {
	shape := x.Shape()
	if len(shape) == 0 || shape[len(shape)-1] == 0 {
		return 0, fmt.Errorf("ops: %s: %w: %v has no rows with elements", op, tensor.ErrShape, shape)
	}
	return shape[len(shape)-1], nil
}

// moveLast returns a view of x with dimension dim as the last one, and a function that moves the last dimension of a tensor of the same rank to
// where dim was.
func moveLast(op string, x *tensor.Tensor, dim int) (*tensor.Tensor, func(*tensor.Tensor) (*tensor.Tensor, error), error) {
	d, err := axis(op, x, dim)
	if err != nil {
		return nil, nil, err
	}
	last := x.Rank() - 1
	var all []int
	for i := range last + 1 {
		all = append(all, i)
	}
	to := append(slices.Delete(slices.Clone(all), d, d+1), d)
	back := slices.Insert(all[:last:last], d, last)
	moved, err := x.Permute(to...)
	return moved, func(y *tensor.Tensor) (*tensor.Tensor, error) {
		view, err := y.Permute(back...)
		if err != nil {
			return nil, err
		}
		return view.Contiguous()
	}, err
}

// chain is a tensor to which one thing is done after the other, up to the first error.
type chain struct {
	x   *tensor.Tensor
	err error
}

func (c chain) do(f func(x *tensor.Tensor) (*tensor.Tensor, error)) chain {
	if c.err == nil {
		c.x, c.err = f(c.x)
	}
	return c
}

func (c chain) contiguous() chain { return c.do((*tensor.Tensor).Contiguous) }

func (c chain) reshape(shape ...int) chain {
	return c.do(func(x *tensor.Tensor) (*tensor.Tensor, error) { return x.Reshape(shape...) })
}

func (c chain) permute(dims ...int) chain {
	return c.do(func(x *tensor.Tensor) (*tensor.Tensor, error) { return x.Permute(dims...) })
}

// mismatch is the error that two shapes do not fit together.
func mismatch(op string, a, b []int) error {
	return fmt.Errorf("ops: %s: %w: %v and %v", op, tensor.ErrShape, a, b)
}

// named puts the name of an operation before an error.
func named(op string, err error) error { return fmt.Errorf("ops: %s: %w", op, err) }

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
