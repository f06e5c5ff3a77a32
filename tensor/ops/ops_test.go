package ops_test

import (
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/ops"
	"pgregory.net/rapid"
)

// testing.TB and rapid.T have this in common.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func values(t failer, x *tensor.Tensor) []float32 {
	t.Helper()
	out := make([]float32, x.Len())
	if err := x.CopyTo(out); err != nil {
		t.Fatal(err)
	}
	return out
}

// draw returns a tensor of values in -2..2.
func draw(t *rapid.T, label string, shape ...int) *tensor.Tensor {
	n := 1
	for _, dim := range shape {
		n *= dim
	}
	return tensor.Must(tensor.FromFloat32s(rapid.SliceOfN(rapid.Float32Range(-2, 2), n, n).Draw(t, label), shape...))
}

// near fails unless got is within a relative error of 1e-5 of want, or what slack allows beyond it. Below the normal float32 numbers only the
// order of magnitude counts.
func near(t failer, what string, got float32, want, slack float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= 1e-5*math.Abs(want)+slack+0x1p-126) {
		t.Fatalf("%s: got %v, want %v ± %v", what, got, want, slack)
	}
}

func at(t failer, x *tensor.Tensor, index ...int) float64 {
	t.Helper()
	v, err := x.At(index...)
	if err != nil {
		t.Fatal(err)
	}
	return float64(v)
}

func TestMatMulMatchesDefinition(t *testing.T) {
	pool := kernels.NewPool(2)
	defer pool.Close()
	rapid.Check(t, func(t *rapid.T) {
		dim := func(label string) int { return rapid.IntRange(1, 9).Draw(t, label) }
		m, k, n, batch := dim("m"), dim("k"), dim("n"), dim("batch")
		a := draw(t, "a", batch, m, k)
		b := draw(t, "b", k, n)
		switch rapid.SampledFrom([]string{"one b", "a batch of b", "one a", "strided b"}).Draw(t, "form") {
		case "a batch of b":
			b = draw(t, "b", batch, k, n)
		case "one a":
			a = draw(t, "a", m, k)
			b = draw(t, "b", batch, k, n)
		case "strided b":
			b = tensor.Must(draw(t, "b", batch, n, k).Transpose())
		}
		c, err := ops.MatMul(pool, a, b)
		if err != nil {
			t.Fatal(err)
		}
		wantShape := []int{batch, m, n}
		if !slices.Equal(c.Shape(), wantShape) || c.DType() != tensor.F32 {
			t.Fatalf("got %v%v, want %v", c.DType(), c.Shape(), wantShape)
		}
		a = tensor.Must(a.Broadcast(batch, m, k))
		b = tensor.Must(b.Broadcast(batch, k, n))
		for l := range batch {
			for i := range m {
				for j := range n {
					var sum, size float64
					for x := range k {
						product := at(t, a, l, i, x) * at(t, b, l, x, j)
						sum, size = sum+product, size+math.Abs(product)
					}
					near(t, "element", float32(at(t, c, l, i, j)), sum, 1e-6*size)
				}
			}
		}
	})
}

// TestLinearMatchesDefinition allows, for quantised weights, half a step of the int8 activations per product.
func TestLinearMatchesDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom([]tensor.DType{tensor.F16, tensor.Q4_0, tensor.Q8_0}).Draw(t, "type")
		outputs, k := rapid.IntRange(1, 40).Draw(t, "outputs"), 32*rapid.IntRange(1, 3).Draw(t, "blocks")
		x := draw(t, "x", 2, 3, k)
		w := tensor.Must(draw(t, "w", outputs, k).To(d))
		packed, err := w.Packed()
		if err != nil {
			t.Fatal(err)
		}
		y, err := ops.Linear(nil, x, packed)
		if err != nil {
			t.Fatal(err)
		}
		same, err := ops.MatMul(nil, x, tensor.Must(w.Transpose()))
		if err != nil || !slices.Equal(same.Shape(), []int{2, 3, outputs}) {
			t.Fatalf("%v, %v", same, err)
		}
		if d.Quantized() && !slices.Equal(values(t, y), values(t, same)) {
			t.Fatal("MatMul with a quantised matrix is not Linear")
		}
		step := 0.0
		if d.Quantized() {
			step = 2.0 / 127
		}
		for i := range 2 {
			for j := range 3 {
				for o := range outputs {
					var sum, size float64
					for c := range k {
						weight := at(t, w, o, c)
						sum, size = sum+weight*at(t, x, i, j, c), size+math.Abs(weight)
					}
					near(t, d.String(), float32(at(t, y, i, j, o)), sum, size*(step/2+1e-5))
				}
			}
		}
	})
}

func TestMatMulOfOtherTypes(t *testing.T) {
	a := tensor.Must(tensor.FromInt8s([]int8{1, 2, 3, 4}, 2, 2))
	b := tensor.Must(tensor.Must(tensor.FromFloat32s([]float32{1, 0.5, -1, 2}, 2, 2)).To(tensor.BF16))
	c, err := ops.MatMul(nil, a, b)
	if err != nil || c.String() != "f32[2 2] [[-1 4.5] [-1 9.5]]" {
		t.Errorf("got %v, %v", c, err)
	}
	// A quantised matrix that is not transposed is multiplied in float32.
	q := tensor.Must(tensor.Must(tensor.New(tensor.F32, 2, 32)).To(tensor.Q8_0))
	if c, err := ops.MatMul(nil, a, q); err != nil || !slices.Equal(c.Shape(), []int{2, 32}) {
		t.Errorf("got %v, %v", c, err)
	}
	empty := tensor.Must(tensor.New(tensor.F32, 3, 0))
	c, err = ops.MatMul(nil, empty, tensor.Must(empty.Transpose()))
	if err != nil || c.String() != "f32[3 3] [[0 0 0] [0 0 0] [0 0 0]]" {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestAddAndMulBroadcast(t *testing.T) {
	x := tensor.Must(tensor.FromFloat32s([]float32{1, 2, 3, 4, 5, 6}, 2, 3))
	row := tensor.Must(tensor.FromFloat32s([]float32{10, 20, 30}, 3))
	column := tensor.Must(tensor.FromFloat32s([]float32{2, 3}, 2, 1))
	tests := []struct {
		f    func(a, b *tensor.Tensor) (*tensor.Tensor, error)
		a, b *tensor.Tensor
		want string
	}{
		{ops.Add, x, row, "f32[2 3] [[11 22 33] [14 25 36]]"},
		{ops.Add, row, x, "f32[2 3] [[11 22 33] [14 25 36]]"},
		{ops.Add, row, column, "f32[2 3] [[12 22 32] [13 23 33]]"},
		{ops.Mul, x, column, "f32[2 3] [[2 4 6] [12 15 18]]"},
		{ops.Mul, x, x, "f32[2 3] [[1 4 9] [16 25 36]]"},
	}
	for _, test := range tests {
		if got, err := test.f(test.a, test.b); err != nil || got.String() != test.want {
			t.Errorf("got %v, %v, want %s", got, err, test.want)
		}
	}
	if got := x.String(); got != "f32[2 3] [[1 2 3] [4 5 6]]" {
		t.Errorf("an argument changed: %s", got)
	}
	if got, err := ops.Scale(tensor.Must(x.Transpose()), 2); err != nil || got.String() != "f32[3 2] [[2 8] [4 10] [6 12]]" {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestRowsMatchDefinition compares the operations along the last dimension with float64 formulas.
func TestRowsMatchDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "n")
		x := tensor.Must(draw(t, "x", n, 2, 3).Permute(1, 2, 0)) // rows are strided
		gain := draw(t, "gain", n)
		soft, err1 := ops.Softmax(x, -1)
		norm, err2 := ops.RMSNorm(x, gain, 1e-5)
		silu, err3 := ops.SiLU(x)
		best, err4 := ops.Argmax(x, -1)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			for j := range 3 {
				var exps, squares, largest float64
				first := -1
				for c := range n {
					v := at(t, x, i, j, c)
					exps, squares = exps+math.Exp(v), squares+v*v
					if first < 0 || v > largest {
						first, largest = c, v
					}
				}
				for c := range n {
					v := at(t, x, i, j, c)
					near(t, "softmax", float32(at(t, soft, i, j, c)), math.Exp(v)/exps, 1e-6)
					near(t, "rmsnorm", float32(at(t, norm, i, j, c)), v*at(t, gain, c)/math.Sqrt(squares/float64(n)+1e-5), 1e-6)
					near(t, "silu", float32(at(t, silu, i, j, c)), v/(1+math.Exp(-v)), 1e-6)
				}
				if got := at(t, best, i, j); got != float64(first) {
					t.Fatalf("argmax: got %v, want %v", got, first)
				}
			}
		}
	})
}

func TestTopK(t *testing.T) {
	nan := float32(math.NaN())
	x := tensor.Must(tensor.FromFloat32s([]float32{1, 5, 5, -2, nan, 3, nan, nan}, 2, 4))
	top, ids, err := ops.TopK(x, 3)
	if err != nil || top.String() != "f32[2 3] [[5 5 1] [3 -Inf -Inf]]" || ids.String() != "i32[2 3] [[1 2 0] [1 -1 -1]]" {
		t.Errorf("got %v, %v, %v", top, ids, err)
	}
	if top, ids, err := ops.TopK(x, 0); err != nil || top.Len() != 0 || ids.Len() != 0 {
		t.Errorf("got %v, %v, %v", top, ids, err)
	}
}

func TestRoPE(t *testing.T) {
	const rows, heads, headDim = 3, 2, 4
	cos, sin, err := ops.RoPEAngles([]int{0, 1, 7}, headDim, 100)
	if err != nil {
		t.Fatal(err)
	}
	pairs := map[kernels.Pairing]func(i int) (a, b int){
		kernels.PairHalves:   func(i int) (a, b int) { return i, i + headDim/2 },
		kernels.PairAdjacent: func(i int) (a, b int) { return 2 * i, 2*i + 1 },
	}
	rapid.Check(t, func(t *rapid.T) {
		x := draw(t, "x", 2, rows, heads, headDim)
		for pairing, pair := range pairs {
			y, err := ops.RoPE(x, cos, sin, pairing)
			if err != nil {
				t.Fatal(err)
			}
			for l := range 2 {
				for row, position := range []float64{0, 1, 7} {
					for h := range heads {
						for i := range headDim / 2 {
							angle := position * math.Pow(100, -float64(i)/2)
							a, b := pair(i)
							re, im := at(t, x, l, row, h, a), at(t, x, l, row, h, b)
							near(t, "first of a pair", float32(at(t, y, l, row, h, a)), re*math.Cos(angle)-im*math.Sin(angle), 1e-6)
							near(t, "second of a pair", float32(at(t, y, l, row, h, b)), im*math.Cos(angle)+re*math.Sin(angle), 1e-6)
						}
					}
				}
			}
		}
	})
}

func TestEmbedding(t *testing.T) {
	table := make([]float32, 20*32)
	for i := range table {
		table[i] = float32(i % 127)
	}
	plain := tensor.Must(tensor.FromFloat32s(table, 20, 32))
	indices := tensor.Must(tensor.FromInt32s([]int32{3, 0, 19, 3}, 2, 2))
	for _, d := range []tensor.DType{tensor.F32, tensor.F16, tensor.Q4_0, tensor.Q8_0} {
		x := tensor.Must(plain.To(d))
		got, err := ops.Embedding(x, indices)
		if err != nil || !slices.Equal(got.Shape(), []int{2, 2, 32}) {
			t.Fatalf("%v: got %v, %v", d, got, err)
		}
		for i, id := range []int{3, 0, 19, 3} {
			want := values(t, tensor.Must(x.Slice(0, id, id+1)))
			if !slices.Equal(values(t, got)[32*i:][:32], want) {
				t.Errorf("%v: row %d is not row %d of the table", d, i, id)
			}
		}
		if d == tensor.F32 {
			continue
		}
		packed, err := x.Packed()
		if err != nil {
			t.Fatal(err)
		}
		if same, err := ops.EmbeddingPacked(packed, indices); err != nil || !slices.Equal(values(t, same), values(t, got)) {
			t.Errorf("%v: the packed table gives %v, %v", d, same, err)
		}
	}
}

func TestConcat(t *testing.T) {
	a := tensor.Must(tensor.FromInt32s([]int32{1 << 30, 1<<30 + 1, 3, 4}, 2, 2)) // not exact in float32
	b := tensor.Must(tensor.Must(tensor.FromInt32s([]int32{5, 6}, 1, 2)).Transpose())
	wide, err := ops.Concat(1, a, b, a)
	if err != nil {
		t.Fatal(err)
	}
	got, err := wide.Int32s()
	if err != nil || !slices.Equal(got, []int32{1 << 30, 1<<30 + 1, 5, 1 << 30, 1<<30 + 1, 3, 4, 6, 3, 4}) {
		t.Errorf("got %v, %v", got, err)
	}
	q := tensor.Must(tensor.New(tensor.Q6_K, 2, 256))
	tall, err := ops.Concat(0, q, q)
	if err != nil || tall.DType() != tensor.Q6_K || !slices.Equal(tall.Shape(), []int{4, 256}) {
		t.Errorf("got %v, %v", tall, err)
	}
}

// TestErrors: what does not fit is an error that names the shapes.
func TestErrors(t *testing.T) {
	f := func(shape ...int) *tensor.Tensor { return tensor.Must(tensor.New(tensor.F32, shape...)) }
	index := func(x ...int32) *tensor.Tensor { return tensor.Must(tensor.FromInt32s(x, len(x))) }
	w, err := tensor.Must(tensor.New(tensor.F16, 5, 3)).Packed()
	if err != nil {
		t.Fatal(err)
	}
	shapes := []struct {
		err  error
		want string
	}{
		{second(ops.MatMul(nil, f(2, 3), f(4, 5))), "[2 3] and [4 5]"},
		{second(ops.MatMul(nil, f(3), f(4, 5))), "[3] and [4 5]"},
		{second(ops.MatMul(nil, f(2, 3), f(2))), "[2 3] and [2]"},
		{second(ops.MatMul(nil, f(), f(2))), "[] and [2]"},
		{second(ops.MatMul(nil, f(2, 2, 3), f(3, 3, 5))), "[2 2 3] and [3 3 5]"},
		{second(ops.Linear(nil, f(2, 4), w)), "[2 4] and [5 3]"},
		{second(ops.Linear(nil, f(), w)), "[] and [5]"},
		{second(ops.Add(f(2, 3), f(2, 4))), "[2 3] and [2 4]"},
		{second(ops.Mul(f(2, 3), f(3, 2))), "[2 3] and [3 2]"},
		{second(ops.Softmax(f(), 0)), "[]"},
		{second(ops.Softmax(f(2, 0), 1)), "[2 0]"},
		{second(ops.Argmax(f(0), 0)), "[0]"},
		{second(ops.RMSNorm(f(2, 3), f(4), 0)), "[2 3] and [4]"},
		{second(ops.RMSNorm(f(), f(4), 0)), "[]"},
		{topKError(f(2, 3), 4), "4 of rows of [2 3]"},
		{topKError(f(2, 3), -1), "-1 of rows of [2 3]"},
		{topKError(f(0), 0), "[0]"},
		{second(ops.RoPE(f(2, 4), f(2, 2), f(2, 2), kernels.PairHalves)), "[2 4]"},
		{second(ops.RoPE(f(2, 1, 3), f(2, 1), f(2, 1), kernels.PairHalves)), "[2 1 3]"},
		{second(ops.RoPE(f(2, 1, 4), f(2, 2), f(3, 2), kernels.PairHalves)), "cosines [2 2], sines [3 2]"},
		{anglesError(3), "3 is not even"},
		{second(ops.Embedding(f(4), index(0))), "[4] and [1]"},
		{second(ops.Embedding(f(4, 2), index(0, 4))), "index 4 of a dimension of 4"},
		{second(ops.EmbeddingPacked(w, index(-1))), "index -1 of a dimension of 5"},
		{second(ops.Affine(nil, f(2, 3), f(4, 3), f(3))), "[2 3], weights [4 3], bias [3]"},
		{second(ops.Affine(nil, f(2, 3), f(3, 4), nil)), "[2 3], weights [3 4]"},
		{second(ops.Clamp(f(2), 2, 1)), "from 2 to 1"},
		{second(ops.Mean(f(2, 0), 1)), "[1] of [2 0]"},
		{second(ops.Max(f(0))), "[0]"},
		{second(ops.Sum(f(2, 3), 2)), "dimension 2 of [2 3]"},
		{second(ops.Sum(f(2, 3), 1, -1)), "[1 -1] of [2 3]"},
		{second(ops.Argmin(f(2, 3), -3)), "dimension -3 of [2 3]"},
		{second(ops.CumSum(f(), 0)), "dimension 0 of []"},
		{second(ops.LogSoftmax(f(2, 0), 1)), "[2 0]"},
		{second(ops.LayerNorm(f(2, 3), nil, f(4), 0)), "[2 3] and [4]"},
		{second(ops.CrossEntropy(f(2, 3), index(0))), "[2 3] and [1]"},
		{second(ops.CrossEntropy(f(2, 3), index(0, 3))), "index 3 of a dimension of 3"},
		{second(ops.Where(tensor.Must(tensor.New(tensor.Bool, 2)), f(3), f(3))), "[3] and [2]"},
		{second(ops.Gather(f(2, 3), 1, index(-1))), "index -1 of a dimension of 3"},
		{second(ops.Scatter(f(2, 3), 1, index(0), f(2, 2))), "[2 2] at indices [1]"},
		{second(ops.Stack(0, f(2), f(3))), "[1 2] and [1 3]"},
		{second(ops.Pad(f(2, 3), 0, -1, 0, 0)), "-1 and 0"},
		{second(ops.Repeat(f(2, 3), 0, -1)), "-1 times"},
		{second(ops.Roll(f(2, 3), 5, 1)), "dimension 5"},
		{splitError(f(2, 3), 1, 2), "dimension 1 of [2 3] into [2]"},
		{splitError(f(2, 3), 1, 4, -1), "into [4 -1]"},
		{second(ops.Attention(nil, f(3, 2, 4), f(2, 2, 4), f(2, 2, 4), ops.AttentionOptions{})), "queries [3 2 4], keys [2 2 4]"},
		{second(ops.Attention(nil, f(2, 4), f(2, 4), f(2, 4), ops.AttentionOptions{})), "queries [2 4]"},
		{second(ops.Attention(nil, f(2, 2, 4), f(2, 2, 4), f(2, 2, 4), ops.AttentionOptions{Mask: f(3, 2)})), "[3 2]"},
		{second(ops.Conv1D(nil, f(5, 4), f(3, 4, 6), nil, ops.ConvOptions{})), "[5 4], weights [3 4 6]"},
		{second(ops.Conv1D(nil, f(5, 4), f(3, 4, 2), nil, ops.ConvOptions{Groups: 2})), "Groups:2"},
		{second(ops.Conv1D(nil, f(5, 4), f(3, 4, 2), nil, ops.ConvOptions{Before: -1})), "-1 and 0"},
		{second(ops.Conv1D(nil, f(5, 4), f(3, 4, 2), f(4), ops.ConvOptions{})), "bias [4]"},
		{second(ops.CausalMask(-1, 2)), "[-1 2]"},
		{second(ops.CausalMask(1<<40, 1<<40)), "too large"},
		{second(ops.Concat(0)), "nothing"},
		{second(ops.Concat(2, f(2, 3))), "dimension 2 of [2 3]"},
		{second(ops.Concat(0, f(2, 3), f(2, 4))), "[2 3] and [2 4]"},
		{second(ops.Concat(0, f(2, 3), f(3))), "[2 3] and [3]"},
	}
	for _, test := range shapes {
		if !errors.Is(test.err, tensor.ErrShape) || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("got %v, want shapes %q", test.err, test.want)
		}
	}
	closed := kernels.NewPool(2)
	closed.Close()
	vector, err := f(3).Packed()
	if err != nil {
		t.Fatal(err)
	}
	others := []struct{ err, want error }{
		{second(ops.Linear(nil, f(2, 3), vector)), tensor.ErrType},
		{second(ops.Linear(nil, f(2, 3), tensor.Packed{})), tensor.ErrType},
		{second(ops.Linear(closed, f(2, 3), w)), os.ErrClosed},
		{second(ops.Linear(nil, nil, w)), tensor.ErrShape},
		{second(ops.MatMul(closed, f(2, 3), f(3, 2))), os.ErrClosed},
		{second(ops.MatMul(nil, nil, f(3, 2))), tensor.ErrShape},
		{second(ops.Add(nil, f(3))), tensor.ErrType},
		{second(ops.Mul(f(3), new(tensor.Tensor))), tensor.ErrType},
		{second(ops.Scale(nil, 2)), tensor.ErrType},
		{second(ops.SiLU(nil)), tensor.ErrType},
		{second(ops.Softmax(nil, 0)), tensor.ErrShape},
		{second(ops.LayerNorm(nil, nil, nil, 0)), tensor.ErrShape},
		{second(ops.Sum(nil)), tensor.ErrType},
		{second(ops.CumSum(nil, 0)), tensor.ErrShape},
		{second(ops.Neg(new(tensor.Tensor))), tensor.ErrType},
		{second(ops.Less(f(2), nil)), tensor.ErrType},
		{second(ops.Not(nil)), tensor.ErrType},
		{second(ops.Where(f(2), f(2), f(2))), tensor.ErrType},
		{second(ops.Where(tensor.Must(tensor.New(tensor.Bool, 2)), nil, f(2))), tensor.ErrType},
		{second(ops.Gather(f(2), 0, f(2))), tensor.ErrType},
		{second(ops.Gather(f(2), 0, nil)), tensor.ErrType},
		{second(ops.Scatter(f(2), 0, index(0), nil)), tensor.ErrShape},
		{second(ops.CrossEntropy(f(2), nil)), tensor.ErrType},
		{second(ops.Stack(0, f(2), nil)), tensor.ErrType},
		{second(ops.Pad(tensor.Must(tensor.New(tensor.Q8_0, 1, 32)), 0, 1, 0, 0)), tensor.ErrType},
		{second(ops.Attention(nil, nil, nil, nil, ops.AttentionOptions{})), tensor.ErrShape},
		{second(ops.Attention(closed, f(1, 2, 4), f(1, 2, 4), f(1, 2, 4), ops.AttentionOptions{})), os.ErrClosed},
		{second(ops.Conv1D(nil, nil, nil, nil, ops.ConvOptions{})), tensor.ErrShape},
		{second(ops.Affine(nil, nil, nil, nil)), tensor.ErrShape},
		{second(ops.Affine(closed, f(2, 3), f(2, 3), nil)), os.ErrClosed},
		{second(ops.RoPE(f(2, 1, 4), nil, nil, kernels.PairHalves)), tensor.ErrShape},
		{second(ops.EmbeddingPacked(tensor.Packed{}, index(0))), tensor.ErrType},
		{second(ops.Embedding(f(4, 2), f(1))), tensor.ErrType},
		{second(ops.Embedding(nil, nil)), tensor.ErrShape},
		{second(ops.Concat(0, f(2, 3), tensor.Must(tensor.New(tensor.F16, 2, 3)))), tensor.ErrType},
		{second(ops.Concat(0, nil, nil)), tensor.ErrShape},
		{second(ops.RoPE(f(2, 1, 4), f(2, 2), f(2, 2), kernels.Pairing(9))), tensor.ErrShape},
	}
	for i, test := range others {
		if !errors.Is(test.err, test.want) {
			t.Errorf("%d: %v, want one that is %v", i, test.err, test.want)
		}
	}
}

// TestLinearParts: a matrix in parts, as a store yields it, gives the product of the whole; parts that are missing, twice or out of order do
// not.
func TestLinearParts(t *testing.T) {
	const outputs, k = 70, 64
	x := tensor.Must(tensor.FromFloat32s(slices.Repeat([]float32{1, -2, 0.5, 3}, 3*k/4), 3, k))
	numbers := make([]float32, outputs*k)
	for i := range numbers {
		numbers[i] = float32(i%13) - 6
	}
	w, err := tensor.Must(tensor.Must(tensor.FromFloat32s(numbers, outputs, k)).To(tensor.Q8_0)).Packed()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := ops.Linear(nil, x, w)
	if err != nil {
		t.Fatal(err)
	}
	parts := []tensor.Packed{w.Slice(0, 16), w.Slice(16, 64), w.Slice(64, 70)}
	multiply := func(parts ...tensor.Packed) (*tensor.Tensor, error) {
		return ops.LinearParts(nil, x, outputs, func(yield func(tensor.Packed, error) bool) {
			for _, p := range parts {
				if !yield(p, nil) {
					return
				}
			}
		})
	}
	y, err := multiply(parts...)
	if err != nil || !slices.Equal(values(t, y), values(t, whole)) {
		t.Errorf("the product with the parts is not that with the whole: %v", err)
	}
	for name, some := range map[string][]tensor.Packed{
		"none": nil, "first alone": parts[:1], "last is missing": parts[:2], "first is missing": parts[1:],
		"twice": {parts[0], parts[0], parts[1]}, "out of order": {parts[1], parts[0], parts[2]}, "too many": {parts[0], parts[1], parts[2], parts[2]},
	} {
		if _, err := multiply(some...); !errors.Is(err, tensor.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
	failing := errors.New("read fails")
	if _, err := ops.LinearParts(nil, x, outputs, func(yield func(tensor.Packed, error) bool) { yield(tensor.Packed{}, failing) }); !errors.Is(err, failing) {
		t.Errorf("an error of the source becomes %v", err)
	}
	// One part is a matrix of fewer outputs.
	for _, p := range parts {
		y, err := ops.Linear(nil, x, p)
		if err != nil || !slices.Equal(y.Shape(), []int{3, p.Rows}) || values(t, y)[0] != values(t, whole)[p.Row] {
			t.Errorf("rows from %d: %v, %v", p.Row, y, err)
		}
	}
}

func second(_ *tensor.Tensor, err error) error { return err }

func topKError(x *tensor.Tensor, k int) error {
	_, _, err := ops.TopK(x, k)
	return err
}

func splitError(x *tensor.Tensor, dim int, sizes ...int) error {
	_, err := ops.Split(x, dim, sizes...)
	return err
}

func anglesError(headDim int) error {
	_, _, err := ops.RoPEAngles([]int{0}, headDim, 10000)
	return err
}
