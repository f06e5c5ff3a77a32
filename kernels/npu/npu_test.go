package npu_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"unsafe"

	"github.com/lever-go/lever/kernels/npu"
	_ "github.com/lever-go/lever/kernels/npu/host"
	"github.com/lever-go/lever/tensor"
)

func TestOpen(t *testing.T) {
	if !slices.Contains(npu.Drivers(), "host") {
		t.Errorf("drivers %v", npu.Drivers())
	}
	if _, err := npu.Open(t.Context(), "none"); !errors.Is(err, npu.ErrUnsupported) {
		t.Errorf("a driver that is not there: %v", err)
	}
	if _, err := npu.Open(t.Context(), "host:fast"); err == nil || err.Error() != `npu: host: takes no configuration, got "fast"` {
		t.Errorf("a configuration that the driver does not know: %v", err)
	}
}

func TestBatch(t *testing.T) {
	for _, test := range []struct {
		batches    []int
		rows, want int
	}{
		{nil, 1, 1}, {nil, 3, 4}, {nil, 128, 128}, {nil, 1000, 128},
		{[]int{4, 32}, 1, 4}, {[]int{4, 32}, 5, 32}, {[]int{4, 32}, 33, 32},
	} {
		c := npu.Capabilities{Batches: test.batches}
		if got := c.Batch(test.rows); got != test.want {
			t.Errorf("%d rows in batches of %v: %d, want %d", test.rows, test.batches, got, test.want)
		}
	}
}

func TestCosts(t *testing.T) {
	c := npu.Costs{Submit: 1e-4, Rates: []npu.Rate{{"q4_0", 1, 4e9}, {"q4_0", 8, 2e9}, {"q8_0", 4, 1e9}}}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	if got := c.Of(tensor.Q4_0); len(got) != 2 {
		t.Errorf("rates %v", got)
	}
	if got := c.Of(tensor.F16); got != nil {
		t.Errorf("rates %v of a type without", got)
	}
	for name, bad := range map[string]npu.Costs{
		"negative":     {Submit: -1, Rates: c.Rates},
		"no rates":     {},
		"no such type": {Rates: []npu.Rate{{"q9", 1, 1}}},
		"order":        {Rates: []npu.Rate{{"q4_0", 8, 1}, {"q4_0", 8, 1}}},
		"no speed":     {Rates: []npu.Rate{{"q4_0", 8, 0}}},
	} {
		if bad.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// must is for short examples; programs check errors.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func Example() {
	ctx := context.Background()
	d, err := npu.Open(ctx, "host")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()

	// W is [16][32]: the first output is the sum of the inputs, the others are 0.
	plain := make([]float32, 16*32)
	for i := range 32 {
		plain[i] = 1
	}
	w := must(tensor.Must(tensor.Must(tensor.FromFloat32s(plain, 16, 32)).To(tensor.F16)).Packed())

	caps := d.Capabilities()
	batch := caps.Batch(1)
	p := must(d.Compile(npu.Product{Type: w.Type, Rows: w.Rows, Cols: w.Cols}, batch))
	defer p.Close()
	x, y := must(d.Alloc(4*batch*32)), must(d.Alloc(4*batch*16))
	defer x.Free()
	defer y.Free()

	floats := func(b npu.Buffer) []float32 {
		return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b.Bytes()))), len(b.Bytes())/4)
	}
	copy(floats(x), []float32{1, 2, 3, 4})
	if err := x.Flush(0, 4*32); err != nil {
		fmt.Println(err)
	}
	e := must(p.Submit(ctx, 1, npu.Operands{W: w, X: x, Y: y}))
	if err := e.Wait(ctx); err != nil {
		fmt.Println(err)
	}
	if err := y.Invalidate(0, 4*16); err != nil {
		fmt.Println(err)
	}
	fmt.Println(floats(y)[0])
	// Output: 10
}
