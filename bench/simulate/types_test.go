package simulate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/inflate"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/tensor"
)

// A small model writes the text of a larger one of the same type, which is not that of another type.
func TestRecodedTextIsThatOfLargeModels(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text := func(shape inflate.Shape, d tensor.DType) string {
		model := filepath.Join(t.TempDir(), "model.lever")
		if err := writeInflated(t.Context(), pair.Target, model, shape, d); err != nil {
			t.Fatal(err)
		}
		engine, err := lever.Open(t.Context(), lever.Config{Model: model})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		request := bench.BuiltinSets()[0].Prompts[0].Request()
		request.MaxTokens = 64
		got, err := engine.Generate(t.Context(), request, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Text
	}
	wide := inflate.Shape{Name: "wide", Width: 768, Layers: 10, Heads: 12, KVHeads: 4, HeadDim: 128, FFN: 2048, Vocab: 4608}
	few, inWide, many := text(recodedTarget, tensor.IQ3_XXS), text(wide, tensor.IQ3_XXS), text(recodedTarget, tensor.Q4_0)
	if few != inWide || few == many {
		t.Errorf("iq3_xxs: %q, in a wide model %q, q4_0: %q", few, inWide, many)
	}
}

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
		Measure: []tensor.DType{tensor.Q4_0}, MeasureTokens: 4, CPUShares: []float64{1, 0.5}, Work: work, Record: filepath.Join(t.TempDir(), "measured"),
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
	if len(r.Tables) != 3 || r.Tables[2].Title != measuredTitle || len(r.Tables[2].Rows) != 4 || rate(2, 0, 5) <= 0 || rate(2, 1, 8) < rate(2, 0, 8) || rate(2, 2, 2) != 2 {
		t.Errorf("measured: %+v", r.Tables)
	}
	if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	// A run that is interrupted has recorded what is there by then, and another goes on with what it lacks.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Measure = []tensor.DType{tensor.Q4_0, tensor.IQ4_XS}
	o.Progress = func(step string) {
		if strings.HasPrefix(step, "iq4_xs, plain, ") {
			cancel()
		}
	}
	if _, err = RunTypes(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	var steps []string
	o.Progress = func(step string) {
		name, _, _ := strings.Cut(step, ":")
		steps = append(steps, name)
	}
	if r, err = RunTypes(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	set := o.Sets[0].Name
	want := []string{
		"writing draft.lever", "writing iq4_xs.lever", "opening iq4_xs", "iq4_xs, lever, " + set, "iq4_xs, plain, reads slowed 1.00 times", "iq4_xs, lever, reads slowed 1.00 times",
		"opening iq4_xs", "iq4_xs, plain, " + set, "iq4_xs, lever, " + set, "iq4_xs, plain, reads slowed 2.00 times", "iq4_xs, lever, reads slowed 2.00 times",
	}
	if !slices.Equal(steps, want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
	measured := r.Tables[2].Rows
	o.Measure, o.Progress = nil, nil
	o.Types = append(o.Types, tensor.IQ4_XS)
	if r, err = RunTypes(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if again := r.Tables[2].Rows; len(again) != 8 || !reflect.DeepEqual(again, measured) {
		t.Errorf("of the record alone: %v, want %v", again, measured)
	}
	o.DRAM++
	if _, err := RunTypes(t.Context(), o); err == nil || !strings.Contains(err.Error(), "choose another file") {
		t.Errorf("a record of another measurement: %v", err)
	}
	o.Record, o.CPUShares = "", []float64{2}
	if _, err := RunTypes(t.Context(), o); err == nil {
		t.Error("a machine that is twice as fast as the phone: no error")
	}
	o.CPUShares = nil
	o.Types = []tensor.DType{tensor.F16}
	if _, err := RunTypes(t.Context(), o); err == nil {
		t.Error("a type that models are not inflated to: no error")
	}
	o.Types, o.DRAM = nil, 1<<40
	if _, err := RunTypes(t.Context(), o); err == nil {
		t.Error("memory for all weights: no error")
	}
}
