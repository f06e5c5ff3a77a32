package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// RoPE rotates pairs of elements of the heads of x [...][rows][heads][headDim] by the angles of each row, whose cosines and sines are
// [rows][headDim/2], as from [RoPEAngles]. pairing says which elements form a pair.
func RoPE(x, cos, sin *tensor.Tensor, pairing kernels.Pairing) (*tensor.Tensor, error) {
	if pairing != kernels.PairHalves && pairing != kernels.PairAdjacent {
		return nil, fmt.Errorf("ops: rope: %w: unknown pairing %d", tensor.ErrShape, pairing)
	}
	shape := x.Shape()
	rank := len(shape)
	if rank < 3 || shape[rank-1]%2 != 0 || shape[rank-1] == 0 {
		return nil, mismatch("rope", shape, cos.Shape())
	}
	rows, heads, headDim := shape[rank-3], shape[rank-2], shape[rank-1]
	angles := []int{rows, headDim / 2}
	if !slices.Equal(cos.Shape(), angles) || !slices.Equal(sin.Shape(), angles) {
		return nil, fmt.Errorf("ops: rope: %w: %v, cosines %v, sines %v", tensor.ErrShape, shape, cos.Shape(), sin.Shape())
	}
	c, err := floats(cos)
	if err != nil {
		return nil, err
	}
	s, err := floats(sin)
	if err != nil {
		return nil, err
	}
	out, dst, err := copied(x)
	if err != nil {
		return nil, err
	}
	half, width := headDim/2, heads*headDim
	for i := range elements(shape[:rank-2]) {
		at := i % rows * half
		kernels.Default().RoPE(dst[i*width:(i+1)*width], c[at:at+half], s[at:at+half], heads, headDim, pairing)
	}
	return out, nil
}

// RoPEAngles returns the cosines and sines, [len(positions)][headDim/2], of the angles position·base^(−2i/headDim) of rotary embeddings without
// scaling (Su et al. 2021). They are computed in float64.
func RoPEAngles(positions []int, headDim int, base float64) (cos, sin *tensor.Tensor, err error) {
	if headDim <= 0 || headDim%2 != 0 {
		return nil, nil, fmt.Errorf("ops: rope: %w: head dimension %d is not even and positive", tensor.ErrShape, headDim)
	}
	half := headDim / 2
	cos, c, err := result([]int{len(positions), half})
	if err != nil {
		return nil, nil, err
	}
	sin, s, err := result([]int{len(positions), half})
	if err != nil {
		return nil, nil, err
	}
	for row, position := range positions {
		for i := range half {
			angle := float64(position) * math.Pow(base, -2*float64(i)/float64(headDim))
			c[row*half+i], s[row*half+i] = float32(math.Cos(angle)), float32(math.Sin(angle))
		}
	}
	return cos, sin, nil
}
