package tensor_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lever-go/lever/tensor"
)

func TestConstructors(t *testing.T) {
	for want, x := range map[string]*tensor.Tensor{
		"f32[2 3] [[1 1 1] [1 1 1]]":                 tensor.Must(tensor.Ones(tensor.F32, 2, 3)),
		"bf16[] 2.5":                                 tensor.Must(tensor.Full(tensor.BF16, 2.5)),
		"bool[2] [true true]":                        tensor.Must(tensor.Full(tensor.Bool, 7, 2)),
		"i32[3] [0 1 2]":                             tensor.Must(tensor.Arange(tensor.I32, 0, 3, 1)),
		"i64[2] [9007199254740991 9007199254740990]": tensor.Must(tensor.Arange(tensor.I64, 1<<53-1, 1<<53-3, -1)),
		"f32[4] [1 0.5 0 -0.5]":                      tensor.Must(tensor.Arange(tensor.F32, 1, -1, -0.5)),
		"f32[0] []":                                  tensor.Must(tensor.Arange(tensor.F32, 1, 0, 1)),
		"u8[3 3] [[1 0 0] [0 1 0] [0 0 1]]":          tensor.Must(tensor.Eye(tensor.U8, 3)),
		"f32[2] [1 2]":                               tensor.Must(tensor.FromFloat32s([]float32{1, 2})),
		"i64[2] [4611686018427387905 -1]":            tensor.Must(tensor.FromInt64s([]int64{1<<62 + 1, -1})),
		"f64[1] [0.1]":                               tensor.Must(tensor.FromFloat64s([]float64{0.1})),
		"bool[2] [true false]":                       tensor.Must(tensor.FromBools([]bool{true, false})),
		"q8_0[1 32] [[254 254 254 254 … 254 254 254 254]]": tensor.Must(tensor.Full(tensor.Q8_0, 254, 1, 32)),
		"u8[2] [255 0]": tensor.Must(tensor.FromBytes([]byte{255, 0})),
	} {
		if got := x.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestRandomIsSeeded: one seed gives one tensor, whose numbers have the distribution asked for.
func TestRandomIsSeeded(t *testing.T) {
	const n = 20000
	for name, draw := range map[string]func(*rand.Rand) (*tensor.Tensor, error){
		"uniform": func(source *rand.Rand) (*tensor.Tensor, error) { return tensor.Uniform(source, -1, 5, n) },
		"normal":  func(source *rand.Rand) (*tensor.Tensor, error) { return tensor.Normal(source, 2, 3, n) },
	} {
		seeded := func(seed uint64) *tensor.Tensor { return tensor.Must(draw(rand.New(rand.NewPCG(seed, 0)))) }
		a := seeded(1)
		if !tensor.Equal(a, seeded(1)) || tensor.Equal(a, seeded(2)) || tensor.Equal(a, tensor.Must(draw(nil))) {
			t.Errorf("%s: the numbers do not follow from the seed", name)
		}
		var sum, squares float64
		for _, x := range values(t, a) {
			sum, squares = sum+float64(x), squares+float64(x)*float64(x)
		}
		mean := sum / n
		deviation, want := math.Sqrt(squares/n-mean*mean), 3.0
		if name == "uniform" {
			want = 6 / math.Sqrt(12)
			if x := values(t, a); slices.Min(x) < -1 || slices.Max(x) > 5 {
				t.Errorf("uniform: from %v to %v", slices.Min(x), slices.Max(x))
			}
		}
		if math.Abs(mean-2) > 0.1 || math.Abs(deviation-want) > 0.05 {
			t.Errorf("%s: mean %v, deviation %v, want 2 and %v", name, mean, deviation, want)
		}
	}
}

func TestEqualAndClose(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	f := func(x ...float32) *tensor.Tensor { return tensor.Must(tensor.FromFloat32s(x)) }
	big := func(x int64) *tensor.Tensor { return tensor.Must(tensor.FromInt64s([]int64{x})) }
	tests := []struct {
		a, b         *tensor.Tensor
		equal, close bool // within 1 % and 0.1
	}{
		{f(1, 2), f(1, 2), true, true},
		{f(0), f(float32(math.Copysign(0, -1))), true, true},
		{f(100), f(101), false, true},
		{f(100), f(102), false, false},
		{f(0), f(0.09), false, true},
		{f(nan), f(nan), false, false},
		{f(inf), f(inf), true, true},
		{f(inf), f(-inf), false, false},
		{f(1), f(inf), false, false},
		{f(1), f(1, 1), false, false},
		{f(1), tensor.Must(f(1).Reshape(1, 1)), false, false},
		{f(1), tensor.Must(f(1).To(tensor.F16)), false, true},
		{big(1<<62 + 1), big(1<<62 + 1), true, true},
		{big(1<<62 + 1), big(1 << 62), false, true},
		{tensor.Must(tensor.FromFloat64s([]float64{0.1})), tensor.Must(tensor.FromFloat64s([]float64{0.1 + 1e-15})), false, true},
		{f(1), nil, false, false},
		{nil, nil, false, false},
	}
	for i, test := range tests {
		if equal, near := tensor.Equal(test.a, test.b), tensor.Close(test.a, test.b, 0.01, 0.1); equal != test.equal || near != test.close {
			t.Errorf("%d: %v and %v: equal %v, close %v", i, test.a, test.b, equal, near)
		}
	}
}

// TestConversionsOfIntegers: from integers to integers nothing is rounded; what a type does not hold becomes the nearest that it does.
func TestConversionsOfIntegers(t *testing.T) {
	x := tensor.Must(tensor.FromInt64s([]int64{1<<24 + 1, -1 << 40, 1 << 40, 0, 200, -7}))
	for d, want := range map[tensor.DType][]int64{
		tensor.I64:  {1<<24 + 1, -1 << 40, 1 << 40, 0, 200, -7},
		tensor.I32:  {1<<24 + 1, math.MinInt32, math.MaxInt32, 0, 200, -7},
		tensor.I8:   {127, -128, 127, 0, 127, -7},
		tensor.U8:   {255, 0, 255, 0, 200, 0},
		tensor.Bool: {1, 1, 1, 0, 1, 1},
	} {
		got := make([]int64, x.Len())
		if err := tensor.Must(x.To(d)).CopyInts(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%v: got %v, %v, want %v", d, got, err, want)
		}
	}
	float := tensor.Must(tensor.FromFloat32s([]float32{2.5, -3.5, float32(math.NaN()), float32(math.Inf(1)), -1e30}))
	for d, want := range map[tensor.DType][]int64{
		tensor.I64:  {2, -4, 0, math.MaxInt64, math.MinInt64},
		tensor.U8:   {2, 0, 0, 255, 0},
		tensor.Bool: {1, 1, 1, 1, 1},
	} {
		got := make([]int64, float.Len())
		if err := tensor.Must(float.To(d)).CopyInts(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%v: got %v, %v, want %v", d, got, err, want)
		}
	}
	if flags, err := tensor.Must(x.To(tensor.Bool)).Bools(); err != nil || !slices.Equal(flags, []bool{true, true, true, false, true, true}) {
		t.Errorf("got %v, %v", flags, err)
	}
	if _, err := x.Bools(); !errors.Is(err, tensor.ErrType) {
		t.Errorf("integers as bools: %v", err)
	}
	if err := x.CopyFromInts([]int64{1}); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("one integer for six: %v", err)
	}
	if err := float.CopyInts(make([]int64, 5)); !errors.Is(err, tensor.ErrType) {
		t.Errorf("floats as integers: %v", err)
	}
}

func TestAssignBroadcasts(t *testing.T) {
	x := tensor.Must(tensor.New(tensor.F32, 2, 3))
	if err := x.Assign(tensor.Must(tensor.FromInt32s([]int32{1, 2, 3}))); err != nil || x.String() != "f32[2 3] [[1 2 3] [1 2 3]]" {
		t.Errorf("got %v, %v", x, err)
	}
	if err := tensor.Must(x.Index(1, -1)).Assign(tensor.Must(tensor.Full(tensor.F32, 9))); err != nil || x.String() != "f32[2 3] [[1 2 9] [1 2 9]]" {
		t.Errorf("got %v, %v", x, err)
	}
	if err := x.Assign(tensor.Must(tensor.Ones(tensor.F32, 2))); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("got %v", err)
	}
}
