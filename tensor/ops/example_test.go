package ops_test

import (
	"fmt"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/ops"
)

// A network of two layers, the first with quantised weights.
func Example_mlp() {
	up := make([]float32, 4*32) // [hidden][inputs]: each hidden unit sums every fourth input
	for i := range up {
		if i%32%4 == i/32 {
			up[i] = 1
		}
	}
	hidden, err := tensor.Must(tensor.Must(tensor.FromFloat32s(up, 4, 32)).To(tensor.Q8_0)).Packed()
	if err != nil {
		fmt.Println(err)
		return
	}
	down := tensor.Must(tensor.FromFloat32s([]float32{1, 1, 0, 0, 0, 0, 1, -1}, 2, 4)) // [outputs][hidden]
	bias := tensor.Must(tensor.FromFloat32s([]float32{0, 10}, 2))

	mlp := func(x *tensor.Tensor) (*tensor.Tensor, error) {
		h, err := ops.Linear(nil, x, hidden)
		if err != nil {
			return nil, err
		}
		if h, err = ops.SiLU(h); err != nil {
			return nil, err
		}
		return ops.Affine(nil, h, down, bias)
	}
	ones := tensor.Must(tensor.Must(tensor.FromFloat32s([]float32{1}, 1)).Broadcast(1, 32))
	y, err := mlp(ones)
	fmt.Println(y, err)
	// Output:
	// f32[1 2] [[15.9937 10]] <nil>
}

// Two heads of three positions, each of which sees itself and those before it.
func ExampleAttention() {
	q := tensor.Must(tensor.New(tensor.F32, 2, 3, 2)) // all keys fit equally well
	v := tensor.Must(tensor.FromFloat32s([]float32{1, 0, 3, 0, 5, 0, 0, 2, 0, 4, 0, 6}, 2, 3, 2))
	y, err := ops.Attention(nil, q, q, v, ops.AttentionOptions{Causal: true})
	fmt.Println(y, err)
	// Output:
	// f32[2 3 2] [[[1 0] [2 0] [3 0]] [[0 2] [0 3] [0 4]]] <nil>
}

// The distance of each element to the mean of its row.
func ExampleMean() {
	x := tensor.Must(tensor.FromFloat32s([]float32{1, 2, 3, 10, 20, 60}, 2, 3))
	mean := tensor.Must(ops.Mean(x, -1)) // [2]
	column := tensor.Must(mean.Unsqueeze(-1))
	fmt.Println(mean)
	fmt.Println(tensor.Must(ops.Sub(x, column)))
	// Output:
	// f32[2] [2 30]
	// f32[2 3] [[-1 0 1] [-20 -10 30]]
}

// A layer in steady state: its results take the memory of the round before.
func ExampleAdd_arena() {
	var arena tensor.Arena
	bias := tensor.Must(tensor.FromFloat32s([]float32{1, 2}))
	rows := []float32{10, 20, 30, 40} // of a residual stream
	for range 2 {
		x := arena.Use(tensor.Must(tensor.FromFloat32s(rows, 2, 2))) // the memory of rows
		y := tensor.Must(ops.Add(x, bias))                           // in the arena
		if err := x.Assign(y); err != nil {
			fmt.Println(err)
		}
		arena.Reset()
	}
	fmt.Println(rows)
	// Output:
	// [12 24 32 44]
}

func ExampleTopK() {
	logits := tensor.Must(tensor.FromFloat32s([]float32{0.5, 3, -1, 2}, 1, 4))
	top, ids, err := ops.TopK(logits, 2)
	fmt.Println(top, ids, err)
	// Output:
	// f32[1 2] [[3 2]] i32[1 2] [[1 3]] <nil>
}

func ExampleRoPE() {
	x := tensor.Must(tensor.FromFloat32s([]float32{1, 0, 1, 0}, 2, 1, 2)) // two rows, one head of two elements
	cos, sin, err := ops.RoPEAngles([]int{0, 1}, 2, 10000)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ops.RoPE(x, cos, sin, kernels.PairHalves))
	// Output:
	// f32[2 1 2] [[[1 0]] [[0.540302 0.841471]]] <nil>
}
