package ops

import (
	"fmt"
	"slices"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// The functions of this file that take dims compute one value of all elements along these dimensions, which the result then lacks; without
// dims, one value, a scalar, of all elements. [tensor.Tensor.Unsqueeze] puts a dimension back, to broadcast the result to what it was computed from.
// Floats are summed in float64, in row-major order.

// Sum returns the sums; F32, or of integers I64. The sum of nothing is 0.
func Sum(x *tensor.Tensor, dims ...int) (*tensor.Tensor, error) {
	return reduction{
		op: "sum", sums: true,
		floats: func(x []float32) float32 { return float32(sum64(x)) },
		integers: func(x []int64) (total int64) {
			for _, v := range x {
				total += v
			}
			return total
		},
	}.along(x, dims)
}

// Mean returns the arithmetic means, F32.
func Mean(x *tensor.Tensor, dims ...int) (*tensor.Tensor, error) {
	return reduction{op: "mean", floats: func(x []float32) float32 { return float32(sum64(x) / float64(len(x))) }}.along(x, dims)
}

// Variance returns the means of the squares of the distances to the mean, F32: divided by the number n of elements, not by n − 1.
func Variance(x *tensor.Tensor, dims ...int) (*tensor.Tensor, error) {
	return reduction{op: "variance", floats: func(x []float32) float32 {
		_, variance := moments(x)
		return float32(variance)
	}}.along(x, dims)
}

// Max returns the largest elements; F32, or of integers integers. A NaN is passed over, unless there is nothing else.
func Max(x *tensor.Tensor, dims ...int) (*tensor.Tensor, error) {
	return reduction{
		op: "max", floats: func(x []float32) float32 { return x[kernels.Default().Argmax(x)] }, integers: slices.Max[[]int64],
	}.along(x, dims)
}

// Min returns the smallest elements; F32, or of integers integers. A NaN is passed over, unless there is nothing else.
func Min(x *tensor.Tensor, dims ...int) (*tensor.Tensor, error) {
	return reduction{
		op: "min", floats: func(x []float32) float32 { return x[argmin(x)] }, integers: slices.Min[[]int64],
	}.along(x, dims)
}

// Argmax returns the indices of the largest elements along dimension dim, as I32. The lowest index wins among equals, a NaN never,
// unless there is nothing else.
func Argmax(x *tensor.Tensor, dim int) (*tensor.Tensor, error) {
	return index("argmax", x, dim, kernels.Default().Argmax, func(x []int64) int { return slices.Index(x, slices.Max(x)) })
}

// Argmin is [Argmax] for the smallest elements.
func Argmin(x *tensor.Tensor, dim int) (*tensor.Tensor, error) {
	return index("argmin", x, dim, argmin[float32], argmin[int64])
}

// CumSum returns, at each place along dimension dim, the sum of the elements up to and with this one; F32, or of integers I64.
func CumSum(x *tensor.Tensor, dim int) (*tensor.Tensor, error) {
	moved, back, err := moveLast("cumsum", x, dim)
	if err != nil {
		return nil, err
	}
	n := moved.Shape()[moved.Rank()-1]
	if allIntegers(x) {
		values, err := integers(moved)
		if err != nil {
			return nil, err
		}
		for i := range values {
			if i%n > 0 {
				values[i] += values[i-1]
			}
		}
		out, err := ofIntegers(values, tensor.I64, moved.Shape(), x)
		if err != nil {
			return nil, err
		}
		return back(out)
	}
	out, dst, err := copied(moved)
	if err != nil {
		return nil, err
	}
	total := 0.0
	for i, v := range dst {
		if i%n == 0 {
			total = 0
		}
		total += float64(v)
		dst[i] = float32(total)
	}
	return back(out)
}

// sum64 adds in four chains.
func sum64(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		s0, s1, s2, s3 = s0+float64(x[0]), s1+float64(x[1]), s2+float64(x[2]), s3+float64(x[3])
	}
	for _, v := range x {
		s0 += float64(v)
	}
	return s0 + s1 + s2 + s3
}

// moments returns mean and variance.
func moments(x []float32) (mean, variance float64) {
	mean = sum64(x) / float64(len(x))
	for _, v := range x {
		d := float64(v) - mean
		variance += d * d
	}
	return mean, variance / float64(len(x))
}

func argmin[T number](x []T) int {
	best := 0
	for i, v := range x {
		if v < x[best] || x[best] != x[best] && v == v {
			best = i
		}
	}
	return best
}

// reduction makes one value of many.
type reduction struct {
	op       string
	sums     bool // nothing has a value too, and integers may need more bits than those they are made of
	floats   func([]float32) float32
	integers func([]int64) int64 // if it is nil, integers are computed as floats
}

// along computes a value of the elements along dims.
func (r reduction) along(x *tensor.Tensor, dims []int) (*tensor.Tensor, error) {
	rows, shape, n, err := gathered(r.op, x, dims)
	if err != nil {
		return nil, err
	}
	if n == 0 && !r.sums {
		return nil, fmt.Errorf("ops: %s: %w: of no elements, along %v of %v", r.op, tensor.ErrShape, dims, x.Shape())
	}
	if r.integers != nil && allIntegers(x) {
		values, err := integers(rows)
		if err != nil {
			return nil, err
		}
		d := integerResult(x)
		if r.sums {
			d = tensor.I64
		}
		totals := make([]int64, elements(shape))
		for i := range totals {
			totals[i] = r.integers(values[i*n : (i+1)*n])
		}
		return ofIntegers(totals, d, shape, x)
	}
	values, err := floats(rows)
	if err != nil {
		return nil, err
	}
	out, dst, err := result(shape, x)
	if err != nil {
		return nil, err
	}
	for i := range dst {
		dst[i] = r.floats(values[i*n : (i+1)*n])
	}
	return out, nil
}

// index computes, as I32, the place that f names among the elements along dim, or whole if x is of integers.
func index(op string, x *tensor.Tensor, dim int, f func([]float32) int, whole func([]int64) int) (*tensor.Tensor, error) {
	rows, shape, n, err := gathered(op, x, []int{dim})
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("ops: %s: %w: of no elements, along %d of %v", op, tensor.ErrShape, dim, x.Shape())
	}
	places := make([]int64, elements(shape))
	if allIntegers(x) {
		values, err := integers(rows)
		if err != nil {
			return nil, err
		}
		for i := range places {
			places[i] = int64(whole(values[i*n : (i+1)*n]))
		}
	} else {
		values, err := floats(rows)
		if err != nil {
			return nil, err
		}
		for i := range places {
			places[i] = int64(f(values[i*n : (i+1)*n]))
		}
	}
	return ofIntegers(places, tensor.I32, shape, x)
}

// gathered returns a view of x whose last dimensions are dims, the shape of the others, and the number n of elements along dims.
func gathered(op string, x *tensor.Tensor, dims []int) (rows *tensor.Tensor, kept []int, n int, err error) {
	shape := x.Shape()
	if len(dims) == 0 {
		return x, nil, elements(shape), nil
	}
	gone := make([]bool, len(shape))
	for _, dim := range dims {
		d, err := axis(op, x, dim)
		if err != nil {
			return nil, nil, 0, err
		}
		if gone[d] {
			return nil, nil, 0, fmt.Errorf("ops: %s: %w: dimensions %v of %v", op, tensor.ErrShape, dims, shape)
		}
		gone[d] = true
	}
	var order, last []int
	n = 1
	for d, size := range shape {
		if gone[d] {
			last, n = append(last, d), n*size
		} else {
			order, kept = append(order, d), append(kept, size)
		}
	}
	rows, err = x.Permute(append(order, last...)...)
	return rows, kept, n, err
}
