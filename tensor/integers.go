package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Int returns one element of a tensor of integers or of Bool, exactly.
func (t *Tensor) Int(index ...int) (int64, error) {
	e, err := t.integer(index)
	if err != nil {
		return 0, fmt.Errorf("tensor: int: %w", err)
	}
	return t.integerAt(e), nil
}

// SetInt stores one element of a tensor of integers or of Bool. A value outside of the type's range is an error.
func (t *Tensor) SetInt(value int64, index ...int) error {
	e, err := t.integer(index)
	if err != nil {
		return fmt.Errorf("tensor: set int: %w", err)
	}
	if lo, hi := t.dtype.integerRange(); value < lo || value > hi {
		return fmt.Errorf("tensor: set int: %w: %d is not within %d..%d of %v", ErrType, value, lo, hi, t.dtype)
	}
	t.setIntegerAt(e, value)
	return nil
}

// CopyInts writes the elements of a tensor of integers or of Bool to dst in row-major order, exactly. len(dst) must be t.Len().
func (t *Tensor) CopyInts(dst []int64) error {
	if err := t.checkIntegers(); err != nil {
		return fmt.Errorf("tensor: copy integers: %w", err)
	}
	if len(dst) != t.Len() {
		return fmt.Errorf("tensor: copy integers: %w: %v has %d elements, the slice %d", ErrShape, t.describe(), t.Len(), len(dst))
	}
	n, stride := t.row()
	for e := range t.rows() {
		for i := range n {
			dst[i] = t.integerAt(e + i*stride)
		}
		dst = dst[n:]
	}
	return nil
}

// CopyFromInts stores src, in row-major order, in the elements of a tensor of integers or of Bool, clamped to the range of the type.
// len(src) must be t.Len().
func (t *Tensor) CopyFromInts(src []int64) error {
	if err := t.checkIntegers(); err != nil {
		return fmt.Errorf("tensor: copy integers: %w", err)
	}
	if len(src) != t.Len() {
		return fmt.Errorf("tensor: copy integers: %w: %v has %d elements, the slice %d", ErrShape, t.describe(), t.Len(), len(src))
	}
	lo, hi := t.dtype.integerRange()
	n, stride := t.row()
	for e := range t.rows() {
		for i, value := range src[:n] {
			if t.dtype == Bool && value != 0 {
				value = 1
			}
			t.setIntegerAt(e+i*stride, min(max(value, lo), hi))
		}
		src = src[n:]
	}
	return nil
}

// integer is element for tensors of integers.
func (t *Tensor) integer(index []int) (int, error) {
	e, err := t.element(index)
	if err == nil {
		err = t.checkIntegers()
	}
	return e, err
}

// checkIntegers reports that t is no tensor of integers.
func (t *Tensor) checkIntegers() error {
	err := t.check()
	if err == nil && !t.dtype.Integer() {
		err = fmt.Errorf("%w: the elements of %v are no integers", ErrType, t.describe())
	}
	return err
}

// integerRange returns the smallest and the largest value of a type of integers.
func (d DType) integerRange() (lo, hi int64) {
	switch d {
	case Bool:
		return 0, 1
	case U8:
		return 0, math.MaxUint8
	case I8:
		return math.MinInt8, math.MaxInt8
	case I32:
		return math.MinInt32, math.MaxInt32
	case U32:
		return 0, math.MaxUint32
	}
	return math.MinInt64, math.MaxInt64
}

// integerAt returns element e of the storage of a tensor of integers.
func (t *Tensor) integerAt(e int) int64 {
	switch t.dtype {
	case I64:
		return int64(binary.LittleEndian.Uint64(t.data[8*e:]))
	case I32:
		return int64(int32(binary.LittleEndian.Uint32(t.data[4*e:])))
	case U32:
		return int64(binary.LittleEndian.Uint32(t.data[4*e:]))
	case I8:
		return int64(int8(t.data[e]))
	}
	return int64(t.data[e])
}

// setIntegerAt stores a value in the range of the type.
func (t *Tensor) setIntegerAt(e int, value int64) {
	switch t.dtype {
	case I64:
		binary.LittleEndian.PutUint64(t.data[8*e:], uint64(value))
	case I32, U32:
		binary.LittleEndian.PutUint32(t.data[4*e:], uint32(value))
	default:
		t.data[e] = byte(value)
	}
}
