package tensor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
)

// CopyTo writes the elements in row-major order to dst as float32, like [Decode]. len(dst) must be t.Len().
func (t *Tensor) CopyTo(dst []float32) error {
	if err := t.check(); err != nil {
		return fmt.Errorf("tensor: copy: %w", err)
	}
	if len(dst) != t.Len() {
		return fmt.Errorf("tensor: copy: %w: %v has %d elements, the slice %d", ErrShape, t.describe(), t.Len(), len(dst))
	}
	t.readAll(dst)
	return nil
}

// CopyFrom stores src, in row-major order, in the elements of t, like [Encode]. len(src) must be t.Len(). The rows of a view of a block
// type must be made of whole blocks. Where a broadcast view repeats an element, the last value written stays.
func (t *Tensor) CopyFrom(src []float32) error {
	if err := t.check(); err != nil {
		return fmt.Errorf("tensor: copy: %w", err)
	}
	if len(src) != t.Len() {
		return fmt.Errorf("tensor: copy: %w: %v has %d elements, the slice %d", ErrShape, t.describe(), t.Len(), len(src))
	}
	n, stride := t.row()
	if !t.wholeBlocks() {
		return fmt.Errorf("tensor: copy: %w: %v has rows that are not made of whole blocks", ErrShape, t.describe())
	}
	size := t.dtype.BlockBytes()
	for e := range t.rows() {
		if stride == 1 {
			if err := Encode(t.data[t.dtype.RowBytes(e):][:t.dtype.RowBytes(n)], src[:n], t.dtype); err != nil {
				return err
			}
		} else {
			for i := range n {
				if err := Encode(t.data[(e+i*stride)*size:][:size], src[i:i+1], t.dtype); err != nil {
					return err
				}
			}
		}
		src = src[n:]
	}
	return nil
}

// Assign stores the elements of src, broadcast to the shape of t, in those of t: as they are if the types are equal, else converted like
// [Tensor.To]. Rows of block types must be made of whole blocks. src and t must not overlap.
func (t *Tensor) Assign(src *Tensor) error {
	if err := errors.Join(t.check(), src.check()); err != nil {
		return fmt.Errorf("tensor: assign: %w", err)
	}
	if !slices.Equal(t.shape, src.shape) {
		repeated, err := src.Broadcast(t.shape...)
		if err != nil {
			return fmt.Errorf("tensor: assign: %w: %v to %v", ErrShape, src.describe(), t.describe())
		}
		src = repeated
	}
	if t.dtype != src.dtype {
		converted, err := src.To(t.dtype)
		if err != nil {
			return err
		}
		src = converted
	}
	if !src.wholeBlocks() || !t.wholeBlocks() {
		return fmt.Errorf("tensor: assign: %w: %v to %v takes blocks apart; convert to F32", ErrShape, src.describe(), t.describe())
	}
	n, from := src.row()
	_, to := t.row()
	size := t.dtype.BlockBytes()
	places := slices.Collect(t.rows())
	for e := range src.rows() {
		at := places[0]
		places = places[1:]
		if from == 1 && to == 1 {
			copy(t.data[t.dtype.RowBytes(at):][:t.dtype.RowBytes(n)], src.data[t.dtype.RowBytes(e):])
			continue
		}
		if size == 4 { // F32 and I32, without a call for each element
			for i := range n {
				binary.LittleEndian.PutUint32(t.data[4*(at+i*to):], binary.LittleEndian.Uint32(src.data[4*(e+i*from):]))
			}
			continue
		}
		for i := range n {
			copy(t.data[(at+i*to)*size:][:size], src.data[(e+i*from)*size:])
		}
	}
	return nil
}

// Contiguous returns t itself if [Tensor.IsContiguous], else a copy in row-major order. A view that takes blocks of a quantised type
// apart has no such copy: convert it to F32.
func (t *Tensor) Contiguous() (*Tensor, error) {
	if t.IsContiguous() {
		return t, nil
	}
	return t.Clone()
}

// Clone returns a contiguous copy of t in memory of its own. The restriction of [Tensor.Contiguous] holds here too.
func (t *Tensor) Clone() (*Tensor, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tensor: copy: %w", err)
	}
	if !t.wholeBlocks() {
		return nil, fmt.Errorf("tensor: copy: %w: %v takes blocks apart; convert it to F32", ErrShape, t.describe())
	}
	out, err := t.arena.New(t.dtype, t.shape...)
	if err != nil {
		return nil, err
	}
	return out, out.Assign(t)
}

// To converts t to type d by way of float32, as [Decode] and [Encode] do; integers become other integers exactly, or the nearest that the type
// holds. The result is contiguous and can be viewed as a slice: it is t itself
// if that is so already, with elements of type d, else a new tensor.
func (t *Tensor) To(d DType) (*Tensor, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tensor: convert: %w", err)
	}
	if t.dtype == d {
		if t.IsContiguous() && t.aligned() {
			return t, nil
		}
		return t.Clone()
	}
	if !Encodable(d) {
		return nil, fmt.Errorf("tensor: convert: %w: %v to %v: there is no encoder for this type", ErrType, t.describe(), d)
	}
	out, err := t.arena.zeros(d, t.shape)
	if err != nil {
		return nil, fmt.Errorf("tensor: convert: %w", err)
	}
	if d == F32 {
		values, err := out.Float32s()
		if err != nil {
			return nil, err
		}
		t.readAll(values)
		return out, nil
	}
	if t.dtype.Integer() && d.Integer() {
		values := make([]int64, t.Len())
		return out, errors.Join(t.CopyInts(values), out.CopyFromInts(values))
	}
	n, stride := t.row()
	values := make([]float32, n)
	dst, size := out.data, d.RowBytes(n)
	for e := range t.rows() {
		t.readRow(values, e, stride)
		if err := Encode(dst[:size], values, d); err != nil {
			return nil, err
		}
		dst = dst[size:]
	}
	return out, nil
}

// Packed returns the matrix t in the layout that kernels consume (see [Packed]), in memory of its own. The type of a matrix must be
// [Packable]. A vector of any type becomes a plain F32 row, which shares the memory of t if that is contiguous F32.
func (t *Tensor) Packed() (Packed, error) {
	if err := t.check(); err != nil {
		return Packed{}, fmt.Errorf("tensor: pack: %w", err)
	}
	var p Packed
	switch len(t.shape) {
	case 1:
		p = Packed{Type: F32, Rows: 1, Cols: t.shape[0]}
	case 2:
		p = Packed{Type: t.dtype, Rows: t.shape[0], Cols: t.shape[1]}
	default:
		return Packed{}, fmt.Errorf("tensor: pack: %w: %v is neither a matrix nor a vector", ErrShape, t.describe())
	}
	if err := p.checkShape(); err != nil {
		return Packed{}, fmt.Errorf("tensor: pack: %w", err)
	}
	plain, err := t.To(p.Type)
	if err != nil {
		return Packed{}, err
	}
	src, err := plain.Bytes()
	if err != nil {
		return Packed{}, err
	}
	if p.Type == F32 {
		p.Data = src
		return p, nil
	}
	p.Data = make([]byte, PackedBytes(p.Type, p.Rows, p.Cols))
	return p, Pack(p.Data, src, p.Type, p.Rows, p.Cols)
}

// FromPacked returns the rows of p as a tensor [p.Rows][p.Cols] of the same type in row-major order, in memory of its own.
func FromPacked(p Packed) (*Tensor, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	t, err := New(p.Type, p.Rows, p.Cols)
	if err != nil {
		return nil, err
	}
	return t, Unpack(t.data, p.Data, p.Type, p.Rows, p.Cols)
}

// row returns the length of the last dimension and its stride; a scalar is a row of one element.
func (t *Tensor) row() (n, stride int) {
	if last := len(t.shape) - 1; last >= 0 {
		return t.shape[last], t.strides[last]
	}
	return 1, 1
}

// rows yields the place in the storage of the first element of each row, that is of each run along the last dimension, in row-major
// order.
func (t *Tensor) rows() iter.Seq[int] {
	return func(yield func(int) bool) {
		if t.Len() == 0 {
			return
		}
		outer := max(len(t.shape)-1, 0)
		index := make([]int, outer)
		for e := t.offset; yield(e); {
			dim := outer - 1
			for ; dim >= 0; dim-- { // add 1 to the index, with carry
				index[dim]++
				e += t.strides[dim]
				if index[dim] < t.shape[dim] {
					break
				}
				e -= t.shape[dim] * t.strides[dim]
				index[dim] = 0
			}
			if dim < 0 {
				return
			}
		}
	}
}

// wholeBlocks reports whether every row is a run of whole blocks, as it always is where a block is one element.
func (t *Tensor) wholeBlocks() bool {
	block := t.dtype.BlockElems()
	n, stride := t.row()
	if block == 1 || t.Len() == 0 {
		return true
	}
	whole := n%block == 0 && stride == 1 && t.offset%block == 0
	for i := range len(t.shape) - 1 {
		whole = whole && (t.shape[i] == 1 || t.strides[i]%block == 0)
	}
	return whole
}

// readAll writes all elements to dst as float32, in one go where that is possible.
func (t *Tensor) readAll(dst []float32) {
	if t.IsContiguous() {
		t.readRow(dst, t.offset, 1)
		return
	}
	n, stride := t.row()
	for e := range t.rows() {
		t.readRow(dst[:n], e, stride)
		dst = dst[n:]
	}
}

// readRow writes len(dst) elements of the storage, which begin at e and are stride apart, to dst.
func (t *Tensor) readRow(dst []float32, e, stride int) {
	decode := formats[t.dtype].decode
	block, size := t.dtype.BlockElems(), t.dtype.BlockBytes()
	if stride == 1 && e%block == 0 && len(dst)%block == 0 {
		decode(dst, t.data[t.dtype.RowBytes(e):])
		return
	}
	if t.dtype == F32 { // the most frequent type, without a call for each element
		for i := range dst {
			at := 4 * (e + i*stride)
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.data[at : at+4]))
		}
		return
	}
	if block == 1 {
		for i := range dst {
			at := (e + i*stride) * size
			decode(dst[i:i+1], t.data[at:at+size])
		}
		return
	}
	var values [superBlock]float32 // of the block decoded last
	last := -1
	for i := range dst {
		at := e + i*stride
		if b := at / block; b != last {
			decode(values[:block], t.data[b*size:])
			last = b
		}
		dst[i] = values[at%block]
	}
}
