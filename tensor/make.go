package tensor

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Full returns a tensor whose elements are all value, rounded as [Encode] does. Without dimensions it is a scalar.
func Full(d DType, value float32, shape ...int) (*Tensor, error) {
	return fill("full", d, shape, func(int) float32 { return value })
}

// Ones returns a tensor of ones.
func Ones(d DType, shape ...int) (*Tensor, error) { return Full(d, 1, shape...) }

// Arange returns the vector from, from+step, … of all numbers before to; to itself is not one of them. Integers are exact.
func Arange(d DType, from, to, step float64) (*Tensor, error) {
	n := math.Ceil((to - from) / step)
	if step == 0 || !(n < 1<<40) {
		return nil, fmt.Errorf("tensor: arange: %w: from %v to %v in steps of %v", ErrShape, from, to, step)
	}
	count := int(max(n, 0))
	if !d.Integer() {
		return fill("arange", d, []int{count}, func(i int) float32 { return float32(from + float64(i)*step) })
	}
	values := make([]int64, count)
	for i := range values {
		values[i] = int64(from + float64(i)*step)
	}
	t, err := (*Arena)(nil).zeros(d, []int{count})
	if err != nil {
		return nil, fmt.Errorf("tensor: arange: %w", err)
	}
	return t, t.CopyFromInts(values)
}

// Eye returns the matrix [n][n] with ones on the diagonal and zeros elsewhere.
func Eye(d DType, n int) (*Tensor, error) {
	return fill("eye", d, []int{n, n}, func(i int) float32 {
		if i%(n+1) == 0 {
			return 1
		}
		return 0
	})
}

// Uniform returns an F32 tensor of random numbers between low and high. The same source in the same state gives the same numbers; a nil source is a
// random one.
func Uniform(source *rand.Rand, low, high float32, shape ...int) (*Tensor, error) {
	source = orRandom(source)
	return fill("uniform", F32, shape, func(int) float32 { return low + source.Float32()*(high-low) })
}

// Normal returns an F32 tensor of normally distributed random numbers. The source is as in [Uniform].
func Normal(source *rand.Rand, mean, deviation float32, shape ...int) (*Tensor, error) {
	source = orRandom(source)
	return fill("normal", F32, shape, func(int) float32 { return float32(float64(mean) + source.NormFloat64()*float64(deviation)) })
}

func orRandom(source *rand.Rand) *rand.Rand {
	if source == nil {
		return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	return source
}

// fill returns a tensor whose element i, in row-major order, is value(i).
func fill(op string, d DType, shape []int, value func(i int) float32) (*Tensor, error) {
	t, err := (*Arena)(nil).zeros(d, shape)
	if err != nil {
		return nil, fmt.Errorf("tensor: %s: %w", op, err)
	}
	values := make([]float32, t.Len())
	for i := range values {
		values[i] = value(i)
	}
	if err := t.CopyFrom(values); err != nil {
		return nil, fmt.Errorf("tensor: %s: %w", op, err)
	}
	return t, nil
}
