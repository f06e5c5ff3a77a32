package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Softmax returns the exponentials of x divided by their sum along dimension dim. An element of −Inf has no part; what has nothing but −Inf, or
// a NaN or +Inf, becomes NaN.
func Softmax(x *tensor.Tensor, dim int) (*tensor.Tensor, error) {
	return along("softmax", x, dim, kernels.Default().Softmax)
}

// LogSoftmax returns the logarithm of [Softmax], also where that is too small for a float32.
func LogSoftmax(x *tensor.Tensor, dim int) (*tensor.Tensor, error) {
	return along("log-softmax", x, dim, func(x []float32) {
		all := logSumExp(x)
		for i, v := range x {
			x[i] = float32(float64(v) - all)
		}
	})
}

// logSumExp returns log Σ exp(x), computed in float64.
func logSumExp(x []float32) float64 {
	largest, sum := float64(slices.Max(x)), 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - largest)
	}
	return largest + math.Log(sum)
}

// along copies x and lets f change the elements along a dimension of the copy, which there must be.
func along(op string, x *tensor.Tensor, dim int, f func([]float32)) (*tensor.Tensor, error) {
	moved, back, err := moveLast(op, x, dim)
	if err != nil {
		return nil, err
	}
	n, err := rowLength(op, moved)
	if err != nil {
		return nil, err
	}
	out, dst, err := copied(moved)
	if err != nil {
		return nil, err
	}
	for row := range slices.Chunk(dst, n) {
		f(row)
	}
	return back(out)
}

// CrossEntropy returns −log softmax(logits)[target] for each row of logits [...][n], as F32 [...]. targets are integers [...]. [Mean] of it is the
// usual loss.
func CrossEntropy(logits, targets *tensor.Tensor) (*tensor.Tensor, error) {
	n, err := rowLength("cross-entropy", logits)
	if err != nil {
		return nil, err
	}
	shape := logits.Shape()
	if shape = shape[:len(shape)-1]; !slices.Equal(shape, targets.Shape()) {
		return nil, mismatch("cross-entropy", logits.Shape(), targets.Shape())
	}
	picked, err := ids("cross-entropy", targets, n)
	if err != nil {
		return nil, err
	}
	x, err := floats(logits)
	if err != nil {
		return nil, err
	}
	out, dst, err := result(shape, logits)
	if err != nil {
		return nil, err
	}
	for i, id := range picked {
		row := x[i*n : (i+1)*n]
		dst[i] = float32(logSumExp(row) - float64(row[id]))
	}
	return out, nil
}

// LayerNorm shifts and scales each row of x [...][n] to a mean of 0 and a variance of 1, and then by gain and bias [n], each of which may be nil:
// (x − mean)/√(variance + eps)·gain + bias (Ba et al., arXiv 1607.06450).
func LayerNorm(x, gain, bias *tensor.Tensor, eps float32) (*tensor.Tensor, error) {
	n, err := rowLength("layernorm", x)
	if err != nil {
		return nil, err
	}
	g, err := vector("layernorm", x, gain, 1)
	if err != nil {
		return nil, err
	}
	b, err := vector("layernorm", x, bias, 0)
	if err != nil {
		return nil, err
	}
	out, dst, err := copied(x)
	if err != nil {
		return nil, err
	}
	set := kernels.Default()
	for row := range slices.Chunk(dst, n) {
		center(row)
		set.RMSNorm(row, row, g, eps) // the variance is the mean square of what is left
		set.Add(row, b)
	}
	return out, nil
}

// center subtracts the mean, in the way of package layers.
func center(x []float32) {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	mean := float32(sum / float64(len(x)))
	for i := range x {
		x[i] -= mean
	}
}

// vector returns the elements of v, which is as long as the rows of x. If v is nil, they are all of the given value.
func vector(op string, x, v *tensor.Tensor, value float32) ([]float32, error) {
	shape := x.Shape()
	n := shape[len(shape)-1]
	if v == nil {
		return slices.Repeat([]float32{value}, n), nil
	}
	if !slices.Equal(v.Shape(), []int{n}) {
		return nil, mismatch(op, shape, v.Shape())
	}
	return floats(v)
}

// RMSNorm scales each row of x [...][n] to unit root mean square and by gain [n], which may be nil: x·gain / √(mean(x²) + eps) (Zhang and
// Sennrich, arXiv 1910.07467).
func RMSNorm(x, gain *tensor.Tensor, eps float32) (*tensor.Tensor, error) {
	n, err := rowLength("rmsnorm", x)
	if err != nil {
		return nil, err
	}
	g, err := vector("rmsnorm", x, gain, 1)
	if err != nil {
		return nil, err
	}
	out, dst, err := copied(x)
	if err != nil {
		return nil, err
	}
	for row := range slices.Chunk(dst, n) {
		kernels.Default().RMSNorm(row, row, g, eps)
	}
	return out, nil
}

// TopK returns the k largest elements of each row of x [...][n] in descending order, the lower index first among equals: their values, F32
// [...][k], and their indices, I32 [...][k]. NaNs are passed over; if that leaves fewer than k, the rest is −Inf with index −1.
func TopK(x *tensor.Tensor, k int) (values, indices *tensor.Tensor, err error) {
	n, err := rowLength("topk", x)
	if err != nil {
		return nil, nil, err
	}
	if k < 0 || k > n {
		return nil, nil, fmt.Errorf("ops: topk: %w: %d of rows of %v", tensor.ErrShape, k, x.Shape())
	}
	from, err := floats(x)
	if err != nil {
		return nil, nil, err
	}
	shape := x.Shape()
	shape[len(shape)-1] = k
	values, top, err := result(shape, x)
	if err != nil {
		return nil, nil, err
	}
	at := make([]int32, len(top))
	for i := range len(from) / n {
		rowTop, rowAt := top[i*k:(i+1)*k], at[i*k:(i+1)*k]
		for found := kernels.Default().TopK(rowAt, rowTop, from[i*n:(i+1)*n]); found < k; found++ {
			rowTop[found], rowAt[found] = float32(math.Inf(-1)), -1
		}
	}
	indices, err = tensor.FromInt32s(at, shape...)
	return values, indices, err
}
