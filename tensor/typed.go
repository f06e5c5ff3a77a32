package tensor

import (
	"fmt"
	"unsafe"

	"github.com/x448/float16"
)

// FromFloat32s returns an F32 tensor over x, without copying. Without a shape it is the vector [len(x)].
func FromFloat32s(x []float32, shape ...int) (*Tensor, error) { return wrapSlice(x, F32, shape) }

// FromFloat64s is [FromFloat32s] for F64.
func FromFloat64s(x []float64, shape ...int) (*Tensor, error) { return wrapSlice(x, F64, shape) }

// FromFloat16s is [FromFloat32s] for F16.
func FromFloat16s(x []float16.Float16, shape ...int) (*Tensor, error) {
	return wrapSlice(x, F16, shape)
}

// FromInt8s is [FromFloat32s] for I8.
func FromInt8s(x []int8, shape ...int) (*Tensor, error) { return wrapSlice(x, I8, shape) }

// FromInt32s is [FromFloat32s] for I32.
func FromInt32s(x []int32, shape ...int) (*Tensor, error) { return wrapSlice(x, I32, shape) }

// FromInt64s is [FromFloat32s] for I64, the type of other libraries' token ids.
func FromInt64s(x []int64, shape ...int) (*Tensor, error) { return wrapSlice(x, I64, shape) }

// FromBytes is [FromFloat32s] for U8.
func FromBytes(x []byte, shape ...int) (*Tensor, error) { return wrapSlice(x, U8, shape) }

// FromBools is [FromFloat32s] for Bool.
func FromBools(x []bool, shape ...int) (*Tensor, error) { return wrapSlice(x, Bool, shape) }

// Float32s returns the elements of a contiguous F32 tensor in row-major order as a slice of the same memory. It is an error if the
// tensor is of another type, is not contiguous, or wraps memory that is not aligned to 4 bytes; [Tensor.To] mends all three.
func (t *Tensor) Float32s() ([]float32, error) { return sliceOf[float32](t, F32) }

// Float16s is [Tensor.Float32s] for F16.
func (t *Tensor) Float16s() ([]float16.Float16, error) { return sliceOf[float16.Float16](t, F16) }

// Int8s is [Tensor.Float32s] for I8.
func (t *Tensor) Int8s() ([]int8, error) { return sliceOf[int8](t, I8) }

// Int32s is [Tensor.Float32s] for I32.
func (t *Tensor) Int32s() ([]int32, error) { return sliceOf[int32](t, I32) }

// Int64s is [Tensor.Float32s] for I64.
func (t *Tensor) Int64s() ([]int64, error) { return sliceOf[int64](t, I64) }

// Float64s is [Tensor.Float32s] for F64.
func (t *Tensor) Float64s() ([]float64, error) { return sliceOf[float64](t, F64) }

// Bools returns the elements of a Bool tensor in row-major order, as a copy.
func (t *Tensor) Bools() ([]bool, error) {
	if t.DType() != Bool {
		return nil, fmt.Errorf("tensor: %w: %v is not %v", ErrType, t.DType(), Bool)
	}
	values := make([]int64, t.Len())
	if err := t.CopyInts(values); err != nil {
		return nil, err
	}
	out := make([]bool, len(values))
	for i, v := range values {
		out[i] = v != 0
	}
	return out, nil
}

// wrapSlice returns a tensor of type d over the memory of x. Storage is little-endian, and so is every machine that this
// package builds on.
func wrapSlice[E any](x []E, d DType, shape []int) (*Tensor, error) {
	if len(shape) == 0 {
		shape = []int{len(x)}
	}
	return Wrap(bytesOf(x), d, shape...)
}

// sliceOf is the inverse of wrapSlice.
func sliceOf[E any](t *Tensor, d DType) ([]E, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tensor: %w", err)
	}
	if t.dtype != d {
		return nil, fmt.Errorf("tensor: %w: %v is not %v; convert it with To", ErrType, t.describe(), d)
	}
	data, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	if !t.aligned() {
		return nil, fmt.Errorf("tensor: the memory of %v is not aligned to %d bytes; copy it with To or Clone", t.describe(), d.BlockBytes())
	}
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/d.BlockBytes()), nil
}

// bytesOf returns the memory of x.
func bytesOf[E any](x []E) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(*new(E))))
}

// aligned reports whether the storage lies where a Go slice of its elements may. All elements of plain types are aligned to their size; blocks are
// read byte by byte.
func (t *Tensor) aligned() bool {
	return t.dtype.Quantized() || uintptr(unsafe.Pointer(unsafe.SliceData(t.data)))%uintptr(t.dtype.BlockBytes()) == 0
}
