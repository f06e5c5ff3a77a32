package simulate

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/convert"
)

// Where all weights are in memory, drafting is a large part of the time, and a parallel draft takes less of it than the same asked node by node.
func TestParallelDraft(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: many generations")
	}
	store := filepath.Join(t.TempDir(), "parallel.lever")
	source := testdata.Shared(t, "models/lever-tiny-llama/draft-parallel")
	if err := convert.Convert(t.Context(), source, store, weights.WriteOptions{Type: tensor.Q8_0}); err != nil {
		t.Fatal(err)
	}
	pair, engine := openDemo(t)
	s := &simulation{Options: Options{
		Model: pair.Target, Draft: pair.Draft, Parallel: store, Sets: bench.BuiltinSets()[:1], Prompts: 2, Tokens: 32, WarmTokens: 64, Phones: Phones, Targets: Targets,
	}}
	var err error
	if s.pair, err = s.ask(t.Context(), engine); err != nil {
		t.Fatal(err)
	}
	out := report.New("test", "")
	if err := s.parallel(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	all := map[string][]any{}
	for _, table := range out.Tables {
		if strings.Contains(table.Title, "100% in memory") && len(table.Rows) == 6 {
			for _, row := range table.Rows {
				all[row[0].(string)+row[1].(string)] = row
			}
		}
	}
	drafting := func(draft string) float64 { row := all[draft]; return row[len(row)-2].(float64) }
	if wide, single := drafting("parallel draftno"), drafting("parallel draft, node by nodeno"); len(all) != 6 || !(wide < 0.8*single) {
		t.Errorf("%d rows; %v ms of drafting, %v node by node", len(all), wide, single)
	}
}

// A draft that predicts one token at a time is refused before anything is simulated.
func TestParallelDraftWithoutMask(t *testing.T) {
	pair, _ := openDemo(t)
	_, err := Run(t.Context(), Options{
		Model: pair.Target, Draft: pair.Draft, Parallel: pair.Draft, Sets: bench.BuiltinSets(),
		Progress: func(int, int) { t.Error("a figure was made first") },
	})
	if !errors.Is(err, spec.ErrNotParallel) {
		t.Errorf("error %v", err)
	}
}
