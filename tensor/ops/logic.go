package ops

import (
	"fmt"

	"github.com/lever-go/lever/tensor"
)

// Equal returns, as Bool, whether a = b, element by element, broadcast to a common shape. Integers are compared exactly, all else as float32; a NaN
// equals nothing. To compare whole tensors, see [tensor.Equal] and [tensor.Close].
func Equal(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return compare("equal", a, b, equal[float32], equal[int64])
}

// Less is [Equal] for a < b.
func Less(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return compare("less", a, b, less[float32], less[int64])
}

// LessEqual is [Equal] for a ≤ b.
func LessEqual(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return compare("less or equal", a, b, lessEqual[float32], lessEqual[int64])
}

// Greater is [Equal] for a > b.
func Greater(a, b *tensor.Tensor) (*tensor.Tensor, error) { return Less(b, a) }

// GreaterEqual is [Equal] for a ≥ b.
func GreaterEqual(a, b *tensor.Tensor) (*tensor.Tensor, error) { return LessEqual(b, a) }

// And returns, as Bool, whether both a and b are other than 0, broadcast to a common shape.
func And(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return compare("and", a, b, func(dst []bool, a, b []float32) {
		for i := range dst {
			dst[i] = a[i] != 0 && b[i] != 0
		}
	}, nil)
}

// Or returns, as Bool, whether a or b is other than 0, broadcast to a common shape.
func Or(a, b *tensor.Tensor) (*tensor.Tensor, error) {
	return compare("or", a, b, func(dst []bool, a, b []float32) {
		for i := range dst {
			dst[i] = a[i] != 0 || b[i] != 0
		}
	}, nil)
}

// Not returns, as Bool, where x is 0.
func Not(x *tensor.Tensor) (*tensor.Tensor, error) {
	zero, err := tensor.New(tensor.Bool)
	if err != nil {
		return nil, err
	}
	return Equal(x, zero)
}

func equal[T number](dst []bool, a, b []T) {
	for i := range dst {
		dst[i] = a[i] == b[i]
	}
}

func less[T number](dst []bool, a, b []T) {
	for i := range dst {
		dst[i] = a[i] < b[i]
	}
}

func lessEqual[T number](dst []bool, a, b []T) {
	for i := range dst {
		dst[i] = a[i] <= b[i]
	}
}

// compare broadcasts a and b and lets f compare them, or whole if both are of integers and it is not nil.
func compare(op string, a, b *tensor.Tensor, f func(dst []bool, a, b []float32), whole func(dst []bool, a, b []int64)) (*tensor.Tensor, error) {
	a, b, err := broadcast(op, a, b)
	if err != nil {
		return nil, err
	}
	dst := make([]bool, a.Len())
	if whole != nil && allIntegers(a, b) {
		x, err := integers(a)
		if err != nil {
			return nil, err
		}
		y, err := integers(b)
		if err != nil {
			return nil, err
		}
		whole(dst, x, y)
	} else {
		x, err := floats(a)
		if err != nil {
			return nil, err
		}
		y, err := floats(b)
		if err != nil {
			return nil, err
		}
		f(dst, x, y)
	}
	return asBools(dst, a.Shape(), a, b)
}

// asBools returns a Bool tensor over values. Results of it are in the arena of the arguments.
func asBools(values []bool, shape []int, from ...*tensor.Tensor) (*tensor.Tensor, error) {
	out, err := tensor.FromBools(values)
	if err != nil {
		return nil, err
	}
	if out, err = out.Reshape(shape...); err != nil {
		return nil, err
	}
	return arena(from...).Use(out), nil
}

// Where returns the elements of a where those of condition, a Bool tensor, are true, else those of b; all are broadcast to a common shape. If a and
// b are both of integers, so is the result, else it is F32.
func Where(condition, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	if condition.DType() != tensor.Bool {
		return nil, fmt.Errorf("ops: where: %w: the condition is %v, want %v", tensor.ErrType, condition.DType(), tensor.Bool)
	}
	a, b, err := broadcast("where", a, b)
	if err != nil {
		return nil, err
	}
	_, condition, err = broadcast("where", a, condition)
	if err != nil {
		return nil, err
	}
	if a, err = a.Broadcast(condition.Shape()...); err != nil {
		return nil, err
	}
	if b, err = b.Broadcast(condition.Shape()...); err != nil {
		return nil, err
	}
	chosen, err := condition.Bools()
	if err != nil {
		return nil, err
	}
	if allIntegers(a, b) {
		dst, err := integers(b)
		if err != nil {
			return nil, err
		}
		x, err := integers(a)
		if err != nil {
			return nil, err
		}
		choose(dst, x, chosen)
		return ofIntegers(dst, integerResult(a, b), a.Shape(), condition, a, b)
	}
	out, dst, err := copied(b, condition, a)
	if err != nil {
		return nil, err
	}
	x, err := floats(a)
	if err != nil {
		return nil, err
	}
	choose(dst, x, chosen)
	return out, nil
}

func choose[T number](dst, x []T, chosen []bool) {
	for i, yes := range chosen {
		if yes {
			dst[i] = x[i]
		}
	}
}

// Clamp returns x with every element below low replaced by low, and every one above high by high, always F32. A NaN stays one.
func Clamp(x *tensor.Tensor, low, high float32) (*tensor.Tensor, error) {
	if !(low <= high) {
		return nil, fmt.Errorf("ops: clamp: %w: from %v to %v", tensor.ErrShape, low, high)
	}
	return change("clamp", x, func(x []float32) {
		for i, v := range x {
			x[i] = min(max(v, low), high)
		}
	}, nil)
}

// CausalMask returns, as Bool [rows][keys], which keys each row sees: its own, that of the last row being the last key, and all before.
func CausalMask(rows, keys int) (*tensor.Tensor, error) {
	mask, err := tensor.New(tensor.Bool, rows, keys)
	if err != nil {
		return nil, named("causal mask", err)
	}
	visible, err := mask.Bytes()
	if err != nil {
		return nil, named("causal mask", err)
	}
	for i := range visible {
		if i%keys <= i/keys+keys-rows {
			visible[i] = 1
		}
	}
	return mask, nil
}
