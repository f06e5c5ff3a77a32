package ops

import (
	"errors"
	"fmt"
	"slices"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// ConvOptions says how the window of a convolution moves. The zero value is a window that moves by one row and stays inside.
type ConvOptions struct {
	Stride   int // rows by which the window moves; 0 means 1
	Dilation int // distance of the rows of a window; 0 means 1
	// Before and After are the numbers of rows of zeros at the two ends. With Before = (window−1)·Dilation no row sees one behind it.
	Before, After int
	// Groups cuts the channels into as many groups, each of which is a convolution of its own; 0 means 1. With as many groups as channels, each
	// channel has a filter of its own.
	Groups int
}

// Conv1D is the convolution of the rows of x [...][rows][channels] with w [outputs][channels/groups][window], as models store it, plus bias [outputs],
// which may be nil:
//
//	y[t][o] = bias[o] + Σ_j Σ_c w[o][c][j]·x[t·stride + j·dilation − before][c]
//
// The result is [...][rows′][outputs] with rows′ = (before + rows + after − (window−1)·dilation − 1)/stride + 1. Note that channels come last in x and
// in the result, as in all of this module.
func Conv1D(p *kernels.Pool, x, w, bias *tensor.Tensor, options ConvOptions) (*tensor.Tensor, error) {
	xs, ws := x.Shape(), w.Shape()
	stride, dilation, groups := max(options.Stride, 1), max(options.Dilation, 1), max(options.Groups, 1)
	wrong := fmt.Errorf("ops: conv1d: %w: %v, weights %v, bias %v, %+v", tensor.ErrShape, xs, ws, bias.Shape(), options)
	if len(xs) < 2 || len(ws) != 3 || min(options.Stride, options.Dilation, options.Groups) < 0 {
		return nil, wrong
	}
	channels, outputs, window := xs[len(xs)-1], ws[0], ws[2]
	if ws[1]*groups != channels || outputs%groups != 0 || window == 0 || bias != nil && !slices.Equal(bias.Shape(), ws[:1]) {
		return nil, wrong
	}
	batch, inputs := elements(xs[:len(xs)-2]), channels/groups*window
	all := chain{x: x}.contiguous().reshape(batch, xs[len(xs)-2], channels)
	if all.err != nil {
		return nil, named("conv1d", all.err)
	}
	padded, err := Pad(all.x, 1, options.Before, options.After, 0)
	if err != nil {
		return nil, err
	}
	rows := padded.Shape()[1]
	moves := (rows-(window-1)*dilation-1)/stride + 1
	if rows <= (window-1)*dilation {
		return nil, wrong
	}
	windows := chain{x: padded}.do(func(x *tensor.Tensor) (*tensor.Tensor, error) {
		return x.AsStrided([]int{batch, moves, groups, channels / groups, window}, []int{rows * channels, stride * channels, channels / groups, 1, dilation * channels})
	}).permute(2, 0, 1, 3, 4).contiguous().reshape(groups, batch*moves, inputs)
	filters := chain{x: w}.contiguous().reshape(groups, outputs/groups, inputs).do((*tensor.Tensor).Transpose)
	if err := errors.Join(windows.err, filters.err); err != nil {
		return nil, named("conv1d", err)
	}
	y, err := MatMul(p, windows.x, filters.x)
	if err != nil {
		return nil, err
	}
	sums := chain{x: y}.permute(1, 0, 2).contiguous().reshape(join(xs[:len(xs)-2], moves, outputs)...)
	if sums.err != nil || bias == nil {
		return sums.x, sums.err
	}
	return Add(sums.x, bias)
}
