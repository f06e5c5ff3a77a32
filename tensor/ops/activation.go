package ops

import (
	"math"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// The functions of this file work element by element. Results are F32 where nothing else is said.

// SiLU returns x·sigmoid(x).
func SiLU(x *tensor.Tensor) (*tensor.Tensor, error) {
	return change("silu", x, func(x []float32) { kernels.Default().SiLU(x, x) }, nil)
}

// ReLU returns max(x, 0); of integers, integers.
func ReLU(x *tensor.Tensor) (*tensor.Tensor, error) {
	return change("relu", x, relu[float32], relu[int64])
}

func relu[T number](x []T) {
	for i, v := range x {
		x[i] = max(v, 0)
	}
}

// GELU returns x·Φ(x) = x·½(1 + erf(x/√2)) (Hendrycks and Gimpel, arXiv 1606.08415).
func GELU(x *tensor.Tensor) (*tensor.Tensor, error) {
	return change("gelu", x, func(x []float32) { kernels.Default().GELU(x, x) }, nil)
}

// GELUTanh returns the approximation x·½(1 + tanh(√(2/π)·(x + 0.044715x³))) of [GELU], which many models were trained with.
func GELUTanh(x *tensor.Tensor) (*tensor.Tensor, error) {
	return change("gelu tanh", x, func(x []float32) { kernels.Default().GELUTanh(x, x) }, nil)
}

// Sigmoid returns 1/(1 + exp(−x)).
func Sigmoid(x *tensor.Tensor) (*tensor.Tensor, error) {
	return change("sigmoid", x, each(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }), nil)
}

// Tanh returns the hyperbolic tangent of x.
func Tanh(x *tensor.Tensor) (*tensor.Tensor, error) { return change("tanh", x, each(math.Tanh), nil) }
