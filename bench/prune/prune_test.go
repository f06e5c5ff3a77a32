package prune

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/internal/demo"
)

// A short run on the demo pair compares every answer, and its results can be saved.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: takes many seconds")
	}
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	r, err := Run(t.Context(), Options{
		Model: pair.Target, Draft: pair.Draft, Sets: bench.BuiltinSets()[:1], Prompts: 1, Tokens: 12,
		Progress: func(done, total int) {
			if steps++; done != steps || done > total {
				t.Errorf("%d of %d after %d steps", done, total, steps)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Tables) != 3 || len(r.Plots) != 1+len(curvePolicies) || len(r.Tables[2].Rows) != 2*len(platforms()) {
		t.Errorf("%d tables, %d plots", len(r.Tables), len(r.Plots))
	}
	dir := t.TempDir()
	if err := r.Save(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prune.json", "prune-curve-lever.png", "prune-curve-lever.svg"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestRunChecksItsOptions(t *testing.T) {
	if _, err := Run(t.Context(), Options{}); err == nil {
		t.Error("no error without models")
	}
}
