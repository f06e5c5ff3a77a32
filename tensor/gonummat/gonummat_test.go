package gonummat_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/gonummat"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func Example() {
	t := tensor.Must(tensor.FromFloat32s([]float32{2, 1, 1, 3}, 2, 2))
	m, err := gonummat.View(t)
	if err != nil {
		fmt.Println(err)
		return
	}
	var inverse mat.Dense
	if err := inverse.Inverse(m); err != nil {
		fmt.Println(err)
		return
	}
	back, err := gonummat.From(&inverse)
	fmt.Println(back, err)
	// Output:
	// f32[2 2] [[0.6 -0.2] [-0.2 0.4]] <nil>
}

// TestViewAndCopies compares views of random strides and types with what tensor itself says.
func TestViewAndCopies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, cols := rapid.IntRange(1, 5).Draw(t, "rows"), rapid.IntRange(1, 5).Draw(t, "cols")
		x := tensor.Must(tensor.New(rapid.SampledFrom([]tensor.DType{tensor.F32, tensor.F16, tensor.I8}).Draw(t, "type"), cols, rows+2))
		values := make([]float32, x.Len())
		for i := range values {
			values[i] = float32(i)
		}
		if err := x.CopyFrom(values); err != nil {
			t.Fatal(err)
		}
		x = tensor.Must(tensor.Must(x.Slice(1, 1, rows+1)).Transpose())

		view, err := gonummat.View(x)
		if err != nil {
			t.Fatal(err)
		}
		dense, err := gonummat.Dense(x)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			for j := range cols {
				want, err := x.At(i, j)
				if err != nil {
					t.Fatal(err)
				}
				if view.At(i, j) != float64(want) || dense.At(i, j) != float64(want) || view.T().At(j, i) != float64(want) {
					t.Fatalf("[%d %d]: view %v, copy %v, want %v", i, j, view.At(i, j), dense.At(i, j), want)
				}
			}
		}
		back, err := gonummat.From(dense.T())
		if err != nil || back.DType() != tensor.F32 || !mat.Equal(must(gonummat.View(back)), view.T()) {
			t.Fatalf("copied back: %v, %v", back, err)
		}
		if same, err := gonummat.From(view); err != nil || same != x {
			t.Fatalf("the view gives back %v, %v", same, err)
		}
		if back, err := gonummat.From(view.T()); err != nil || !mat.Equal(must(gonummat.View(back)), view.T()) {
			t.Fatalf("the transposed view gives back %v, %v", back, err)
		}
	})
}

func must(m mat.Matrix, err error) mat.Matrix {
	if err != nil {
		panic(err)
	}
	return m
}

func TestGeneralSharesMemory(t *testing.T) {
	x := tensor.Must(tensor.FromFloat32s([]float32{1, 2, 3, 4, 5, 6}, 2, 3))
	g, err := gonummat.General(x)
	if err != nil {
		t.Fatal(err)
	}
	out := tensor.Must(tensor.New(tensor.F32, 2, 2))
	c, err := gonummat.General(out)
	if err != nil {
		t.Fatal(err)
	}
	blas32.Gemm(blas.NoTrans, blas.Trans, 1, g, g, 0, c)
	if got := out.String(); got != "f32[2 2] [[14 32] [32 77]]" {
		t.Errorf("got %s", got)
	}

	padded := blas32.General{Rows: 2, Cols: 2, Stride: 3, Data: []float32{1, 2, 99, 3, 4}} // the last row ends early
	back, err := gonummat.FromGeneral(padded)
	if err != nil || back.String() != "f32[2 2] [[1 2] [3 4]]" {
		t.Fatalf("got %v, %v", back, err)
	}
	if err := back.Set(7, 1, 0); err != nil || padded.Data[3] != 7 {
		t.Errorf("the memory is not shared: %v, %v", padded.Data, err)
	}
}

func TestErrors(t *testing.T) {
	x := tensor.Must(tensor.New(tensor.F32, 2, 3))
	for _, bad := range []*tensor.Tensor{
		tensor.Must(tensor.New(tensor.F32)),
		tensor.Must(tensor.New(tensor.F32, 1, 2, 3)),
		tensor.Must(tensor.New(tensor.F32, 0, 3)),
		tensor.Must(tensor.New(tensor.F32, 0)),
	} {
		_, err1 := gonummat.View(bad)
		_, err2 := gonummat.Dense(bad)
		_, err3 := gonummat.General(bad)
		if !errors.Is(err1, tensor.ErrShape) || !errors.Is(err2, tensor.ErrShape) || !errors.Is(err3, tensor.ErrShape) {
			t.Errorf("%v: got %v, %v, %v", bad.Shape(), err1, err2, err3)
		}
	}
	for _, none := range []mat.Matrix{nil, (*mat.Dense)(nil)} {
		if _, err := gonummat.From(none); !errors.Is(err, tensor.ErrType) {
			t.Errorf("no matrix: got %v", err)
		}
	}
	if _, err := gonummat.Dense(nil); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("no tensor: got %v", err)
	}
	if _, err := gonummat.General(tensor.Must(x.Transpose())); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("a strided view: got %v", err)
	}
	if _, err := gonummat.General(tensor.Must(x.To(tensor.F16))); err == nil {
		t.Error("F16 passes as float32")
	}
	if _, err := gonummat.FromGeneral(blas32.General{Rows: 3, Cols: 2, Stride: 2, Data: make([]float32, 5)}); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("too little data: got %v", err)
	}
	column := must(gonummat.View(tensor.Must(tensor.New(tensor.F32, 4))))
	if rows, cols := column.Dims(); rows != 4 || cols != 1 {
		t.Errorf("a vector is [%d %d]", rows, cols)
	}
	for want, index := range map[mat.Error][2]int{mat.ErrRowAccess: {4, 0}, mat.ErrColAccess: {0, 1}} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("%v: panics with %v, want %v", index, got, want)
				}
			}()
			column.At(index[0], index[1])
		}()
	}
}

func TestDenseOfFloat64IsExact(t *testing.T) {
	x := tensor.Must(tensor.FromFloat64s([]float64{0.1, 0.2, 1 + 1e-15, 0}, 2, 2))
	d, err := gonummat.Dense(tensor.Must(x.Transpose()))
	if err != nil || d.At(0, 0) != 0.1 || d.At(0, 1) != 1+1e-15 || d.At(1, 0) != 0.2 {
		t.Errorf("got %v, %v", d, err)
	}
}
