package simulate

import (
	"math"
	"strings"
	"testing"

	"github.com/lever-go/lever/bench"
)

// A target that drafts for itself is right nearly always, and so gains more than its small draft brings; the same pair again gains the same.
func TestPairs(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: many generations")
	}
	pair, _ := openDemo(t)
	steps := 0
	o := Options{
		Model: pair.Target, Draft: pair.Draft, Sets: bench.BuiltinSets()[:2], Prompts: 2, Tokens: 24, WarmTokens: 24,
		Progress: func(done, total int) { steps = total - done },
	}
	out, err := RunPairs(t.Context(), o, []Pair{{"the same", pair.Target, pair.Draft}, {"itself", pair.Target, pair.Target}})
	if err != nil {
		t.Fatal(err)
	}
	if steps != 0 || len(out.Findings) == 0 || len(out.Summary.Sentences) != 1 || !strings.Contains(out.Summary.Sentences[0], "Over 3 pairs") {
		t.Errorf("%d steps are left; findings %q, summary %q", steps, out.Findings, out.Summary.Sentences)
	}
	rows := out.Tables[0].Rows
	if len(rows) != 3 || rows[1][0] != "the same" || rows[2][0] != "itself" {
		t.Fatalf("rows %v", rows)
	}
	for i, cell := range rows[0][1:] {
		if cell != rows[1][1+i] {
			t.Errorf("column %d: %v, and %v of the same pair", 1+i, cell, rows[1][1+i])
		}
	}
	right, itself := rows[0][1].(float64), rows[2][1].(float64)
	if !(right > 10 && right < 97 && itself > 97 && itself <= 100) {
		t.Errorf("the draft is right in %v %% of tokens, the target itself in %v %%", right, itself)
	}
	for _, column := range []int{2, 3, 4} {
		if small, large := rows[0][column].(float64), rows[2][column].(float64); !(large > small) {
			t.Errorf("column %d: %v with the draft, %v with the target itself", column, small, large)
		}
	}
	plot := out.Plots[0]
	if len(plot.Series) != 3 || plot.Series[0].X[2] != itself || math.Abs(plot.Series[0].Y[2]-rows[2][4].(float64)) > 1e-9 {
		t.Errorf("the plot is not of the table: %v", plot.Series)
	}
	if err := out.Save(t.TempDir()); err != nil {
		t.Error(err)
	}
	o.Record = "pair.trace"
	if _, err := RunPairs(t.Context(), o, nil); err == nil {
		t.Error("a trace of several pairs: no error")
	}
}
