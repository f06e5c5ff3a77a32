package tensor_test

import (
	"fmt"

	"github.com/lever-go/lever/tensor"
)

func Example() {
	x, err := tensor.FromFloat32s([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	columns, err := x.Transpose()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(x)
	fmt.Println(columns)
	_, err = columns.Reshape(6)
	fmt.Println(err)
	// Output:
	// f32[2 3] [[1 2 3] [4 5 6]]
	// f32[3 2] [[1 4] [2 5] [3 6]]
	// tensor: reshape: shapes do not fit: f32[3 2] with strides [1 3] as [6] is no view of the same memory; call Contiguous first
}

func ExampleWrap() {
	data := []byte{0x00, 0x3C, 0x00, 0xC0} // two F16 numbers, say from a file
	x := tensor.Must(tensor.Wrap(data, tensor.F16, 2))
	fmt.Println(x)
	data[1] = 0x40 // the tensor shares the memory
	fmt.Println(x)
	// Output:
	// f16[2] [1 -2]
	// f16[2] [2 -2]
}

func ExampleTensor_To() {
	x := tensor.Must(tensor.FromFloat32s(ramp(32), 1, 32))
	q := tensor.Must(x.To(tensor.Q4_0))
	bytes, _ := q.Bytes()
	fmt.Println(q, "in", len(bytes), "bytes")
	// Output:
	// q4_0[1 32] [[-0 -0 3.875 3.875 … 27.125 27.125 31 31]] in 18 bytes
}

func ExampleTensor_Broadcast() {
	bias := tensor.Must(tensor.FromFloat32s([]float32{1, 2}, 2))
	fmt.Println(tensor.Must(bias.Broadcast(3, 2)))
	// Output:
	// f32[3 2] [[1 2] [1 2] [1 2]]
}

func ExampleEncode() {
	row := []float32{1, 0.1, -1.0 / 3}
	data, back := make([]byte, tensor.BF16.RowBytes(len(row))), make([]float32, len(row))
	if err := tensor.Encode(data, row, tensor.BF16); err != nil {
		fmt.Println(err)
		return
	}
	if err := tensor.Decode(back, data, tensor.BF16); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(back)
	// Output:
	// [1 0.100097656 -0.33398438]
}

func ExamplePack() {
	const rows, cols = 3, 2 // one tile; rows 3..15 are padding
	src := tensor.Must(tensor.Must(tensor.FromFloat32s(ramp(rows*cols), rows, cols)).To(tensor.F16))
	data, _ := src.Bytes()
	p := tensor.Packed{Type: tensor.F16, Rows: rows, Cols: cols, Data: make([]byte, tensor.PackedBytes(tensor.F16, rows, cols))}
	if err := tensor.Pack(p.Data, data, p.Type, p.Rows, p.Cols); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tensor.Must(tensor.Wrap(p.Data, tensor.F16, cols, tensor.TileRows))) // a column of 16 rows stands together
	// Output:
	// f16[2 16] [[0 2 4 0 … 0 0 0 0] [1 3 5 0 … 0 0 0 0]]
}

// The windows of two rows of a sequence of three, without copying: what a convolution multiplies with its weights.
func ExampleTensor_AsStrided() {
	const rows, width, window = 3, 2, 2
	x := tensor.Must(tensor.Arange(tensor.I32, 1, 7, 1)) // [rows][width]
	windows := tensor.Must(x.AsStrided([]int{rows - window + 1, window, width}, []int{width, width, 1}))
	fmt.Println(windows)
	// Output:
	// i32[2 2 2] [[[1 2] [3 4]] [[3 4] [5 6]]]
}
