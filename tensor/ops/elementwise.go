package ops

import (
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Add returns a + b, broadcast to a common shape.
func Add(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return combine("add", a, b, kernels.Default().Add)
}

// Mul returns the element-wise product of a and b, broadcast to a common shape.
func Mul(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return combine("mul", a, b, kernels.Default().Mul)
}

// combine copies a and lets f join b to it.
func combine(op string, a, b *tensor.Tensor, f func(dst, x []float32)) (*tensor.Tensor, error) {
	shape, err := tensor.BroadcastShapes(a.Shape(), b.Shape())
	if err != nil {
		return nil, mismatch(op, a.Shape(), b.Shape())
	}
	if a, err = a.Broadcast(shape...); err != nil {
		return nil, err
	}
	if b, err = b.Broadcast(shape...); err != nil {
		return nil, err
	}
	out, dst, err := copied(a)
	if err != nil {
		return nil, err
	}
	x, err := floats(b)
	if err != nil {
		return nil, err
	}
	f(dst, x)
	return out, nil
}

// Scale returns x with every element multiplied by s.
func Scale(x *tensor.Tensor, s float32) (*tensor.Tensor, error) {
	out, dst, err := copied(x)
	if err != nil {
		return nil, err
	}
	kernels.Default().Scale(dst, s)
	return out, nil
}

// SiLU returns x·sigmoid(x), element by element.
func SiLU(x *tensor.Tensor) (*tensor.Tensor, error) {
	out, dst, err := copied(x)
	if err != nil {
		return nil, err
	}
	kernels.Default().SiLU(dst, dst)
	return out, nil
}
