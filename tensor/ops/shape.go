package ops

import (
	"fmt"
	"slices"

	"github.com/lever-go/lever/tensor"
)

// The functions of this file move elements and keep their type. What needs no copy is a method of [tensor.Tensor].

// Concat joins tensors of one type, whose shapes differ in dimension dim alone, along it.
func Concat(dim int, xs ...*tensor.Tensor) (*tensor.Tensor, error) {
	if len(xs) == 0 {
		return nil, fmt.Errorf("ops: concat: %w: nothing to join", tensor.ErrShape)
	}
	dim, err := axis("concat", xs[0], dim)
	if err != nil {
		return nil, err
	}
	shape := xs[0].Shape()
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
	out, err := arena(xs...).New(xs[0].DType(), shape...)
	if err != nil {
		return nil, named("concat", err)
	}
	at := 0
	for _, x := range xs {
		n := x.Shape()[dim]
		part, err := out.Slice(dim, at, at+n)
		if err != nil {
			return nil, err
		}
		if err := part.Assign(x); err != nil {
			return nil, named("concat", err)
		}
		at += n
	}
	return out, nil
}

// Stack joins tensors of one type and shape along a new dimension dim of the result; −1 is the last one.
func Stack(dim int, xs ...*tensor.Tensor) (*tensor.Tensor, error) {
	wide := make([]*tensor.Tensor, len(xs))
	for i, x := range xs {
		var err error
		if wide[i], err = x.Unsqueeze(dim); err != nil {
			return nil, named("stack", err)
		}
	}
	return Concat(dim, wide...)
}

// Split returns views of x that follow each other along dimension dim and have the given sizes along it, which add up to that dimension.
func Split(x *tensor.Tensor, dim int, sizes ...int) ([]*tensor.Tensor, error) {
	d, err := axis("split", x, dim)
	if err != nil {
		return nil, err
	}
	wrong := fmt.Errorf("ops: split: %w: dimension %d of %v into %v", tensor.ErrShape, dim, x.Shape(), sizes)
	parts, at := make([]*tensor.Tensor, len(sizes)), 0
	for i, n := range sizes {
		if n < 0 {
			return nil, wrong
		}
		if parts[i], err = x.Slice(d, at, at+n); err != nil {
			return nil, wrong
		}
		at += n
	}
	if at != x.Shape()[d] {
		return nil, wrong
	}
	return parts, nil
}

// Pad returns x with before and after elements of the given value at the two ends of dimension dim. x is not of a block type.
func Pad(x *tensor.Tensor, dim, before, after int, value float32) (*tensor.Tensor, error) {
	d, err := axis("pad", x, dim)
	if err != nil {
		return nil, err
	}
	shape := x.Shape()
	if before < 0 || after < 0 {
		return nil, fmt.Errorf("ops: pad: %w: %d and %d at the ends of dimension %d of %v", tensor.ErrShape, before, after, dim, shape)
	}
	if x.DType().Quantized() {
		return nil, fmt.Errorf("ops: pad: %w: %v; convert it to %v first", tensor.ErrType, x.DType(), tensor.F32)
	}
	n := shape[d]
	shape[d] += before + after
	out, err := arena(x).New(x.DType(), shape...)
	if err != nil {
		return nil, named("pad", err)
	}
	inner, err := out.Slice(d, before, before+n)
	if err != nil {
		return nil, named("pad", err)
	}
	if value != 0 {
		filler, err := tensor.Full(x.DType(), value)
		if err != nil {
			return nil, named("pad", err)
		}
		if err := out.Assign(filler); err != nil {
			return nil, named("pad", err)
		}
	}
	return out, inner.Assign(x)
}

// Repeat returns x with each element along dimension dim n times in a row: a b becomes a a b b.
func Repeat(x *tensor.Tensor, dim, n int) (*tensor.Tensor, error) {
	return copies("repeat", x, dim, n, 1)
}

// Tile returns x n times in a row along dimension dim: a b becomes a b a b.
func Tile(x *tensor.Tensor, dim, n int) (*tensor.Tensor, error) { return copies("tile", x, dim, n, 0) }

// copies inserts a dimension of n, offset behind dim, and joins the two.
func copies(op string, x *tensor.Tensor, dim, n, offset int) (*tensor.Tensor, error) {
	d, err := axis(op, x, dim)
	if err != nil {
		return nil, err
	}
	shape := x.Shape()
	if n < 0 {
		return nil, fmt.Errorf("ops: %s: %w: %d times along dimension %d of %v", op, tensor.ErrShape, n, dim, shape)
	}
	wide := chain{x: x}.do(func(x *tensor.Tensor) (*tensor.Tensor, error) { return x.Unsqueeze(d + offset) }).
		do(func(x *tensor.Tensor) (*tensor.Tensor, error) {
			return x.Broadcast(slices.Insert(slices.Clone(shape), d+offset, n)...)
		}).
		do((*tensor.Tensor).Clone)
	if wide.err != nil {
		return nil, named(op, wide.err)
	}
	shape[d] *= n
	return wide.x.Reshape(shape...)
}

// Roll moves the elements of x by n places along dimension dim, backwards if n is negative; what leaves at one end enters at the other.
func Roll(x *tensor.Tensor, dim, n int) (*tensor.Tensor, error) {
	d, err := axis("roll", x, dim)
	if err != nil {
		return nil, err
	}
	size := x.Shape()[d]
	if size == 0 {
		return x.Clone()
	}
	at := size - (n%size+size)%size
	parts, err := Split(x, d, at, size-at)
	if err != nil {
		return nil, err
	}
	return Concat(d, parts[1], parts[0])
}
