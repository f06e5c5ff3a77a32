package ops

import (
	"fmt"
	"iter"
	"os"
	"slices"
	"sync"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Linear multiplies the rows of x [...][inputs] with the rows of a packed weight matrix that w holds, [outputs][inputs]: the result is
// [...][outputs], each element the product of a row of x with a row of w. With quantised weights the activations are rounded to int8 in
// blocks of 32, as package kernels describes; with F16 they are not. w may be a part of a matrix; [LinearParts] takes all of them. F32 and BF16
// matrices have no packed form: multiply with them by [Affine], or convert them to F16. To add a bias, call [Add].
func Linear(p *kernels.Pool, x *tensor.Tensor, w tensor.Packed) (*tensor.Tensor, error) {
	w.Row = 0
	return LinearParts(p, x, w.Rows, func(yield func(tensor.Packed, error) bool) { yield(w, nil) })
}

// LinearParts is [Linear] with a whole matrix [outputs][inputs] that comes in parts, in order, as those of a store's tensor do. A part is used
// before the next one is asked for.
func LinearParts(p *kernels.Pool, x *tensor.Tensor, outputs int, parts iter.Seq2[tensor.Packed, error]) (*tensor.Tensor, error) {
	shape := x.Shape()
	last := len(shape) - 1
	if last < 0 || outputs < 0 {
		return nil, mismatch("linear", shape, []int{outputs})
	}
	if err := usable("linear", p); err != nil {
		return nil, err
	}
	values, err := floats(x)
	if err != nil {
		return nil, err
	}
	out, dst, err := result(join(shape[:last], outputs), x)
	if err != nil {
		return nil, err
	}
	in := inputs.Get().(*kernels.Input)
	defer release(in)
	in.Reset(values, elements(shape[:last]), shape[last])
	next := 0
	for part, err := range parts {
		if err == nil {
			err = fits(part, next, outputs, shape)
		}
		if err != nil {
			return nil, fmt.Errorf("ops: linear: %w", err)
		}
		kernels.MatMul(p, dst, outputs, part, in)
		next += part.Rows
	}
	if next != outputs {
		return nil, fmt.Errorf("ops: linear: %w: the parts have %d rows, not %d", tensor.ErrShape, next, outputs)
	}
	return out, nil
}

// Affine returns x·wᵀ + bias: [...][outputs] of x [...][inputs], w [outputs][inputs] of any type and bias [outputs], which may be nil. It serves
// weights that have no packed form, such as F32 and BF16, and small ones. A quantised matrix is packed for each call: pack it once and call [Linear].
func Affine(p *kernels.Pool, x, w, bias *tensor.Tensor) (*tensor.Tensor, error) {
	shape, wShape := x.Shape(), w.Shape()
	if len(shape) == 0 || len(wShape) != 2 || shape[len(shape)-1] != wShape[1] || bias != nil && !slices.Equal(bias.Shape(), wShape[:1]) {
		return nil, fmt.Errorf("ops: affine: %w: %v, weights %v, bias %v", tensor.ErrShape, shape, wShape, bias.Shape())
	}
	wT, err := w.Transpose()
	if err != nil {
		return nil, named("affine", err)
	}
	y, err := MatMul(p, x, wT)
	if err != nil || bias == nil {
		return y, err
	}
	return Add(y, bias)
}

// inputs keeps what products with quantised weights need besides their result.
var inputs = sync.Pool{New: func() any { return new(kernels.Input) }}

func release(in *kernels.Input) {
	in.Reset(nil, 0, 0)
	inputs.Put(in)
}

// fits checks that w can be multiplied with rows of a shape, and holds rows from next on of a matrix of so many outputs.
func fits(w tensor.Packed, next, outputs int, shape []int) error {
	if err := w.Check(); err != nil {
		return err
	}
	switch {
	case !tensor.Packable(w.Type):
		return fmt.Errorf("%w: a vector of %v is no weight matrix", tensor.ErrType, w.Type)
	case w.Cols != shape[len(shape)-1]:
		return fmt.Errorf("%w: %v and %v", tensor.ErrShape, shape, []int{w.Rows, w.Cols})
	case w.Row != next || w.Row+w.Rows > outputs:
		return fmt.Errorf("%w: rows %d..%d where rows from %d to at most %d belong", tensor.ErrShape, w.Row, w.Row+w.Rows, next, outputs)
	}
	return nil
}

// usable reports that a pool was closed.
func usable(op string, p *kernels.Pool) error {
	if p.Closed() {
		return fmt.Errorf("ops: %s: the pool: %w", op, os.ErrClosed)
	}
	return nil
}
