package tensor

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrShape is wrapped by every error that says that shapes, indices or numbers of elements do not fit together.
var ErrShape = errors.New("shapes do not fit")

// ErrType is wrapped by every error that says that the type of elements does not fit what is asked of them, or that there is no tensor at
// all: a nil pointer, or one that no function of this package made.
var ErrType = errors.New("types do not fit")

// Tensor is an n-dimensional array of elements of one type: a view of storage that it may share with other tensors or with memory that
// the caller owns, such as a buffer that weights were read into.
//
// The element with index (i0, i1, …) is element offset + i0·stride0 + i1·stride1 + … of the storage; strides count elements, a
// broadcast dimension has stride 0. Element e of block-quantised storage is element e mod B of block e/B. A rank of 0 is a scalar.
//
// Shape, strides and type of a tensor never change. Any number of goroutines may read; writing through [Tensor.Set],
// [Tensor.CopyFrom] or a typed slice is visible in all views and needs the caller's own synchronisation.
type Tensor struct {
	dtype   DType
	shape   []int
	strides []int // in elements
	offset  int   // of the first element, in elements
	data    []byte
	arena   *Arena // of the results of t
}

// New returns a tensor of zeros. The last dimension of a block type must be a multiple of its d.BlockElems().
func New(d DType, shape ...int) (*Tensor, error) { return (*Arena)(nil).New(d, shape...) }

// Wrap returns a tensor over data without copying it: little-endian elements or blocks of type d in row-major order.
// len(data) must be exactly what the shape takes. The caller keeps data unchanged while the tensor is in use, or sees the change.
func Wrap(data []byte, d DType, shape ...int) (*Tensor, error) {
	size, err := storageBytes(d, shape)
	if err != nil {
		return nil, fmt.Errorf("tensor: wrap: %w", err)
	}
	if len(data) != size {
		return nil, fmt.Errorf("tensor: wrap: %w: %v%v takes %d bytes, got %d", ErrShape, d, shape, size, len(data))
	}
	return &Tensor{dtype: d, shape: slices.Clone(shape), strides: rowMajor(shape), data: data}, nil
}

// Must returns t, or panics if err is not nil. It is for shapes that the program itself fixes, as in
// tensor.Must(tensor.New(tensor.F32, 2, 3)).
func Must(t *Tensor, err error) *Tensor {
	if err != nil {
		panic(err)
	}
	return t
}

// check reports that t is no tensor.
func (t *Tensor) check() error {
	if t == nil || !t.dtype.valid() {
		return fmt.Errorf("%w: there is no tensor", ErrType)
	}
	return nil
}

// DType returns the type of the elements, Invalid for a nil tensor.
func (t *Tensor) DType() DType {
	if t == nil {
		return Invalid
	}
	return t.dtype
}

// Shape returns a copy of the dimensions, slowest first. A nil tensor has none.
func (t *Tensor) Shape() []int {
	if t == nil {
		return nil
	}
	return slices.Clone(t.shape)
}

// Strides returns a copy of the distances, in elements, between neighbours along each dimension.
func (t *Tensor) Strides() []int {
	if t == nil {
		return nil
	}
	return slices.Clone(t.strides)
}

// Rank returns the number of dimensions.
func (t *Tensor) Rank() int { return len(t.Shape()) }

// Len returns the number of elements, 0 for a nil tensor.
func (t *Tensor) Len() int {
	if t.check() != nil {
		return 0
	}
	return product(t.shape)
}

// IsContiguous reports whether the elements stand in row-major order without gaps, in whole blocks.
func (t *Tensor) IsContiguous() bool {
	if t.check() != nil {
		return false
	}
	n := 1
	for i := len(t.shape) - 1; i >= 0; i-- {
		switch {
		case t.shape[i] == 0:
			return true
		case t.shape[i] != 1 && t.strides[i] != n:
			return false
		}
		n *= t.shape[i]
	}
	return t.offset%t.dtype.BlockElems() == 0 && n%t.dtype.BlockElems() == 0
}

// Bytes returns the storage of a contiguous tensor, without copying.
func (t *Tensor) Bytes() ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tensor: bytes: %w", err)
	}
	if !t.IsContiguous() {
		return nil, fmt.Errorf("tensor: bytes: %w: %v is not contiguous; call Contiguous first", ErrShape, t.describe())
	}
	from := t.dtype.RowBytes(t.offset)
	to := from + t.dtype.RowBytes(t.Len())
	return t.data[from:to:to], nil
}

// At returns one element as float32, which large integers are rounded to: see [Tensor.Int]. It is for tests and small code: bulk access goes
// through [Tensor.Float32s] or [Tensor.CopyTo].
func (t *Tensor) At(index ...int) (float32, error) {
	e, err := t.element(index)
	if err != nil {
		return 0, fmt.Errorf("tensor: at: %w", err)
	}
	var value [1]float32
	t.readRow(value[:], e, 1)
	return value[0], nil
}

// Set stores one element, rounded as [Encode] does. Elements of block types cannot be set. See [Tensor.SetInt] for large integers.
func (t *Tensor) Set(value float32, index ...int) error {
	e, err := t.element(index)
	if err != nil {
		return fmt.Errorf("tensor: set: %w", err)
	}
	if t.dtype.Quantized() {
		return fmt.Errorf("tensor: set: %w: a single element of %v cannot be stored; build the tensor as F32 and convert it", ErrType, t.describe())
	}
	size := t.dtype.BlockBytes()
	return Encode(t.data[e*size:][:size], []float32{value}, t.dtype)
}

// element returns the place of the element with the given index in the storage.
func (t *Tensor) element(index []int) (int, error) {
	if err := t.check(); err != nil {
		return 0, err
	}
	e := t.offset
	ok := len(index) == len(t.shape)
	for i := 0; ok && i < len(index); i++ {
		ok = index[i] >= 0 && index[i] < t.shape[i]
		e += index[i] * t.strides[i]
	}
	if !ok { // the error holds a copy, so that the index of a good call need not be on the heap
		return 0, fmt.Errorf("%w: index %v of %v", ErrShape, slices.Clone(index), t.describe())
	}
	return e, nil
}

// describe names the type, the shape and, of a view, the strides, for errors.
func (t *Tensor) describe() string {
	if t.IsContiguous() {
		return fmt.Sprintf("%v%v", t.dtype, t.shape)
	}
	return fmt.Sprintf("%v%v with strides %v", t.dtype, t.shape, t.strides)
}

// storageBytes checks a shape and returns the bytes that its elements take.
func storageBytes(d DType, shape []int) (int, error) {
	if !d.valid() {
		return 0, fmt.Errorf("%w: there are no tensors of type %v", ErrType, d)
	}
	if d.Quantized() && (len(shape) == 0 || shape[len(shape)-1]%d.BlockElems() != 0) {
		return 0, fmt.Errorf("%w: the last dimension of %v must be a multiple of %d for %v", ErrShape, shape, d.BlockElems(), d)
	}
	if err := checkDims(shape); err != nil {
		return 0, err
	}
	return d.RowBytes(product(shape)), nil
}

// checkDims refuses negative dimensions, and sizes that do not fit in an int as bytes of the largest type.
func checkDims(shape []int) error {
	n := 1
	for _, dim := range shape {
		if dim < 0 {
			return fmt.Errorf("%w: negative dimension in %v", ErrShape, shape)
		}
		if dim > 0 && n > math.MaxInt/8/dim {
			return fmt.Errorf("%w: %v is too large", ErrShape, shape)
		}
		n *= max(dim, 1)
	}
	return nil
}

// rowMajor returns the strides of a contiguous tensor.
func rowMajor(shape []int) []int {
	strides := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = n
		n *= shape[i]
	}
	return strides
}

func product(shape []int) int {
	n := 1
	for _, dim := range shape {
		n *= dim
	}
	return n
}
