package simulate

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/inflate"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/tensor"
)

// Types of fewer bits are faster, plain ones by the bytes that they read; and what is measured is put beside.
func TestTypes(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: writes and runs a larger model")
	}
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	target, shapes, profiled := typedTarget, inflate.Shapes, profileTime
	defer func() { typedTarget, inflate.Shapes, profileTime = target, shapes, profiled }()
	profileTime = 50 * time.Millisecond
	typedTarget = Target{Name: "small", Draft: "small-draft"}
	inflate.Shapes = []inflate.Shape{
		{Name: "small", Width: 512, Layers: 9, Heads: 6, KVHeads: 2, HeadDim: 128, FFN: 1024, Vocab: 4608},
		{Name: "small-draft", Width: 256, Layers: 4, Heads: 6, KVHeads: 3, HeadDim: 128, FFN: 640, Vocab: 4608},
	}
	work := t.TempDir()
	o := TypeOptions{
		Model: pair.Target, Draft: pair.Draft, Sets: bench.BuiltinSets()[:1], Tokens: 4, DRAM: 8 << 20, Types: []tensor.DType{tensor.Q4_0, tensor.Q6_K},
		Measure: []tensor.DType{tensor.Q4_0}, Work: work,
	}
	r, err := RunTypes(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	rate := func(table, row, column int) float64 {
		x, err := strconv.ParseFloat(r.Tables[table].Cell(row, column), 64)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for column := 4; column < 6; column++ { // plain, lever
		if few, many := rate(0, 0, column), rate(0, 1, column); !(few > many && many > 0) {
			t.Errorf("%v tokens/s with q4_0, %v with q6_k", few, many)
		}
	}
	if len(r.Tables) != 2 || rate(1, 0, 4) <= 0 || rate(1, 1, 7) < rate(1, 0, 7) {
		t.Errorf("measured: %+v", r.Tables)
	}
	if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	// A run that is interrupted has what is there by then, and another goes on with what it lacks.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Measure, o.Earlier = []tensor.DType{tensor.IQ4_XS}, r
	o.Progress = func(step string) {
		if strings.HasPrefix(step, "iq4_xs, plain: ") {
			cancel()
		}
	}
	if r, err = RunTypes(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	var rows []any
	for _, row := range r.Tables[1].Rows {
		rows = append(rows, row[0], row[1])
	}
	if want := []any{"q4_0", "plain", "q4_0", "lever", "iq4_xs", "plain"}; !slices.Equal(rows, want) {
		t.Errorf("rows %v, want %v", rows, want)
	}
	o.Measure, o.Progress = nil, nil
	o.Types = []tensor.DType{tensor.F16}
	if _, err := RunTypes(t.Context(), o); err == nil {
		t.Error("a type that models are not inflated to: no error")
	}
	o.Types, o.DRAM = nil, 1<<40
	if _, err := RunTypes(t.Context(), o); err == nil {
		t.Error("memory for all weights: no error")
	}
}
