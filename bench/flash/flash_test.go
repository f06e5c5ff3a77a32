package flash_test

import (
	"testing"
	"time"

	"github.com/lever-go/lever/bench/flash"
	"github.com/lever-go/lever/internal/demo"
)

func TestRun(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	left := -1
	r, err := flash.Run(t.Context(), flash.Options{
		Model: pair.Target, Duration: 200 * time.Millisecond, Passes: 2, Progress: func(done, total int) { left = total - done },
	})
	if err != nil {
		t.Fatal(err)
	}
	if left != 0 || len(r.Tables) != 2 || len(r.Plots) != 2 || len(r.Findings) != 2 {
		t.Errorf("%d steps left, %d tables, %d plots, findings %q", left, len(r.Tables), len(r.Plots), r.Findings)
	}
	before := 0.0
	for i, row := range r.Tables[1].Rows {
		inMemory, read, seconds := row[0].(float64), row[1].(float64), row[2].(float64)
		if inMemory < before || inMemory >= 100 || read <= 0 || seconds <= 0 {
			t.Errorf("row %d: %v", i, row)
		}
		before = inMemory
	}
	if err := r.Save(t.TempDir()); err != nil {
		t.Error(err)
	}
	if _, err := flash.Run(t.Context(), flash.Options{Model: t.TempDir()}); err == nil {
		t.Error("no store: no error")
	}
}
