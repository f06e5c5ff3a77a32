package tensor_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/tensor"
	"github.com/x448/float16"
	"pgregory.net/rapid"
)

// dense is the naive model of a tensor: the elements in row-major order.
type dense struct {
	shape  []int
	values []float32
}

// rearrange returns the dense tensor of the given shape whose element at index is that of m at from(index).
func (m dense) rearrange(shape []int, from func(index []int) []int) dense {
	out := dense{shape: slices.Clone(shape)}
	for _, index := range indices(shape) {
		at := 0
		for i, x := range from(index) {
			at = at*m.shape[i] + x
		}
		out.values = append(out.values, m.values[at])
	}
	return out
}

// indices lists all indices of a shape in row-major order.
func indices(shape []int) [][]int {
	all := [][]int{{}}
	for _, dim := range shape {
		var longer [][]int
		for _, index := range all {
			for x := range dim {
				longer = append(longer, append(slices.Clone(index), x))
			}
		}
		all = longer
	}
	return all
}

func values(t *testing.T, x *tensor.Tensor) []float32 {
	t.Helper()
	out := make([]float32, x.Len())
	if err := x.CopyTo(out); err != nil {
		t.Fatal(err)
	}
	return out
}

func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i)
	}
	return x
}

// TestViewsMatchNaiveIndexing applies random chains of views to a tensor and to a naive model of it.
func TestViewsMatchNaiveIndexing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom([]tensor.DType{tensor.F32, tensor.F16, tensor.I32, tensor.I8, tensor.Q8_0}).Draw(t, "type")
		shape := rapid.SliceOfN(rapid.IntRange(1, 4), 1, 3).Draw(t, "shape")
		if d.Quantized() {
			shape[len(shape)-1] = 32 * rapid.IntRange(1, 2).Draw(t, "blocks")
		}
		model := dense{shape: shape}
		for i := range product(shape) {
			model.values = append(model.values, float32(i%120-60))
		}
		x := tensor.Must(tensor.FromFloat32s(slices.Clone(model.values), shape...))
		x, err := x.To(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := x.CopyTo(model.values); err != nil { // Q8_0 has rounded
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 6).Draw(t, "steps") {
			x, model = drawView(t, x, model)
			compare(t, x, model)
		}
	})
}

// drawView applies one random view to both.
func drawView(t *rapid.T, x *tensor.Tensor, m dense) (*tensor.Tensor, dense) {
	n, before := len(m.shape), m.shape
	var out *tensor.Tensor
	var err error
	switch op := rapid.SampledFrom([]string{"slice", "step", "index", "squeeze", "unsqueeze", "permute", "transpose", "reshape", "broadcast"}).Draw(t, "op"); {
	case op == "slice" && n > 0:
		dim := rapid.IntRange(0, n-1).Draw(t, "dim")
		from := rapid.IntRange(0, m.shape[dim]-1).Draw(t, "from")
		to := rapid.IntRange(from+1, m.shape[dim]).Draw(t, "to")
		shape := slices.Clone(m.shape)
		shape[dim] = to - from
		m = m.rearrange(shape, func(index []int) []int {
			index = slices.Clone(index)
			index[dim] += from
			return index
		})
		if rapid.Bool().Draw(t, "from the end") {
			from -= before[dim]
			if to -= before[dim]; to == 0 {
				to = tensor.End
			}
			dim -= n
		}
		out, err = x.Slice(dim, from, to)
	case op == "step" && n > 0:
		dim, by := rapid.IntRange(0, n-1).Draw(t, "dim"), rapid.IntRange(1, 5).Draw(t, "by")
		shape := slices.Clone(m.shape)
		shape[dim] = (shape[dim] + by - 1) / by
		m = m.rearrange(shape, func(index []int) []int {
			index = slices.Clone(index)
			index[dim] *= by
			return index
		})
		out, err = x.Step(dim-n, by)
	case op == "index" && n > 0:
		dim := rapid.IntRange(0, n-1).Draw(t, "dim")
		i := rapid.IntRange(0, m.shape[dim]-1).Draw(t, "i")
		m = m.rearrange(slices.Delete(slices.Clone(m.shape), dim, dim+1), func(index []int) []int {
			return slices.Insert(slices.Clone(index), dim, i)
		})
		if rapid.Bool().Draw(t, "from the end") {
			i, dim = i-before[dim], dim-n
		}
		out, err = x.Index(dim, i)
	case op == "unsqueeze":
		dim := rapid.IntRange(0, n).Draw(t, "dim")
		m = dense{slices.Insert(slices.Clone(m.shape), dim, 1), m.values}
		out, err = x.Unsqueeze(dim - n - 1)
	case op == "squeeze":
		m = dense{slices.DeleteFunc(slices.Clone(m.shape), func(dim int) bool { return dim == 1 }), m.values}
		out, err = x.Squeeze()
	case op == "permute" || op == "transpose" && n >= 2:
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		if op == "permute" {
			order = rapid.Permutation(order).Draw(t, "order")
			dims := slices.Clone(order)
			for i := range dims {
				dims[i] -= n * rapid.IntRange(0, 1).Draw(t, "from the end")
			}
			out, err = x.Permute(dims...)
		} else {
			order[n-2], order[n-1] = n-1, n-2
			out, err = x.Transpose()
		}
		shape := make([]int, n)
		for i, dim := range order {
			shape[i] = m.shape[dim]
		}
		m = m.rearrange(shape, func(index []int) []int {
			source := make([]int, n)
			for i, dim := range order {
				source[dim] = index[i]
			}
			return source
		})
	case op == "reshape":
		shape := drawShapeOf(t, len(m.values))
		out, err = x.Reshape(shape...)
		if err != nil { // only some views can be reshaped: the copy can always be
			if x.IsContiguous() {
				t.Fatal(err)
			}
			if x, err = x.To(tensor.F32); err != nil {
				t.Fatal(err)
			}
			out, err = x.Reshape(shape...)
		}
		m = dense{shape, m.values}
	case op == "broadcast" && len(m.values) < 500:
		shape := append([]int{rapid.IntRange(1, 2).Draw(t, "copies")}, m.shape...)
		for i := range m.shape {
			if m.shape[i] == 1 {
				shape[1+i] = rapid.IntRange(1, 3).Draw(t, "wide")
			}
		}
		m = m.rearrange(shape, func(index []int) []int {
			source := slices.Clone(index[1:])
			for i := range source {
				source[i] %= before[i]
			}
			return source
		})
		out, err = x.Broadcast(shape...)
	default:
		return x, m
	}
	if err != nil {
		t.Fatal(err)
	}
	return out, m
}

// drawShapeOf draws a shape of n elements.
func drawShapeOf(t *rapid.T, n int) []int {
	var shape []int
	for n > 1 {
		var divisors []int
		for k := 1; k <= n; k++ {
			if n%k == 0 {
				divisors = append(divisors, k)
			}
		}
		k := rapid.SampledFrom(divisors).Draw(t, "divisor")
		shape, n = append(shape, k), n/k
		if len(shape) == 4 {
			return append(shape, n)
		}
	}
	return shape
}

// compare checks every way to read x against the model.
func compare(t *rapid.T, x *tensor.Tensor, m dense) {
	if !slices.Equal(x.Shape(), m.shape) || x.Len() != len(m.values) || x.Rank() != len(m.shape) {
		t.Fatalf("shape %v of %d elements, want %v", x.Shape(), x.Len(), m.shape)
	}
	got := make([]float32, x.Len())
	if err := x.CopyTo(got); err != nil || !slices.Equal(got, m.values) {
		t.Fatalf("CopyTo gives %v, %v, want %v", got, err, m.values)
	}
	for i, index := range indices(m.shape) {
		if v, err := x.At(index...); err != nil || v != m.values[i] {
			t.Fatalf("At%v = %v, %v, want %v", index, v, err, m.values[i])
		}
	}
	plain, err := x.To(tensor.F32)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := plain.Float32s(); err != nil || !slices.Equal(got, m.values) {
		t.Fatalf("To(F32) gives %v, %v, want %v", got, err, m.values)
	}
	flat, err := x.Contiguous()
	if err != nil {
		if x.DType().Quantized() && errors.Is(err, tensor.ErrShape) {
			return // a view that takes blocks apart
		}
		t.Fatal(err)
	}
	if err := flat.CopyTo(got); err != nil || !slices.Equal(got, m.values) || !flat.IsContiguous() {
		t.Fatalf("Contiguous gives %v, %v, want %v", got, err, m.values)
	}
}

func product(shape []int) int {
	n := 1
	for _, dim := range shape {
		n *= dim
	}
	return n
}

// TestCopyFromWritesThroughViews writes a view and reads the tensor below it.
func TestCopyFromWritesThroughViews(t *testing.T) {
	for _, d := range []tensor.DType{tensor.F32, tensor.F16, tensor.I8} {
		base := tensor.Must(tensor.New(d, 4, 6))
		view := tensor.Must(tensor.Must(base.Slice(1, 2, 5)).Transpose()) // [3 4]
		if err := view.CopyFrom(ramp(12)); err != nil {
			t.Fatal(err)
		}
		if err := base.Set(-1, 3, 5); err != nil {
			t.Fatal(err)
		}
		want := []float32{0, 0, 0, 4, 8, 0, 0, 0, 1, 5, 9, 0, 0, 0, 2, 6, 10, 0, 0, 0, 3, 7, 11, -1}
		if got := values(t, base); !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", d, got, want)
		}
	}
	quantised := tensor.Must(tensor.New(tensor.Q8_0, 2, 3, 64))
	view := tensor.Must(tensor.Must(quantised.Slice(1, 1, 2)).Slice(2, 32, 64)) // whole blocks
	want := make([]float32, 64)
	for i := range want {
		want[i] = float32(127 - i%32*2)
	}
	if err := view.CopyFrom(want); err != nil {
		t.Fatal(err)
	}
	if got := values(t, view); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := values(t, quantised); got[0] != 0 || got[96] != 127 || got[96+192] != 127 || got[64] != 0 {
		t.Errorf("wrote outside of the view: %v", got)
	}
	if _, err := tensor.Must(quantised.Slice(2, 8, 40)).Contiguous(); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("half blocks: got %v", err)
	}
	if err := tensor.Must(quantised.Slice(2, 8, 40)).CopyFrom(make([]float32, 192)); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("half blocks: got %v", err)
	}
}

func TestAsStrided(t *testing.T) {
	x := tensor.Must(tensor.FromFloat32s(ramp(11), 11)) // two rows of 3, 8 apart
	view := tensor.Must(x.AsStrided([]int{2, 3}, []int{8, 1}))
	if got := values(t, view); !slices.Equal(got, []float32{0, 1, 2, 8, 9, 10}) || !slices.Equal(view.Strides(), []int{8, 1}) {
		t.Errorf("got %v", got)
	}
	if empty := tensor.Must(x.AsStrided([]int{0, 3}, []int{99, 99})); empty.Len() != 0 {
		t.Errorf("got %v", empty)
	}
}

// TestAssign copies between views of all kinds and types.
func TestAssign(t *testing.T) {
	src := tensor.Must(tensor.FromFloat32s(ramp(128), 2, 64))
	for _, d := range []tensor.DType{tensor.F32, tensor.BF16, tensor.I8, tensor.Q8_0} {
		dst := tensor.Must(tensor.New(d, 4, 64))
		lower := tensor.Must(dst.Slice(0, 2, 4))
		if err := lower.Assign(src); err != nil {
			t.Fatal(err)
		}
		want := tensor.Must(src.To(d))
		if got := values(t, dst); !slices.Equal(got[128:], values(t, want)) || got[127] != 0 {
			t.Errorf("%v: got %v", d, got)
		}
	}
	columns := tensor.Must(src.Transpose())
	dst := tensor.Must(tensor.New(tensor.F32, 2, 64))
	if err := tensor.Must(dst.Transpose()).Assign(columns); err != nil || !slices.Equal(values(t, dst), ramp(128)) {
		t.Errorf("got %v, %v", dst, err)
	}
	halves := tensor.Must(tensor.Must(tensor.New(tensor.Q8_0, 2, 64)).Slice(1, 0, 16))
	if err := halves.Assign(tensor.Must(src.Slice(1, 0, 16))); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("parts of blocks: got %v", err)
	}
}

func TestWrapSharesMemory(t *testing.T) {
	data := []float32{1, 2, 3, 4, 5, 6}
	x := tensor.Must(tensor.FromFloat32s(data, 2, 3))
	data[4] = 50
	if v, _ := x.At(1, 1); v != 50 {
		t.Errorf("the tensor does not see the change of its memory: %v", v)
	}
	back, err := x.Float32s()
	if err != nil || &back[0] != &data[0] {
		t.Errorf("Float32s is a copy: %v", err)
	}
	row := tensor.Must(x.Slice(0, 1, 2))
	back, err = row.Float32s()
	if err != nil || &back[0] != &data[3] || cap(back) != 3 {
		t.Errorf("Float32s of a row is no view of just that row: %v %v", back, err)
	}
	if same := tensor.Must(x.To(tensor.F32)); same != x {
		t.Error("To copies a contiguous tensor of the same type")
	}
}

func TestTypedSlices(t *testing.T) {
	halves := []float16.Float16{float16.Fromfloat32(1.5), float16.Fromfloat32(-2)}
	x := tensor.Must(tensor.FromFloat16s(halves, 2))
	if got, err := x.Float16s(); err != nil || &got[0] != &halves[0] || values(t, x)[0] != 1.5 {
		t.Errorf("F16: %v, %v", got, err)
	}
	ints := []int32{7, math.MinInt32}
	x = tensor.Must(tensor.FromInt32s(ints, 2))
	if got, err := x.Int32s(); err != nil || &got[0] != &ints[0] || values(t, x)[1] != math.MinInt32 {
		t.Errorf("I32: %v, %v", got, err)
	}
	bytes := []int8{7, -128}
	x = tensor.Must(tensor.FromInt8s(bytes, 2))
	if got, err := x.Int8s(); err != nil || &got[0] != &bytes[0] || values(t, x)[1] != -128 {
		t.Errorf("I8: %v, %v", got, err)
	}
	if _, err := x.Float32s(); err == nil || !strings.Contains(err.Error(), "i8[2] is not f32") {
		t.Errorf("I8 as F32: %v", err)
	}
	empty := tensor.Must(tensor.FromFloat32s(nil, 0, 3))
	if got, err := empty.Float32s(); err != nil || len(got) != 0 {
		t.Errorf("empty: %v, %v", got, err)
	}
}

func TestUnalignedMemory(t *testing.T) {
	data := make([]byte, 12)
	at := 0
	for ; ; at++ { // exactly one of four neighbouring bytes is aligned
		if _, err := tensor.Must(tensor.Wrap(data[at:at+8], tensor.F32, 2)).Float32s(); err != nil {
			break
		}
	}
	x := tensor.Must(tensor.Wrap(data[at:at+8], tensor.F32, 2))
	if err := x.CopyFrom([]float32{1, 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Float32s(); err == nil || !strings.Contains(err.Error(), "not aligned to 4 bytes") {
		t.Fatalf("got %v", err)
	}
	for _, aligned := range []*tensor.Tensor{tensor.Must(x.Clone()), tensor.Must(x.To(tensor.F32))} {
		if got, err := aligned.Float32s(); err != nil || !slices.Equal(got, []float32{1, 2}) {
			t.Fatalf("got %v, %v", got, err)
		}
	}
}

func TestScalarAndEmpty(t *testing.T) {
	scalar := tensor.Must(tensor.New(tensor.F32))
	if err := scalar.Set(3); err != nil {
		t.Fatal(err)
	}
	wide := tensor.Must(scalar.Broadcast(2, 2))
	if got := values(t, wide); !slices.Equal(got, []float32{3, 3, 3, 3}) || wide.String() != "f32[2 2] [[3 3] [3 3]]" {
		t.Errorf("got %v", wide)
	}
	if got := values(t, tensor.Must(wide.Clone())); !slices.Equal(got, []float32{3, 3, 3, 3}) {
		t.Errorf("got %v", got)
	}
	x := tensor.Must(tensor.New(tensor.F16, 2, 3))
	empty := tensor.Must(x.Slice(1, 3, 3))
	if !empty.IsContiguous() || empty.Len() != 0 || empty.String() != "f16[2 0] [[] []]" {
		t.Errorf("got %v", empty)
	}
	if got := tensor.Must(tensor.Must(empty.Reshape(0, 5)).To(tensor.F32)); got.Len() != 0 {
		t.Errorf("got %v", got)
	}
}

func TestPackedTensors(t *testing.T) {
	x := tensor.Must(tensor.FromFloat32s(ramp(20*64), 20, 64))
	for _, d := range []tensor.DType{tensor.F16, tensor.Q4_0, tensor.Q8_0} {
		matrix := tensor.Must(x.To(d))
		p, err := matrix.Packed()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		back := tensor.Must(tensor.FromPacked(p))
		if back.DType() != d || !slices.Equal(values(t, back), values(t, matrix)) {
			t.Errorf("%v: packing changes the matrix", d)
		}
	}
	gain := tensor.Must(tensor.Must(tensor.FromFloat32s(ramp(5), 5)).To(tensor.BF16))
	p, err := gain.Packed()
	if err != nil || p.Check() != nil || !slices.Equal(values(t, tensor.Must(tensor.FromPacked(p))), ramp(5)) {
		t.Errorf("vector: %+v, %v", p, err)
	}
	for _, bad := range []*tensor.Tensor{x, tensor.Must(x.Reshape(2, 10, 64)), tensor.Must(tensor.New(tensor.F16, 0, 4))} {
		if _, err := bad.Packed(); err == nil {
			t.Errorf("%v%v can be packed", bad.DType(), bad.Shape())
		}
	}
	if _, err := tensor.FromPacked(tensor.Packed{Type: tensor.F16, Rows: 1, Cols: 1}); err == nil {
		t.Error("a matrix without data can be unpacked")
	}
}

// TestShapeErrors: errors wrap ErrShape and name both shapes.
func TestShapeErrors(t *testing.T) {
	x := tensor.Must(tensor.FromFloat32s(ramp(6), 2, 3))
	columns := tensor.Must(x.Transpose())
	fail := func(_ any, err error) error { return err }
	tests := []struct {
		err   error
		parts string
	}{
		{fail(tensor.New(tensor.F32, 2, -1)), "[2 -1]"},
		{fail(tensor.New(tensor.F32, 1<<40, 1<<40)), "[1099511627776 1099511627776]"},
		{fail(tensor.New(tensor.F32, 0, 1<<40, 1<<40)), "too large"},
		{fail(tensor.New(tensor.Q4_0, 4, 33)), "[4 33]|multiple of 32"},
		{fail(tensor.New(tensor.Q4_0)), "multiple of 32"},
		{fail(tensor.Wrap(make([]byte, 7), tensor.F16, 2, 2)), "[2 2]|8 bytes, got 7"},
		{fail(tensor.FromFloat32s(ramp(5), 2, 3)), "[2 3]|got 20"},
		{fail(x.Slice(1, 2, 4)), "2..4|[2 3]"},
		{fail(x.Slice(2, 0, 1)), "dimension 2|[2 3]"},
		{fail(x.Slice(0, 1, 0)), "1..0|[2 3]"},
		{fail(x.Slice(-3, 0, 1)), "dimension -3|[2 3]"},
		{fail(x.Slice(1, -4, 3)), "-4..3|[2 3]"},
		{fail(x.Step(1, 0)), "steps of 0|[2 3]"},
		{fail(x.Index(0, 2)), "2 of dimension 0|[2 3]"},
		{fail(x.Index(1, -4)), "-4 of dimension 1|[2 3]"},
		{fail(x.Squeeze(0)), "dimension 0|[2 3]"},
		{fail(x.Unsqueeze(3)), "dimension 3|[2 3]"},
		{fail(x.Unsqueeze(-4)), "dimension -4|[2 3]"},
		{fail(x.Flatten(1, 0)), "1 to 0|[2 3]"},
		{fail(columns.Flatten(0, -1)), "[6]|[3 2] with strides [1 3]"},
		{fail(tensor.Eye(tensor.F32, -1)), "[-1 -1]"},
		{fail(tensor.Ones(tensor.Q8_0, 5)), "multiple of 32"},
		{fail(tensor.Arange(tensor.F32, 0, 1, 0)), "steps of 0"},
		{fail(tensor.Arange(tensor.F32, 0, math.Inf(1), 1)), "+Inf"},
		{fail(tensor.Must(x.Reshape(6)).Transpose()), "[6]"},
		{fail(x.Permute(0)), "[0]|[2 3]"},
		{fail(x.Permute(0, 0)), "[0 0]|[2 3]"},
		{fail(x.Permute(0, 2)), "[0 2]|[2 3]"},
		{fail(x.Permute(0, 1, 2)), "[0 1 2]|[2 3]"},
		{fail(x.Reshape(4, 2)), "[4 2]|[2 3]"},
		{fail(x.Reshape(-1, 4)), "[-1 4]|[2 3]"},
		{fail(x.Reshape(-1, -1)), "[-1 -1]|[2 3]"},
		{fail(x.Reshape(-2, -3)), "[-2 -3]|[2 3]"},
		{fail(x.Reshape(1<<32, 1<<32, 6)), "[2 3]"},
		{fail(columns.Reshape(6)), "[6]|[3 2] with strides [1 3]|Contiguous"},
		{fail(x.Broadcast(4, 3)), "[4 3]|[2 3]"},
		{fail(x.Broadcast(3)), "[3]|[2 3]"},
		{fail(x.Broadcast(1<<40, 1<<40, 2, 3)), "[2 3]"},
		{fail(tensor.BroadcastShapes([]int{2, 3}, []int{2, 4})), "[2 3]|[2 4]"},
		{fail(x.AsStrided([]int{2}, []int{1, 1})), "[2] with strides [1 1]|[2 3]"},
		{fail(x.AsStrided([]int{2}, []int{-1})), "[2] with strides [-1]|[2 3]"},
		{fail(x.AsStrided([]int{2, 2}, []int{3, 3})), "[2 2] with strides [3 3]|[2 3]"},
		{fail(x.AsStrided([]int{1 << 40}, []int{1 << 40})), "[1099511627776]|[2 3]"},
		{fail(columns.AsStrided([]int{2}, []int{1})), "[3 2] with strides"},
		{fail(tensor.Must(x.Slice(0, 0, 0)).AsStrided([]int{1}, []int{1})), "[1]|[0 3]"},
		{columns.Assign(x), "[2 3]|[3 2]"},
		{fail(columns.Bytes()), "[3 2] with strides"},
		{fail(columns.Float32s()), "[3 2] with strides"},
		{fail(x.At(2, 0)), "[2 0]|[2 3]"},
		{fail(x.At(0)), "[0]|[2 3]"},
		{fail(x.At(0, -1)), "[0 -1]|[2 3]"},
		{x.Set(1, 0, 3), "[0 3]|[2 3]"},
		{x.CopyTo(make([]float32, 5)), "[2 3]|the slice 5"},
		{x.CopyFrom(make([]float32, 7)), "[2 3]|the slice 7"},
		{fail(x.To(tensor.Q8_0)), "[2 3]|multiple of 32"},
	}
	for i, test := range tests {
		if !errors.Is(test.err, tensor.ErrShape) {
			t.Errorf("%d: %v is no ErrShape", i, test.err)
			continue
		}
		for _, part := range strings.Split(test.parts, "|") {
			if !strings.Contains(test.err.Error(), part) {
				t.Errorf("%d: %q does not say %q", i, test.err, part)
			}
		}
	}
}

func TestTypeErrors(t *testing.T) {
	x := tensor.Must(tensor.New(tensor.Q8_0, 2, 256))
	for _, err := range []error{
		x.Set(1, 0, 0),
		errorOf(x.To(tensor.IQ2_S)),
		errorOf(x.To(tensor.Invalid)),
		errorOf(tensor.New(tensor.DType(200), 1)),
		errorOf(tensor.Wrap(nil, tensor.Invalid, 1)),
	} {
		if !errors.Is(err, tensor.ErrType) {
			t.Errorf("got %v", err)
		}
	}
	inf := tensor.Must(tensor.FromFloat32s([]float32{32: float32(math.Inf(1)), 63: 0}, 2, 32))
	if _, err := inf.To(tensor.Q4_0); !errors.Is(err, tensor.ErrNotFinite) {
		t.Errorf("got %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("Must does not panic")
		}
	}()
	tensor.Must(tensor.New(tensor.F32, -1))
}

// TestNoTensor: a nil pointer and a zero value are refused by everything that can refuse, and are nothing to everything else.
func TestNoTensor(t *testing.T) {
	x := tensor.Must(tensor.New(tensor.F32))
	for _, none := range []*tensor.Tensor{nil, new(tensor.Tensor)} {
		_, err1 := none.Bytes()
		_, err2 := none.At()
		_, err3 := none.Int()
		_, err4 := none.Packed()
		_, err5 := none.Float32s()
		for i, err := range []error{
			err1, err2, err3, err4, err5, none.Set(1), none.SetInt(1), none.CopyTo(nil), none.CopyFrom(nil), none.Assign(x), x.Assign(none),
			errorOf(none.Contiguous()), errorOf(none.Clone()), errorOf(none.To(tensor.F16)), errorOf(none.Slice(0, 0, 0)), errorOf(none.Transpose()),
			errorOf(none.Step(0, 1)), errorOf(none.Index(0, 0)), errorOf(none.Squeeze()), errorOf(none.Unsqueeze(0)), errorOf(none.Flatten(0, 0)),
			none.CopyInts(nil), none.CopyFromInts(nil), errorOf(none.Permute()), errorOf(none.Reshape(1)), errorOf(none.Broadcast(2)), errorOf(none.AsStrided(nil, nil)),
		} {
			if !errors.Is(err, tensor.ErrType) {
				t.Errorf("%d: got %v", i, err)
			}
		}
		if none.String() != "invalid" || none.DType() != tensor.Invalid || none.Rank() != 0 || none.Len() != 0 || none.Shape() != nil || none.Strides() != nil {
			t.Errorf("%v of %v, %d elements", none, none.DType(), none.Len())
		}
	}
}

// TestPrefixOnce: an error of an operation that calls others of the package names the package once.
func TestPrefixOnce(t *testing.T) {
	x := tensor.Must(tensor.New(tensor.F32, 2, 3))
	for _, err := range []error{errorOf(x.To(tensor.Q8_0)), errorOf(x.To(tensor.Invalid)), errorOf(x.Reshape(7)), errorOf(x.Broadcast(5))} {
		if err == nil || strings.Count(err.Error(), "tensor: ") != 1 {
			t.Errorf("got %v", err)
		}
	}
}

// TestIntegers: what a float32 does not hold is printed, read and written all the same.
func TestIntegers(t *testing.T) {
	x := tensor.Must(tensor.FromInt32s([]int32{1234567, 16777217}, 2))
	if got, want := x.String(), "i32[2] [1234567 16777217]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, value := range []int64{16777217, math.MinInt32, math.MaxInt32} {
		if err := x.SetInt(value, 1); err != nil {
			t.Fatal(err)
		}
		if got, err := x.Int(1); err != nil || got != value {
			t.Errorf("%d reads as %d, %v", value, got, err)
		}
	}
	small := tensor.Must(tensor.FromInt8s([]int8{-128, 127}, 2))
	if got, want := small.String(), "i8[2] [-128 127]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, err := small.Int(0); err != nil || got != -128 {
		t.Errorf("-128 reads as %d, %v", got, err)
	}
	if err := small.SetInt(-5, 1); err != nil {
		t.Error(err)
	}
	if err := small.SetInt(128, 1); !errors.Is(err, tensor.ErrType) {
		t.Errorf("128 in int8: %v", err)
	}
	if got, _ := small.Int(1); got != -5 {
		t.Errorf("-5 reads as %d", got)
	}
	if _, err := x.Int(2); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("an index outside: %v", err)
	}
	if _, err := tensor.Must(tensor.New(tensor.F16, 1)).Int(0); !errors.Is(err, tensor.ErrType) {
		t.Errorf("F16: %v", err)
	}
}

// TestErrorsNameTheirOperationOnce looks at the texts.
func TestErrorsNameTheirOperationOnce(t *testing.T) {
	err := errorOf(tensor.Must(tensor.New(tensor.F32, 2, 3)).To(tensor.Q8_0))
	if err == nil || strings.Count(err.Error(), "tensor:") != 1 {
		t.Errorf("got %v", err)
	}
}

func errorOf(_ *tensor.Tensor, err error) error { return err }

func TestDType(t *testing.T) {
	for _, d := range allTypes {
		if parsed, err := tensor.ParseDType(d.String()); err != nil || parsed != d {
			t.Errorf("%v parses as %v, %v", d, parsed, err)
		}
	}
	for s, want := range map[string]tensor.DType{"F32": tensor.F32, "Q4_0": tensor.Q4_0, "float32": tensor.F32, "bfloat16": tensor.BF16, "Int64": tensor.I64} {
		if parsed, err := tensor.ParseDType(s); err != nil || parsed != want {
			t.Errorf("%q parses as %v, %v", s, parsed, err)
		}
	}
	for _, s := range []string{"", "invalid", "q9"} {
		if _, err := tensor.ParseDType(s); err == nil {
			t.Errorf("%q parses", s)
		}
	}
	if s := tensor.DType(99).String(); s != "dtype(99)" {
		t.Errorf("got %q", s)
	}
}

func TestStringCutsLongDimensions(t *testing.T) {
	x := tensor.Must(tensor.FromFloat32s(ramp(20), 20))
	if got, want := x.String(), "f32[20] [0 1 2 3 … 16 17 18 19]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := fmt.Sprint(tensor.Must(x.Slice(0, 2, 10))), "f32[8] [2 3 4 5 6 7 8 9]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
