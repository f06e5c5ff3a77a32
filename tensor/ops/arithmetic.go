package ops

import (
	"math"
	"slices"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Add returns a + b, broadcast to a common shape; of integers, integers.
func Add(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return combine("add", a, b, kernels.Default().Add, func(dst, x []int64) {
		for i, v := range x {
			dst[i] += v
		}
	})
}

// Sub returns a − b, broadcast to a common shape; of integers, integers.
func Sub(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return combine("sub", a, b, sub[float32], sub[int64])
}

// Mul returns the element-wise product of a and b, broadcast to a common shape; of integers, integers.
func Mul(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return combine("mul", a, b, kernels.Default().Mul, func(dst, x []int64) {
		for i, v := range x {
			dst[i] *= v
		}
	})
}

// Div returns a / b, broadcast to a common shape, always F32. A division by zero gives an infinity or a NaN.
func Div(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return combine("div", a, b, func(dst, x []float32) {
		for i, v := range x {
			dst[i] /= v
		}
	}, nil)
}

// Pow returns a raised to the power of b, broadcast to a common shape, always F32: see [math.Pow].
func Pow(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return combine("pow", a, b, func(dst, x []float32) {
		for i, v := range x {
			dst[i] = float32(math.Pow(float64(dst[i]), float64(v)))
		}
	}, nil)
}

// Minimum returns the smaller of each pair of elements, broadcast to a common shape; of integers, integers. If one is a NaN, so is the result.
func Minimum(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return combine("minimum", a, b, minimum[float32], minimum[int64])
}

// Maximum is [Minimum] for the larger one.
func Maximum(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return combine("maximum", a, b, maximum[float32], maximum[int64])
}

func sub[T number](dst, x []T) {
	for i, v := range x {
		dst[i] -= v
	}
}

func minimum[T number](dst, x []T) {
	for i, v := range x {
		dst[i] = min(dst[i], v)
	}
}

func maximum[T number](dst, x []T) {
	for i, v := range x {
		dst[i] = max(dst[i], v)
	}
}

// combine copies a, broadcast, and lets f join b to it. If both are of integers and whole is not nil, whole does so.
func combine(op string, a, b *tensor.Tensor, f func(dst, x []float32), whole func(dst, x []int64)) (*tensor.Tensor, error) {
	a, b, err := broadcast(op, a, b)
	if err != nil {
		return nil, err
	}
	if whole != nil && allIntegers(a, b) {
		dst, err := integers(a)
		if err != nil {
			return nil, err
		}
		x, err := integers(b)
		if err != nil {
			return nil, err
		}
		whole(dst, x)
		return ofIntegers(dst, integerResult(a, b), a.Shape(), a, b)
	}
	out, dst, err := copied(a, b)
	if err != nil {
		return nil, err
	}
	x, err := repeated(b)
	if err != nil || len(x) == 0 {
		return out, err
	}
	for part := range slices.Chunk(dst, len(x)) {
		f(part, x)
	}
	return out, nil
}

// broadcast returns views of a and b of their common shape.
func broadcast(op string, a, b *tensor.Tensor) (_, _ *tensor.Tensor, err error) {
	shape, err := tensor.BroadcastShapes(a.Shape(), b.Shape())
	if err != nil {
		return nil, nil, mismatch(op, a.Shape(), b.Shape())
	}
	if a, err = a.Broadcast(shape...); err != nil {
		return nil, nil, named(op, err)
	}
	if b, err = b.Broadcast(shape...); err != nil {
		return nil, nil, named(op, err)
	}
	return a, b, nil
}

// repeated returns the elements of x in row-major order, without the repetitions of its first dimensions: a bias that was broadcast to all rows is
// one row.
func repeated(x *tensor.Tensor) ([]float32, error) {
	for x.Len() > 0 && x.Rank() > 0 && x.Strides()[0] == 0 {
		once, err := x.Index(0, 0)
		if err != nil {
			return nil, err
		}
		x = once
	}
	return floats(x)
}

// Scale returns x with every element multiplied by s, always F32.
func Scale(x *tensor.Tensor, s float32) (*tensor.Tensor, error) {
	return change("scale", x, func(x []float32) { kernels.Default().Scale(x, s) }, nil)
}

// AddScalar returns x with s added to every element, always F32.
func AddScalar(x *tensor.Tensor, s float32) (*tensor.Tensor, error) {
	return change("add scalar", x, func(x []float32) {
		for i := range x {
			x[i] += s
		}
	}, nil)
}

// Neg returns −x; of integers, integers.
func Neg(x *tensor.Tensor) (*tensor.Tensor, error) {
	return change("neg", x, neg[float32], neg[int64])
}

// Abs returns the absolute values of x; of integers, integers.
func Abs(x *tensor.Tensor) (*tensor.Tensor, error) {
	return change("abs", x, each(math.Abs), func(x []int64) {
		for i, v := range x {
			x[i] = max(v, -v)
		}
	})
}

// Sqrt returns the square roots of x, always F32; that of a negative number is a NaN.
func Sqrt(x *tensor.Tensor) (*tensor.Tensor, error) { return change("sqrt", x, each(math.Sqrt), nil) }

// Exp returns e to the power of x, always F32.
func Exp(x *tensor.Tensor) (*tensor.Tensor, error) { return change("exp", x, each(math.Exp), nil) }

// Log returns the natural logarithms of x, always F32; that of 0 is −Inf, that of a negative number a NaN.
func Log(x *tensor.Tensor) (*tensor.Tensor, error) { return change("log", x, each(math.Log), nil) }

func neg[T number](x []T) {
	for i, v := range x {
		x[i] = -v
	}
}

// each returns a function that applies f, computed in float64, to all elements.
func each(f func(float64) float64) func([]float32) {
	return func(x []float32) {
		for i, v := range x {
			x[i] = float32(f(float64(v)))
		}
	}
}

// change copies x and lets f change the copy. If x is of integers and whole is not nil, whole does so.
func change(op string, x *tensor.Tensor, f func([]float32), whole func([]int64)) (*tensor.Tensor, error) {
	if whole != nil && allIntegers(x) {
		values, err := integers(x)
		if err != nil {
			return nil, named(op, err)
		}
		whole(values)
		return ofIntegers(values, integerResult(x), x.Shape(), x)
	}
	out, dst, err := copied(x)
	if err != nil {
		return nil, named(op, err)
	}
	f(dst)
	return out, nil
}
