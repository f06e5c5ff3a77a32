package ops_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/ops"
	"pgregory.net/rapid"
)

// TestRowsAreIndependent: what the documentation says of rows, bit for bit: each is computed as if it were alone, on any number of workers.
func TestRowsAreIndependent(t *testing.T) {
	pool := kernels.NewPool(2)
	defer pool.Close()
	rapid.Check(t, func(t *rapid.T) {
		rows, n := rapid.IntRange(2, 40).Draw(t, "rows"), 32*rapid.IntRange(1, 3).Draw(t, "blocks")
		x, w, gain := draw(t, "x", rows, n), draw(t, "w", 20, n), draw(t, "gain", n)
		affine := func(d tensor.DType) unaryOp {
			weights := tensor.Must(w.To(d))
			return func(x *tensor.Tensor) (*tensor.Tensor, error) { return ops.Affine(pool, x, weights, nil) }
		}
		for name, f := range map[string]unaryOp{
			"affine f32": affine(tensor.F32), "affine bf16": affine(tensor.BF16), "affine f16": affine(tensor.F16), "affine q4_0": affine(tensor.Q4_0),
			"affine q8_0": affine(tensor.Q8_0),
			"layernorm":   func(x *tensor.Tensor) (*tensor.Tensor, error) { return ops.LayerNorm(x, gain, gain, 1e-5) },
			"rmsnorm":     func(x *tensor.Tensor) (*tensor.Tensor, error) { return ops.RMSNorm(x, gain, 1e-5) },
			"softmax":     func(x *tensor.Tensor) (*tensor.Tensor, error) { return ops.Softmax(x, -1) },
			"log-softmax": func(x *tensor.Tensor) (*tensor.Tensor, error) { return ops.LogSoftmax(x, -1) },
			"cumsum":      func(x *tensor.Tensor) (*tensor.Tensor, error) { return ops.CumSum(x, -1) },
			"sum":         func(x *tensor.Tensor) (*tensor.Tensor, error) { return ops.Sum(x, -1) },
			"variance":    func(x *tensor.Tensor) (*tensor.Tensor, error) { return ops.Variance(x, -1) },
			"mul":         func(x *tensor.Tensor) (*tensor.Tensor, error) { return ops.Mul(x, gain) },
			"silu":        ops.SiLU, "gelu": ops.GELU, "gelu tanh": ops.GELUTanh, "sigmoid": ops.Sigmoid, "tanh": ops.Tanh,
		} {
			all, err := f(x)
			if err != nil {
				t.Fatal(err)
			}
			for i := range rows {
				alone, err := f(tensor.Must(x.Slice(0, i, i+1)))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(values(t, alone), values(t, tensor.Must(all.Slice(0, i, i+1)))) {
					t.Fatalf("%s: row %d of %d is another one when it is alone", name, i, rows)
				}
			}
		}
	})
}

// TestAffineMatchesDefinition: weights of every type, with a bias; quantised ones within half a step of the int8 activations per product.
func TestAffineMatchesDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom([]tensor.DType{tensor.F32, tensor.BF16, tensor.F16, tensor.I8, tensor.F64, tensor.Q8_0}).Draw(t, "type")
		x, w, bias := draw(t, "x", 3, 64), tensor.Must(draw(t, "w", 5, 64).To(d)), draw(t, "bias", 5)
		y, err := ops.Affine(nil, x, w, bias)
		if err != nil {
			t.Fatal(err)
		}
		step := 0.0
		if d.Quantized() {
			step = 2.0 / 127
		}
		for i := range 3 {
			for o := range 5 {
				sum, size := at(t, bias, o), math.Abs(at(t, bias, o))
				for c := range 64 {
					sum += at(t, x, i, c) * at(t, w, o, c)
					size += math.Abs(at(t, w, o, c))
				}
				near(t, d.String(), float32(at(t, y, i, o)), sum, size*(step/2+1e-5))
			}
		}
	})
}

// TestNormsOfLayers: what a decoder's layers normalise, bit for bit.
func TestNormsOfLayers(t *testing.T) {
	const rows, n, eps = 3, 40, 1e-5
	source := rand.New(rand.NewPCG(1, 1))
	x := tensor.Must(tensor.Normal(source, 1, 2, rows, n))
	gain, bias := tensor.Must(tensor.Normal(source, 1, 1, n)), tensor.Must(tensor.Normal(source, 0, 1, n))
	var memory layers.Memory
	for name, v := range map[string]*tensor.Tensor{"norm": gain, "norm_bias": bias} {
		if err := memory.SetMatrix(name, tensor.F32, 1, n, values(t, v)); err != nil {
			t.Fatal(err)
		}
	}
	for centered, got := range map[bool]*tensor.Tensor{
		true:  tensor.Must(ops.LayerNorm(x, gain, bias, eps)),
		false: tensor.Must(ops.Add(tensor.Must(ops.RMSNorm(x, gain, eps)), bias)),
	} {
		norm := layers.NewNorm(layers.NewWorkspace(&memory, nil, rows), "norm", n, layers.NormConfig{Eps: eps, Centered: centered, Bias: true})
		want := make([]float32, rows*n)
		if err := norm.Forward(t.Context(), want, values(t, x)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(values(t, got), want) {
			t.Errorf("centered %v: got %v, want %v", centered, got, want)
		}
	}
}

// TestWhatIsNotANumber: what operations make of NaNs, infinities and overflows, as documented.
func TestWhatIsNotANumber(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	f := func(x ...float32) *tensor.Tensor { return tensor.Must(tensor.FromFloat32s(x)) }
	i8, i32 := tensor.Must(tensor.FromInt8s([]int8{-128, 127})), tensor.Must(tensor.FromInt32s([]int32{math.MaxInt32}))
	condition := tensor.Must(tensor.FromBools([]bool{true, false}))
	for i, test := range []struct {
		got  *tensor.Tensor
		want string
	}{
		{tensor.Must(ops.Softmax(f(-inf, -inf), 0)), "f32[2] [NaN NaN]"},
		{tensor.Must(ops.Softmax(f(-inf, 0), 0)), "f32[2] [0 1]"},
		{tensor.Must(ops.LogSoftmax(f(-inf, 0), 0)), "f32[2] [-Inf 0]"},
		{tensor.Must(ops.LogSoftmax(f(-inf, -inf), 0)), "f32[2] [NaN NaN]"},
		{tensor.Must(ops.Max(f(nan, 1, 2))), "f32[] 2"},
		{tensor.Must(ops.Min(f(nan, 1, 2))), "f32[] 1"},
		{tensor.Must(ops.Max(f(nan))), "f32[] NaN"},
		{tensor.Must(ops.Argmin(f(nan, 3, 3), 0)), "i32[] 1"},
		{tensor.Must(ops.Minimum(f(nan, 1), f(1, nan))), "f32[2] [NaN NaN]"},
		{tensor.Must(ops.Clamp(f(nan, -5, 5), 0, 1)), "f32[3] [NaN 0 1]"},
		{tensor.Must(ops.Div(f(1, 0, -1), f(0))), "f32[3] [+Inf NaN -Inf]"},
		{tensor.Must(ops.Log(f(0, -1))), "f32[2] [-Inf NaN]"},
		{tensor.Must(ops.Equal(f(nan), f(nan))), "bool[1] [false]"},
		{tensor.Must(ops.Sum(f(), 0)), "f32[] 0"},
		{tensor.Must(ops.Add(i8, i8)), "i32[2] [-256 254]"},
		{tensor.Must(ops.Neg(i8)), "i32[2] [128 -127]"},
		{tensor.Must(ops.Add(i32, i32)), "i32[1] [2147483647]"},
		{tensor.Must(ops.Sum(tensor.Must(ops.Concat(0, i32, i32)))), "i64[] 4294967294"},
		{tensor.Must(ops.Add(i8, f(0.5))), "f32[2] [-127.5 127.5]"},
		{tensor.Must(ops.CausalMask(2, 3)), "bool[2 3] [[true true false] [true true true]]"},
		{tensor.Must(ops.Sum(condition)), "i64[] 1"},
		{tensor.Must(ops.Mul(condition, f(3, 3))), "f32[2] [3 0]"},
		{tensor.Must(ops.GELU(f(inf, -20))), "f32[2] [+Inf -0]"},
	} {
		if got := test.got.String(); got != test.want {
			t.Errorf("%d: got %s, want %s", i, got, test.want)
		}
	}
}

// TestPartsOfBlocks: what moves elements moves whole blocks of quantised ones, and refuses to take them apart.
func TestPartsOfBlocks(t *testing.T) {
	q := tensor.Must(tensor.Must(tensor.FromFloat32s(slices.Repeat([]float32{127, -127, 64}, 64), 6, 32)).To(tensor.Q8_0))
	rows := tensor.Must(tensor.FromInt64s([]int64{5, 0}))
	got := tensor.Must(ops.Gather(q, 0, rows))
	want := tensor.Must(ops.Concat(0, tensor.Must(q.Slice(0, 5, 6)), tensor.Must(q.Slice(0, 0, 1))))
	if !tensor.Equal(got, want) || got.DType() != tensor.Q8_0 {
		t.Errorf("got %v, want %v", got, want)
	}
	if back := tensor.Must(ops.Scatter(q, 0, rows, got)); !tensor.Equal(back, q) {
		t.Errorf("got %v, want %v", back, q)
	}
	if tall := tensor.Must(ops.Repeat(q, 0, 2)); !tensor.Equal(tensor.Must(tall.Step(0, 2)), q) {
		t.Errorf("got %v", tall)
	}
	for i, err := range []error{second(ops.Gather(q, 1, rows)), second(ops.Repeat(q, 1, 2)), second(ops.Roll(q, 1, 3))} {
		if err == nil {
			t.Errorf("%d: blocks are taken apart", i)
		}
	}
}
