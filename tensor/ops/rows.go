package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Softmax returns, for each row of x along the last dimension, the exponentials divided by their sum. An element of −Inf has no part; a row
// with a NaN or +Inf becomes NaN.
func Softmax(x *tensor.Tensor) (*tensor.Tensor, error) {
	n, err := rowLength("softmax", x)
	if err != nil {
		return nil, err
	}
	out, dst, err := copied(x)
	if err != nil {
		return nil, err
	}
	for row := range slices.Chunk(dst, n) {
		kernels.Default().Softmax(row)
	}
	return out, nil
}

// RMSNorm scales each row of x [...][n] to unit root mean square and by gain [n]: x·gain / √(mean(x²) + eps).
func RMSNorm(x, gain *tensor.Tensor, eps float32) (*tensor.Tensor, error) {
	n, err := rowLength("rmsnorm", x)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(gain.Shape(), []int{n}) {
		return nil, mismatch("rmsnorm", x.Shape(), gain.Shape())
	}
	g, err := floats(gain)
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

// Argmax returns the index of the largest element of each row of x [...][n], as I32 [...]. The lowest index wins among equals, a NaN never,
// unless there is nothing else.
func Argmax(x *tensor.Tensor) (*tensor.Tensor, error) {
	n, err := rowLength("argmax", x)
	if err != nil {
		return nil, err
	}
	values, err := floats(x)
	if err != nil {
		return nil, err
	}
	best := make([]int32, 0, len(values)/n)
	for row := range slices.Chunk(values, n) {
		best = append(best, int32(kernels.Default().Argmax(row)))
	}
	shape := x.Shape()
	return tensor.FromInt32s(best, shape[:len(shape)-1]...)
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
	values, top, err := result(shape)
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
