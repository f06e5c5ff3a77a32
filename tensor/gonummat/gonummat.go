// Package gonummat hands tensors to gonum and takes matrices from it.
//
//   - [View] shows a tensor as a mat.Matrix without copying, whatever its type and strides; each access converts one element,
//     so algorithms that touch elements many times want [Dense], a float64 copy.
//   - [From] copies a mat.Matrix to an F32 tensor, rounding float64 to float32. A View, or its transpose, gives back the tensor that it
//     shows, without copying.
//   - [General] and [FromGeneral] share float32 memory with gonum's single-precision BLAS, both ways.
//
// A usage:
//
//	w, err := gonummat.From(mat.NewDense(2, 2, []float64{1, 2, 3, 4}))
//	...
//	var svd mat.SVD
//	dense, err := gonummat.Dense(w)
//	svd.Factorize(dense, mat.SVDThin)
//
// A vector is a matrix of one column.
//
// # Errors
//
//   - [tensor.ErrShape]: gonum knows matrices and vectors only, and none without elements.
//   - [tensor.ErrType]: there is no matrix.
package gonummat

import (
	"fmt"

	"github.com/lever-go/lever/tensor"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"
)

// matrix shows a tensor of two dimensions as a mat.Matrix.
type matrix struct {
	t          *tensor.Tensor
	rows, cols int
}

// Dims returns the number of rows and columns.
func (m matrix) Dims() (rows, cols int) { return m.rows, m.cols }

// At returns an element. Like every mat.Matrix it panics where there is none.
func (m matrix) At(i, j int) float64 {
	if uint(i) >= uint(m.rows) {
		panic(mat.ErrRowAccess)
	}
	if uint(j) >= uint(m.cols) {
		panic(mat.ErrColAccess)
	}
	x, err := m.t.At(i, j)
	if err != nil {
		panic(err) // the bounds were checked
	}
	return float64(x)
}

// T returns the transpose, a view.
func (m matrix) T() mat.Matrix { return mat.Transpose{Matrix: m} }

// View returns t, [rows][cols] or [rows], as a matrix over the same memory: a change of t shows in it. Safe for concurrent use.
func View(t *tensor.Tensor) (mat.Matrix, error) {
	return view(t)
}

func view(t *tensor.Tensor) (matrix, error) {
	if t.Rank() == 1 {
		column, err := t.Reshape(t.Len(), 1)
		if err != nil {
			return matrix{}, err
		}
		t = column
	}
	if t.Rank() != 2 || t.Len() == 0 {
		return matrix{}, fmt.Errorf("gonummat: %w: %v%v is no matrix of gonum", tensor.ErrShape, t.DType(), t.Shape())
	}
	shape := t.Shape()
	return matrix{t, shape[0], shape[1]}, nil
}

// Dense returns a float64 copy of t, [rows][cols] or [rows]. F64 is not rounded, as it is where [View] reads it.
func Dense(t *tensor.Tensor) (*mat.Dense, error) {
	m, err := view(t)
	if err != nil {
		return nil, err
	}
	if m.t.DType() != tensor.F64 {
		return mat.DenseCopyOf(m), nil
	}
	plain, err := m.t.Clone()
	if err != nil {
		return nil, fmt.Errorf("gonummat: %w", err)
	}
	values, err := plain.Float64s()
	if err != nil {
		return nil, fmt.Errorf("gonummat: %w", err)
	}
	return mat.NewDense(m.rows, m.cols, values), nil
}

// From returns m as a tensor [rows][cols]: the very tensor, or its transpose, if m came from [View], else an F32 copy.
func From(m mat.Matrix) (*tensor.Tensor, error) {
	if d, ok := m.(*mat.Dense); m == nil || ok && d == nil {
		return nil, fmt.Errorf("gonummat: %w: there is no matrix", tensor.ErrType)
	}
	switch m := m.(type) {
	case matrix:
		return m.t, nil
	case mat.Transpose:
		if shown, ok := m.Matrix.(matrix); ok {
			return shown.t.Transpose()
		}
	}
	rows, cols := m.Dims()
	values := make([]float32, 0, rows*cols)
	for i := range rows {
		for j := range cols {
			values = append(values, float32(m.At(i, j)))
		}
	}
	return tensor.FromFloat32s(values, rows, cols)
}

// General returns t, a contiguous F32 tensor [rows][cols], as a matrix of blas32 over the same memory.
func General(t *tensor.Tensor) (blas32.General, error) {
	m, err := view(t)
	if err != nil {
		return blas32.General{}, err
	}
	data, err := m.t.Float32s()
	if err != nil {
		return blas32.General{}, fmt.Errorf("gonummat: %w", err)
	}
	return blas32.General{Rows: m.rows, Cols: m.cols, Stride: m.cols, Data: data}, nil
}

// FromGeneral returns g as an F32 tensor [rows][cols] over the same memory.
func FromGeneral(g blas32.General) (*tensor.Tensor, error) {
	all, err := tensor.FromFloat32s(g.Data, len(g.Data))
	if err != nil {
		return nil, err
	}
	return all.AsStrided([]int{g.Rows, g.Cols}, []int{g.Stride, 1})
}
