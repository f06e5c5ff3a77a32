package tensor

import (
	"fmt"
	"math"
	"slices"
)

// The functions of this file return views: they move no element, and a write through one is seen through all. A dimension may be counted from
// the last one: −1 is the last, −2 the one before it.

// End as the upper bound of [Tensor.Slice] means the end of the dimension.
const End = math.MaxInt

// Slice returns the part of t whose index along dimension dim is at least from and below to. A negative bound counts from the end of the
// dimension: Slice(0, -3, End) is the last three rows.
func (t *Tensor) Slice(dim, from, to int) (*Tensor, error) {
	d, err := t.dimension(dim)
	if err != nil {
		return nil, fmt.Errorf("tensor: slice: %w", err)
	}
	first, last := fromEnd(from, t.shape[d]), fromEnd(to, t.shape[d])
	if to == End {
		last = t.shape[d]
	}
	if first < 0 || first > last || last > t.shape[d] {
		return nil, fmt.Errorf("tensor: slice: %w: %d..%d of dimension %d of %v", ErrShape, from, to, dim, t.describe())
	}
	view := t.view(slices.Clone(t.shape), slices.Clone(t.strides))
	view.shape[d] = last - first
	if last > first {
		view.offset += first * t.strides[d]
	}
	return view, nil
}

// Step returns every n-th element along dimension dim, beginning with the first.
func (t *Tensor) Step(dim, n int) (*Tensor, error) {
	d, err := t.dimension(dim)
	if err != nil {
		return nil, fmt.Errorf("tensor: step: %w", err)
	}
	if n < 1 {
		return nil, fmt.Errorf("tensor: step: %w: steps of %d along dimension %d of %v", ErrShape, n, dim, t.describe())
	}
	view := t.view(slices.Clone(t.shape), slices.Clone(t.strides))
	if size := t.shape[d]; size > 0 {
		view.shape[d] = (size-1)/n + 1
	}
	if view.shape[d] > 1 { // else no step is taken, and n may be any size
		view.strides[d] *= n
	}
	return view, nil
}

// Index returns the part of t at index i of dimension dim, without that dimension. A negative i counts from the end.
func (t *Tensor) Index(dim, i int) (*Tensor, error) {
	d, err := t.dimension(dim)
	if err != nil {
		return nil, fmt.Errorf("tensor: index: %w", err)
	}
	at := fromEnd(i, t.shape[d])
	if at < 0 || at >= t.shape[d] {
		return nil, fmt.Errorf("tensor: index: %w: %d of dimension %d of %v", ErrShape, i, dim, t.describe())
	}
	view := t.view(slices.Delete(slices.Clone(t.shape), d, d+1), slices.Delete(slices.Clone(t.strides), d, d+1))
	view.offset += at * t.strides[d]
	return view, nil
}

// Squeeze removes the dimensions named, each of which is 1; if none is named, all that are 1.
func (t *Tensor) Squeeze(dims ...int) (*Tensor, error) {
	drop := make([]bool, t.Rank())
	for i := range drop {
		drop[i] = len(dims) == 0 && t.shape[i] == 1
	}
	for _, dim := range dims {
		d, err := t.dimension(dim)
		if err == nil && t.shape[d] != 1 {
			err = fmt.Errorf("%w: dimension %d of %v is not 1", ErrShape, dim, t.describe())
		}
		if err != nil {
			return nil, fmt.Errorf("tensor: squeeze: %w", err)
		}
		drop[d] = true
	}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tensor: squeeze: %w", err)
	}
	view := t.view(nil, nil)
	for i, dropped := range drop {
		if !dropped {
			view.shape, view.strides = append(view.shape, t.shape[i]), append(view.strides, t.strides[i])
		}
	}
	return view, nil
}

// Unsqueeze inserts a dimension of 1 before dimension dim; −1 means behind the last one.
func (t *Tensor) Unsqueeze(dim int) (*Tensor, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tensor: unsqueeze: %w", err)
	}
	at := fromEnd(dim, len(t.shape)+1)
	if at < 0 || at > len(t.shape) {
		return nil, fmt.Errorf("tensor: unsqueeze: %w: dimension %d for %v", ErrShape, dim, t.describe())
	}
	return t.view(slices.Insert(slices.Clone(t.shape), at, 1), slices.Insert(slices.Clone(t.strides), at, 1)), nil
}

// Flatten makes one dimension of those from first to last, both included: Flatten(0, -1) is a vector. Like [Tensor.Reshape] it is an error where that
// is no view.
func (t *Tensor) Flatten(first, last int) (*Tensor, error) {
	from, err := t.dimension(first)
	if err != nil {
		return nil, fmt.Errorf("tensor: flatten: %w", err)
	}
	to, err := t.dimension(last)
	if err != nil {
		return nil, fmt.Errorf("tensor: flatten: %w", err)
	}
	if from > to {
		return nil, fmt.Errorf("tensor: flatten: %w: dimensions %d to %d of %v", ErrShape, first, last, t.describe())
	}
	return t.Reshape(slices.Concat(t.shape[:from], []int{product(t.shape[from : to+1])}, t.shape[to+1:])...)
}

// Transpose exchanges the last two dimensions.
func (t *Tensor) Transpose() (*Tensor, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tensor: transpose: %w", err)
	}
	n := len(t.shape)
	if n < 2 {
		return nil, fmt.Errorf("tensor: transpose: %w: %v has fewer than 2 dimensions", ErrShape, t.describe())
	}
	view := t.view(slices.Clone(t.shape), slices.Clone(t.strides))
	view.shape[n-2], view.shape[n-1] = t.shape[n-1], t.shape[n-2]
	view.strides[n-2], view.strides[n-1] = t.strides[n-1], t.strides[n-2]
	return view, nil
}

// Permute reorders the dimensions: dimension i of the result is dimension dims[i] of t. dims names each dimension once.
func (t *Tensor) Permute(dims ...int) (*Tensor, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tensor: permute: %w", err)
	}
	wrong := fmt.Errorf("tensor: permute: %w: order %v of %v", ErrShape, slices.Clone(dims), t.describe())
	if len(dims) != len(t.shape) {
		return nil, wrong
	}
	view := t.view(nil, nil)
	used := make([]bool, len(dims))
	for _, dim := range dims {
		d, err := t.dimension(dim)
		if err != nil || used[d] {
			return nil, wrong
		}
		used[d] = true
		view.shape, view.strides = append(view.shape, t.shape[d]), append(view.strides, t.strides[d])
	}
	return view, nil
}

// dimension returns the number, counted from the first, of a dimension of t that may be counted from the last.
func (t *Tensor) dimension(dim int) (int, error) {
	if err := t.check(); err != nil {
		return 0, err
	}
	d := fromEnd(dim, len(t.shape))
	if d < 0 || d >= len(t.shape) {
		return 0, fmt.Errorf("%w: dimension %d of %v", ErrShape, dim, t.describe())
	}
	return d, nil
}

// fromEnd returns i, or if it is negative, i counted from n.
func fromEnd(i, n int) int {
	if i < 0 {
		return i + n
	}
	return i
}

// Reshape gives the elements of t, in row-major order, another shape with as many elements; one dimension may be −1 and is then
// what remains. If the elements of a view stand in memory in an order that no strides describe, that is an
// error: call [Tensor.Contiguous] first.
func (t *Tensor) Reshape(shape ...int) (*Tensor, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tensor: reshape: %w", err)
	}
	resolved, err := t.resolveShape(shape)
	if err != nil {
		return nil, fmt.Errorf("tensor: reshape: %w", err)
	}
	strides := rowMajor(resolved)
	if !t.IsContiguous() {
		if strides = splitStrides(t.shape, t.strides, resolved); strides == nil {
			return nil, fmt.Errorf("tensor: reshape: %w: %v as %v is no view of the same memory; call Contiguous first", ErrShape, t.describe(), resolved)
		}
	}
	return t.view(resolved, strides), nil
}

// resolveShape replaces a −1 in shape and checks that it fits t.
func (t *Tensor) resolveShape(shape []int) ([]int, error) {
	resolved := slices.Clone(shape)
	known, unknown := 1, -1
	for i, dim := range shape {
		switch {
		case dim == -1 && unknown < 0:
			unknown = i
		case dim < 0:
			return nil, fmt.Errorf("%w: bad dimension in %v for %v", ErrShape, shape, t.describe())
		default:
			known *= dim
		}
	}
	n := t.Len()
	if unknown >= 0 && known > 0 {
		resolved[unknown] = n / known
	}
	if checkDims(resolved) != nil || product(resolved) != n {
		return nil, fmt.Errorf("%w: %v of %d elements as %v", ErrShape, t.describe(), n, shape)
	}
	return resolved, nil
}

// splitStrides returns the strides with which the elements of a view appear in another shape of the same, non-zero size, or nil if there
// are none. It cuts both shapes into the shortest runs of dimensions with the same number of elements; inside a run, the
// old dimensions must follow each other in memory without gaps, and the new ones then divide the run among them.
func splitStrides(oldShape, oldStrides, newShape []int) []int {
	var shape, strides []int // of the old dimensions, but for those of 1, whose stride says nothing
	for i, dim := range oldShape {
		if dim != 1 {
			shape, strides = append(shape, dim), append(strides, oldStrides[i])
		}
	}
	out := make([]int, len(newShape))
	for from, newFrom := 0, 0; from < len(shape); {
		to, newTo := from+1, newFrom+1
		size, newSize := shape[from], newShape[newFrom]
		for size != newSize {
			if newSize < size {
				newSize *= newShape[newTo]
				newTo++
				continue
			}
			if strides[to-1] != strides[to]*shape[to] {
				return nil
			}
			size *= shape[to]
			to++
		}
		stride := strides[to-1]
		for i := newTo - 1; i >= newFrom; i-- {
			out[i] = stride
			stride *= newShape[i]
		}
		from, newFrom = to, newTo
	}
	return out
}

// Broadcast returns a view of t with the given shape: dimensions are matched from the last to the first, and a dimension of 1, or a
// missing one, is repeated without copying. Writing to a repeated element writes all its repetitions.
func (t *Tensor) Broadcast(shape ...int) (*Tensor, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tensor: broadcast: %w", err)
	}
	common, err := BroadcastShapes(t.shape, shape)
	if err != nil || !slices.Equal(common, shape) || checkDims(shape) != nil {
		return nil, fmt.Errorf("tensor: broadcast: %w: %v to %v", ErrShape, t.describe(), shape)
	}
	strides := make([]int, len(shape))
	added := len(shape) - len(t.shape)
	for i, dim := range t.shape {
		if dim == shape[added+i] {
			strides[added+i] = t.strides[i]
		}
	}
	return t.view(common, strides), nil
}

// BroadcastShapes returns the shape that two tensors have in common after [Tensor.Broadcast], as an element-wise operation needs it.
func BroadcastShapes(a, b []int) ([]int, error) {
	long, short := a, b
	if len(b) > len(a) {
		long, short = b, a
	}
	out := slices.Clone(long)
	for i, dim := range short {
		at := len(long) - len(short) + i
		switch {
		case out[at] == 1:
			out[at] = dim
		case dim != 1 && dim != out[at]:
			return nil, fmt.Errorf("tensor: broadcast: %w: %v and %v", ErrShape, a, b)
		}
	}
	return out, nil
}

// AsStrided returns a view of the memory of a contiguous tensor with any shape and strides, in elements and not negative, as other libraries
// describe their arrays. Every element of the view must lie within t. Elements may be seen more than once: the windows of k rows that follow each
// other in x [rows][width] are x.AsStrided([]int{rows - k + 1, k, width}, []int{width, width, 1}).
func (t *Tensor) AsStrided(shape, strides []int) (*Tensor, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tensor: as strided: %w", err)
	}
	if !t.IsContiguous() {
		return nil, fmt.Errorf("tensor: as strided: %w: %v is not contiguous; call Contiguous first", ErrShape, t.describe())
	}
	outside := fmt.Errorf("tensor: as strided: %w: shape %v with strides %v on %v", ErrShape, shape, strides, t.describe())
	if len(shape) != len(strides) || checkDims(shape) != nil {
		return nil, outside
	}
	view := t.view(slices.Clone(shape), slices.Clone(strides))
	if view.Len() == 0 {
		return view, nil
	}
	left := t.Len() - 1 // elements behind the furthest one that the dimensions so far reach
	for i, dim := range shape {
		if strides[i] < 0 || dim > 1 && strides[i] > left/(dim-1) {
			return nil, outside
		}
		left -= (dim - 1) * strides[i]
	}
	if left < 0 {
		return nil, outside
	}
	return view, nil
}

// view returns a tensor that shares the storage of t.
func (t *Tensor) view(shape, strides []int) *Tensor {
	return &Tensor{dtype: t.dtype, shape: shape, strides: strides, offset: t.offset, data: t.data, arena: t.arena}
}
