package ops_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/ops"
)

// array is a tensor in testdata/numpy.json, with which results of NumPy 1.24 were written, computed in float64 and rounded to seven digits. The script
// that wrote them calls the function of NumPy of the same name, or where there is none the formula in the operation's documentation, written with
// NumPy's arithmetic.
type array struct {
	Type  string
	Shape []int
	Data  []any // numbers, or true and false; "nan", "inf" and "-inf" are text
}

func (a array) tensor() (*tensor.Tensor, error) {
	d, err := tensor.ParseDType(a.Type)
	if err != nil {
		return nil, err
	}
	floats, whole := make([]float32, len(a.Data)), make([]int64, len(a.Data))
	for i, x := range a.Data {
		switch x := x.(type) {
		case bool:
			whole[i] = map[bool]int64{true: 1}[x]
		case json.Number:
			v, err := x.Float64()
			if err != nil {
				return nil, err
			}
			floats[i] = float32(v)
			if whole[i], err = x.Int64(); d.Integer() && err != nil {
				return nil, err
			}
		case string:
			floats[i] = map[string]float32{"nan": float32(math.NaN()), "inf": float32(math.Inf(1)), "-inf": float32(math.Inf(-1))}[x]
		}
	}
	if !d.Integer() {
		return tensor.FromFloat32s(floats, slices.Concat(a.Shape, []int{1})...)
	}
	t, err := tensor.New(d, slices.Concat(a.Shape, []int{1})...)
	if err != nil {
		return nil, err
	}
	return t, t.CopyFromInts(whole)
}

type unaryOp = func(x *tensor.Tensor) (*tensor.Tensor, error)
type binaryOp = func(a, b *tensor.Tensor) (*tensor.Tensor, error)
type reduceOp = func(x *tensor.Tensor, dims ...int) (*tensor.Tensor, error)
type alongOp = func(x *tensor.Tensor, dim int) (*tensor.Tensor, error)
type countOp = func(x *tensor.Tensor, dim, n int) (*tensor.Tensor, error)

var unaryOps = map[string]unaryOp{
	"neg": ops.Neg, "abs": ops.Abs, "exp": ops.Exp, "sqrt": ops.Sqrt, "log": ops.Log, "tanh": ops.Tanh, "relu": ops.ReLU, "sigmoid": ops.Sigmoid,
	"silu": ops.SiLU, "gelu": ops.GELU, "gelu_tanh": ops.GELUTanh, "not": ops.Not,
}

var binaryOps = map[string]binaryOp{
	"add": ops.Add, "sub": ops.Sub, "mul": ops.Mul, "div": ops.Div, "pow": ops.Pow, "minimum": ops.Minimum, "maximum": ops.Maximum,
	"equal": ops.Equal, "less": ops.Less, "less_equal": ops.LessEqual, "greater": ops.Greater, "greater_equal": ops.GreaterEqual, "and": ops.And, "or": ops.Or,
	"cross_entropy": ops.CrossEntropy,
	"matmul":        func(a, b *tensor.Tensor) (*tensor.Tensor, error) { return ops.MatMul(nil, a, b) },
}

var reduceOps = map[string]reduceOp{"sum": ops.Sum, "mean": ops.Mean, "variance": ops.Variance, "max": ops.Max, "min": ops.Min}

var alongOps = map[string]alongOp{
	"argmax": ops.Argmax, "argmin": ops.Argmin, "cumsum": ops.CumSum, "softmax": ops.Softmax, "log_softmax": ops.LogSoftmax,
}

var countOps = map[string]countOp{"repeat": ops.Repeat, "tile": ops.Tile, "roll": ops.Roll}

// apply calls an operation by name.
func apply(op string, in []*tensor.Tensor, args []float64) (*tensor.Tensor, error) {
	whole := make([]int, len(args))
	for i, x := range args {
		whole[i] = int(x)
	}
	var optional [3]*tensor.Tensor
	copy(optional[:], in)
	switch op {
	case "scale":
		return ops.Scale(in[0], float32(args[0]))
	case "add_scalar":
		return ops.AddScalar(in[0], float32(args[0]))
	case "clamp":
		return ops.Clamp(in[0], float32(args[0]), float32(args[1]))
	case "where":
		return ops.Where(in[0], in[1], in[2])
	case "layernorm":
		return ops.LayerNorm(in[0], optional[1], optional[2], 1e-5)
	case "rmsnorm":
		return ops.RMSNorm(in[0], optional[1], 1e-5)
	case "affine":
		return ops.Affine(nil, in[0], in[1], optional[2])
	case "stack":
		return ops.Stack(whole[0], in...)
	case "concat":
		return ops.Concat(whole[0], in...)
	case "pad":
		return ops.Pad(in[0], whole[0], whole[1], whole[2], float32(args[3]))
	case "gather":
		return ops.Gather(in[0], whole[0], in[1])
	case "scatter":
		return ops.Scatter(in[0], whole[0], in[1], in[2])
	case "attention":
		options := ops.AttentionOptions{Causal: whole[0] == 1, Scale: float32(args[1])}
		if len(in) > 3 {
			options.Mask = in[3]
		}
		return ops.Attention(nil, in[0], in[1], in[2], options)
	case "conv1d":
		return ops.Conv1D(nil, in[0], in[1], in[2], ops.ConvOptions{Stride: whole[0], Dilation: whole[1], Before: whole[2], After: whole[3], Groups: whole[4]})
	}
	switch {
	case unaryOps[op] != nil:
		return unaryOps[op](in[0])
	case binaryOps[op] != nil:
		return binaryOps[op](in[0], in[1])
	case reduceOps[op] != nil:
		return reduceOps[op](in[0], whole...)
	case alongOps[op] != nil:
		return alongOps[op](in[0], whole[0])
	case countOps[op] != nil:
		return countOps[op](in[0], whole[0], whole[1])
	}
	return nil, fmt.Errorf("no operation is called %s", op)
}

// TestResultsAreThoseOfNumPy computes every case three times: with contiguous arguments, with views of every other element of longer tensors, and
// in an arena.
func TestResultsAreThoseOfNumPy(t *testing.T) {
	file, err := os.Open("testdata/numpy.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var cases []struct {
		Op   string
		In   []array
		Args []float64
		Out  array
	}
	decoder := json.NewDecoder(file)
	decoder.UseNumber()
	if err := decoder.Decode(&cases); err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, all := range []map[string]bool{names(unaryOps), names(binaryOps), names(reduceOps), names(alongOps), names(countOps)} {
		for op := range all {
			missing[op] = true
		}
	}
	var arena tensor.Arena
	forms := map[string]func(x *tensor.Tensor) (*tensor.Tensor, error){ // of x [...][1]
		"contiguous": func(x *tensor.Tensor) (*tensor.Tensor, error) { return x.Squeeze(-1) },
		"strided": func(x *tensor.Tensor) (*tensor.Tensor, error) {
			twice, err := ops.Concat(-1, x, x)
			if err != nil {
				return nil, err
			}
			return twice.Index(-1, 1)
		},
		"arena": func(x *tensor.Tensor) (*tensor.Tensor, error) { return arena.Use(x).Squeeze(-1) },
	}
	for i, test := range cases {
		delete(missing, test.Op)
		want, err := test.Out.tensor()
		if err != nil {
			t.Fatal(err)
		}
		want = tensor.Must(want.Squeeze(-1))
		for form, view := range forms {
			in := make([]*tensor.Tensor, len(test.In))
			before := make([]*tensor.Tensor, len(in))
			for k, x := range test.In {
				plain, err := x.tensor()
				if err != nil {
					t.Fatal(err)
				}
				in[k] = tensor.Must(view(plain))
				before[k] = tensor.Must(in[k].Clone())
			}
			got, err := apply(test.Op, in, test.Args)
			if err != nil {
				t.Errorf("%d: %s of %v, %v, %s: %v", i, test.Op, in, test.Args, form, err)
				continue
			}
			if got.DType() != want.DType() || !got.IsContiguous() || want.DType().Integer() && !tensor.Equal(got, want) || !tensor.Close(got, want, 2e-6, 2e-6) {
				t.Errorf("%d: %s of %v, %v, %s: got %v, want %v", i, test.Op, in, test.Args, form, got, want)
			}
			if form == "arena" && got.Arena() != &arena {
				t.Errorf("%d: %s: the result is not in the arena", i, test.Op)
			}
			for k := range in {
				if !tensor.Equal(in[k], before[k]) {
					t.Errorf("%d: %s, %s: argument %d was changed", i, test.Op, form, k)
				}
			}
			arena.Reset()
		}
	}
	for op := range missing {
		t.Errorf("no case of %s", op)
	}
}

func names[F any](m map[string]F) map[string]bool {
	all := map[string]bool{}
	for name := range m {
		all[name] = true
	}
	return all
}
