// Package gorgoniadense exchanges tensors with gorgonia.org/tensor, whose Dense type the gorgonia graphs compute with. It is a package
// of its own so that only programs that train or experiment link gorgonia.
//
// What shares memory and what is copied:
//
//  1. [From]: a Dense of float32, float64, int8, int32, int64, uint8 or bool becomes a tensor over the same memory, views and transposes
//     included; a scalar is copied.
//  2. [To]: a contiguous F32, F64, I8, I32, I64 or U8 tensor in aligned memory becomes a Dense over the same memory. Other views of these
//     types are copied to row-major order, and so is Bool; other types, quantised ones among them, become a float32 copy.
//
// A usage:
//
//	hidden, err := gorgoniadense.To(t) // *tensor.Dense of gorgonia
//	...
//	node := gorgonia.NewMatrix(g, hidden.Dtype(), gorgonia.WithValue(hidden))
//	back, err := gorgoniadense.From(node.Value().(*gt.Dense))
//
// # Errors
//
//   - [tensor.ErrShape]: gorgonia knows no empty tensors.
//   - [tensor.ErrType]: gorgonia elements that have no tensor type, or no array.
//
// Masked and empty arrays, and memory that is not the CPU's, are refused in words alone.
package gorgoniadense

import (
	"fmt"

	"github.com/lever-go/lever/tensor"
	// gorgonia imports an old form of this package that stops programs built with a newer Go; naming it here makes
	// the module use the present one.
	_ "go4.org/unsafe/assume-no-moving-gc"
	gt "gorgonia.org/tensor"
)

// From returns d as a tensor of the same shape. The package documentation says when the memory is shared; then a change through one is seen
// through the other.
func From(d *gt.Dense) (*tensor.Tensor, error) {
	if d == nil {
		return nil, fmt.Errorf("gorgoniadense: from: %w: there is no array", tensor.ErrType)
	}
	if d.IsMasked() || !d.IsNativelyAccessible() || d.Shape().TotalSize() == 0 {
		return nil, fmt.Errorf("gorgoniadense: from: an array %v of %v that is masked, empty or outside of the CPU's memory", d.Shape(), d.Dtype())
	}
	all, err := fromData(d.Data())
	if err != nil {
		return nil, fmt.Errorf("gorgoniadense: from %v: %w", d.Shape(), err)
	}
	if d.IsScalar() {
		return all.Reshape()
	}
	return all.AsStrided(d.Shape(), d.Strides())
}

// fromData returns the memory of a Dense, or the value of a scalar one, as a vector.
func fromData(data any) (*tensor.Tensor, error) {
	switch x := data.(type) {
	case []float32:
		return tensor.FromFloat32s(x)
	case []int8:
		return tensor.FromInt8s(x)
	case []int32:
		return tensor.FromInt32s(x)
	case []int64:
		return tensor.FromInt64s(x)
	case []uint8:
		return tensor.FromBytes(x)
	case []bool:
		return tensor.FromBools(x)
	case []float64:
		return tensor.FromFloat64s(x)
	case float32:
		return fromData([]float32{x})
	case int8:
		return fromData([]int8{x})
	case int32:
		return fromData([]int32{x})
	case int64:
		return fromData([]int64{x})
	case uint8:
		return fromData([]uint8{x})
	case bool:
		return fromData([]bool{x})
	case float64:
		return fromData([]float64{x})
	}
	return nil, fmt.Errorf("%w: elements of %T have no tensor type; use float32, float64, int8, int32, int64, uint8 or bool", tensor.ErrType, data)
}

// To returns t as a Dense of the same shape. The package documentation says when the memory is shared; then a change through one is seen
// through the other.
func To(t *tensor.Tensor) (*gt.Dense, error) {
	if t.Len() == 0 {
		return nil, fmt.Errorf("gorgoniadense: to: %w: %v%v is empty", tensor.ErrShape, t.DType(), t.Shape())
	}
	data, err := toData(t)
	if err != nil {
		return nil, fmt.Errorf("gorgoniadense: to: %w", err)
	}
	return gt.New(gt.WithShape(t.Shape()...), gt.WithBacking(data)), nil
}

// toData returns the elements of t as a slice of a type that gorgonia knows.
func toData(t *tensor.Tensor) (any, error) {
	d := t.DType()
	if d != tensor.F64 && !d.Integer() {
		d = tensor.F32
	}
	plain, err := t.To(d)
	if err != nil {
		return nil, err
	}
	switch d {
	case tensor.F64:
		return plain.Float64s()
	case tensor.I8:
		return plain.Int8s()
	case tensor.I32:
		return plain.Int32s()
	case tensor.I64:
		return plain.Int64s()
	case tensor.U8:
		return plain.Bytes()
	case tensor.Bool:
		return plain.Bools()
	}
	return plain.Float32s()
}
