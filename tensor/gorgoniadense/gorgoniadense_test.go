package gorgoniadense_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/gorgoniadense"
	gt "gorgonia.org/tensor"
)

func Example() {
	d := gt.New(gt.WithShape(2, 2), gt.WithBacking([]float32{1, 2, 3, 4}))
	t, err := gorgoniadense.From(d)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := t.Set(9, 0, 1); err != nil { // the memory is shared
		fmt.Println(err)
		return
	}
	fmt.Println(t, d.Data())
	back, err := gorgoniadense.To(t)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(back.Shape(), back.Data())
	// Output:
	// f32[2 2] [[1 9] [3 4]] [1 9 3 4]
	// (2, 2) [1 9 3 4]
}

// TestFromSeesWhatGorgoniaSees compares element by element, for plain, sliced, transposed and column-major arrays.
func TestFromSeesWhatGorgoniaSees(t *testing.T) {
	base := func() *gt.Dense {
		return gt.New(gt.WithShape(3, 4), gt.WithBacking(gt.Range(gt.Float32, 0, 12)))
	}
	transposed := base()
	if err := transposed.T(); err != nil {
		t.Fatal(err)
	}
	sliced, err := base().Slice(gt.S(1, 3), gt.S(1, 3))
	if err != nil {
		t.Fatal(err)
	}
	column, err := base().Slice(nil, gt.S(2))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		d    *gt.Dense
		want string
	}{
		"plain":        {base(), "f32[3 4] [[0 1 2 3] [4 5 6 7] [8 9 10 11]]"},
		"transposed":   {transposed, "f32[4 3] [[0 4 8] [1 5 9] [2 6 10] [3 7 11]]"},
		"sliced":       {sliced.(*gt.Dense), "f32[2 2] [[5 6] [9 10]]"},
		"column":       {column.(*gt.Dense), "f32[3] [2 6 10]"},
		"column-major": {gt.New(gt.WithShape(2, 3), gt.AsFortran([]float32{0, 1, 2, 3, 4, 5})), "f32[2 3] [[0 1 2] [3 4 5]]"},
		"float64":      {gt.New(gt.WithShape(2), gt.WithBacking([]float64{0.5, 1})), "f64[2] [0.5 1]"},
		"int8":         {gt.New(gt.WithShape(2), gt.WithBacking([]int8{-128, 1})), "i8[2] [-128 1]"},
		"int32":        {gt.New(gt.WithShape(1, 2), gt.WithBacking([]int32{7, 8})), "i32[1 2] [[7 8]]"},
		"int64":        {gt.New(gt.WithShape(2), gt.WithBacking([]int64{1<<62 + 1, -1})), "i64[2] [4611686018427387905 -1]"},
		"uint8":        {gt.New(gt.WithShape(2), gt.WithBacking([]uint8{255, 1})), "u8[2] [255 1]"},
		"bool":         {gt.New(gt.WithShape(2), gt.WithBacking([]bool{true, false})), "bool[2] [true false]"},
		"int64 0":      {gt.New(gt.FromScalar(int64(2))), "i64[] 2"},
		"bool 0":       {gt.New(gt.FromScalar(true)), "bool[] true"},
		"uint8 0":      {gt.New(gt.FromScalar(uint8(2))), "u8[] 2"},
		"float32 0":    {gt.New(gt.FromScalar(float32(2))), "f32[] 2"},
		"float64 0":    {gt.New(gt.FromScalar(2.5)), "f64[] 2.5"},
		"int8 0":       {gt.New(gt.FromScalar(int8(2))), "i8[] 2"},
		"int32 0":      {gt.New(gt.FromScalar(int32(2))), "i32[] 2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := gorgoniadense.From(test.d)
			if err != nil || got.String() != test.want {
				t.Fatalf("got %v, %v, want %v", got, err, test.want)
			}
			if test.d.Dims() == 2 {
				for i := range test.d.Shape()[0] {
					for j := range test.d.Shape()[1] {
						want, err := test.d.At(i, j)
						if x, err2 := got.At(i, j); err != nil || err2 != nil || fmt.Sprint(x) != fmt.Sprint(want) {
							t.Fatalf("[%d %d]: got %v, %v, want %v, %v", i, j, x, err2, want, err)
						}
					}
				}
			}
			if back, err := gorgoniadense.To(got); err != nil || !slices.Equal(back.Shape(), test.d.Shape()) || back.Dtype() != test.d.Dtype() {
				t.Fatalf("back: %v, %v", back, err)
			}
		})
	}
}

func TestFromSharesMemory(t *testing.T) {
	columnMajor := gt.New(gt.WithShape(2, 3), gt.AsFortran([]float32{0, 1, 2, 3, 4, 5}))
	x := tensor.Must(gorgoniadense.From(columnMajor))
	if !slices.Equal(x.Strides(), []int{1, 2}) {
		t.Errorf("strides %v", x.Strides())
	}
	if err := x.Set(9, 0, 2); err != nil {
		t.Fatal(err)
	}
	if got, err := columnMajor.At(0, 2); err != nil || got != float32(9) {
		t.Errorf("the memory is not shared: %v, %v", got, err)
	}
}

func TestToSharesOrCopies(t *testing.T) {
	values := []float32{1, 2, 3, 4, 5, 6}
	x := tensor.Must(tensor.FromFloat32s(values, 2, 3))
	d, err := gorgoniadense.To(x)
	if err != nil {
		t.Fatal(err)
	}
	d.Set(0, float32(10))
	if values[0] != 10 {
		t.Error("the memory is not shared")
	}
	for name, test := range map[string]struct {
		x    *tensor.Tensor
		want []float32
	}{
		"transposed": {tensor.Must(x.Transpose()), []float32{10, 4, 2, 5, 3, 6}},
		"half":       {tensor.Must(x.To(tensor.F16)), []float32{10, 2, 3, 4, 5, 6}},
		"quantised":  {tensor.Must(tensor.New(tensor.Q4_K, 1, 256)), make([]float32, 256)},
		"unaligned":  {unaligned(t), []float32{1, 2}},
	} {
		d, err := gorgoniadense.To(test.x)
		if err != nil || !slices.Equal(d.Data().([]float32), test.want) || !slices.Equal(d.Shape(), test.x.Shape()) {
			t.Errorf("%s: got %v, %v", name, d, err)
		}
	}
}

// unaligned returns a tensor of the elements 1, 2 in memory that float32 cannot view.
func unaligned(t *testing.T) *tensor.Tensor {
	data := make([]byte, 12)
	for at := range 4 {
		x := tensor.Must(tensor.Wrap(data[at:at+8], tensor.F32, 2))
		if _, err := x.Float32s(); err == nil {
			continue
		}
		if err := x.CopyFrom([]float32{1, 2}); err != nil {
			t.Fatal(err)
		}
		return x
	}
	t.Fatal("every address is aligned")
	return nil
}

func TestErrors(t *testing.T) {
	if _, err := gorgoniadense.To(tensor.Must(tensor.New(tensor.F32, 0, 3))); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("empty: got %v", err)
	}
	if _, err := gorgoniadense.From(gt.New(gt.WithShape(2), gt.WithBacking([]string{"a", "b"}))); !errors.Is(err, tensor.ErrType) {
		t.Errorf("strings: got %v", err)
	}
	if _, err := gorgoniadense.From(nil); !errors.Is(err, tensor.ErrType) {
		t.Errorf("no array: got %v", err)
	}
	if _, err := gorgoniadense.To(nil); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("no tensor: got %v", err)
	}
	masked := gt.New(gt.WithShape(2), gt.WithBacking([]float32{1, 2}, []bool{true, false}))
	if _, err := gorgoniadense.From(masked); err == nil {
		t.Error("a masked array passes")
	}
}
