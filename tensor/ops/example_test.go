package ops_test

import (
	"fmt"
	"math"

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
		downT, err := down.Transpose()
		if err != nil {
			return nil, err
		}
		y, err := ops.MatMul(nil, h, downT)
		if err != nil {
			return nil, err
		}
		return ops.Add(y, bias)
	}
	ones := tensor.Must(tensor.Must(tensor.FromFloat32s([]float32{1}, 1)).Broadcast(1, 32))
	y, err := mlp(ones)
	fmt.Println(y, err)
	// Output:
	// f32[1 2] [[15.9937 10]] <nil>
}

// Attention of three positions, two heads, each position seeing itself and those before it.
func Example_attention() {
	attention := func(q, k, v, mask *tensor.Tensor) (*tensor.Tensor, error) { // [heads][rows][dim]
		kT, err := k.Transpose()
		if err != nil {
			return nil, err
		}
		scores, err := ops.MatMul(nil, q, kT)
		if err != nil {
			return nil, err
		}
		if scores, err = ops.Scale(scores, float32(1/math.Sqrt(2))); err != nil {
			return nil, err
		}
		if scores, err = ops.Add(scores, mask); err != nil {
			return nil, err
		}
		if scores, err = ops.Softmax(scores); err != nil {
			return nil, err
		}
		return ops.MatMul(nil, scores, v)
	}
	inf := float32(math.Inf(-1))
	mask := tensor.Must(tensor.FromFloat32s([]float32{0, inf, inf, 0, 0, inf, 0, 0, 0}, 3, 3))
	q := tensor.Must(tensor.New(tensor.F32, 2, 3, 2)) // all keys fit equally well
	v := tensor.Must(tensor.FromFloat32s([]float32{1, 0, 3, 0, 5, 0, 0, 2, 0, 4, 0, 6}, 2, 3, 2))
	y, err := attention(q, q, v, mask)
	fmt.Println(y, err)
	// Output:
	// f32[2 3 2] [[[1 0] [2 0] [3 0]] [[0 2] [0 3] [0 4]]] <nil>
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
