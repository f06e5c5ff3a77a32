package quality_test

import (
	"math"
	"testing"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/quality"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

func TestRun(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	done, left := 0, -1
	o := quality.Options{
		Model: pair.Draft, Sets: bench.BuiltinSets(), Tokens: 60, Threads: 1, Types: []weights.Mix{weights.Uniform(tensor.F16), weights.Uniform(tensor.Q4_K), weights.Uniform(tensor.Q3_K)},
		Progress: func(n, total int) { done, left = done+1, total-n },
	}
	r, err := quality.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	results := r.Data.([]quality.Result)
	if len(results) != 5 || done != 5 || left != 0 {
		t.Fatalf("%d results, %d done, %d left", len(results), done, left)
	}
	for i, x := range results {
		if i > 0 && !(x.Bits <= results[i-1].Bits) {
			t.Errorf("%s has more bits than what comes before", x.Type)
		}
		if !(x.NLL > 0) || math.IsNaN(x.KL) || x.Agreement < 0.5 || x.Agreement > 1 {
			t.Errorf("%+v", x)
		}
	}
	own, four, three := results[0], results[1], results[3]
	if own.KL != 0 || own.Lost != 0 || own.Agreement != 1 || own.Bits != 16 {
		t.Errorf("its own weights: %+v", own)
	}
	if four.Type != "q4_k" || three.Type != "q3_k" || !(0 < four.KL && four.KL < three.KL) {
		t.Errorf("four bits %+v, three %+v", four, three)
	}
	if len(r.Plots) != 2 || len(r.Tables[0].Rows) != 5 || len(r.Findings) != 2 {
		t.Errorf("%d plots, %d rows, findings %q", len(r.Plots), len(r.Tables[0].Rows), r.Findings)
	}
	if _, err := quality.Run(t.Context(), quality.Options{Model: pair.Draft}); err == nil {
		t.Error("no prompts, no error")
	}
}
