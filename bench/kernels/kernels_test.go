package kernels_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/lever-go/lever/bench/inflate"
	bench "github.com/lever-go/lever/bench/kernels"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// tiny has every operation, for no more than an instant.
func tiny() bench.Options {
	return bench.Options{
		Models:   []inflate.Shape{{Name: "tiny", Width: 256, Heads: 2, KVHeads: 1, HeadDim: 64, FFN: 256, Vocab: 256}},
		Kernels:  kernels.Sets()[1:2],
		Threads:  1,
		Short:    true,
		Duration: time.Microsecond,
		Memory:   1 << 20,
	}
}

func TestRun(t *testing.T) {
	o, left := tiny(), -1
	o.Progress = func(done, total int) { left = total - done }
	r, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if left != 0 || len(r.Tables) != 4 || len(r.Plots) != 2 || len(r.Findings) != 1 {
		t.Errorf("%d steps left, %d tables, %d plots, findings %q", left, len(r.Tables), len(r.Plots), r.Findings)
	}
	data := r.Data.(*bench.Data)
	if data.Memory <= 0 || data.Threads != 1 || len(data.Peaks) != 1 {
		t.Errorf("memory %g, %d threads, peaks %v", data.Memory, data.Threads, data.Peaks)
	}
	formats := len(tensor.PackableTypes()) // of which all but F16 are quantised
	seen := map[string]int{}
	for _, m := range data.Results {
		seen[m.Op]++
		if m.Kernels != o.Kernels[0] || m.Seconds <= 0 || m.Bytes <= 0 || m.Bound == "" || m.Share <= 0 {
			t.Errorf("%+v", m)
		}
		// A peak is the best of all products, so that none passes it.
		if m.Op == "matmul" && m.Bound == "arithmetic" && m.Share > 1.0001 {
			t.Errorf("%+v is above its bound", m)
		}
	}
	for op, want := range map[string]int{"matmul": 6 * formats, "attention": 1, "dequantizerow": formats, "quantize": formats - 1, "rmsnorm": 1, "softmax": 1} {
		if seen[op] != want {
			t.Errorf("%s: measured %d times, want %d", op, seen[op], want)
		}
	}
	for _, table := range r.Tables {
		if slices.ContainsFunc(table.Rows, func(row []any) bool { return len(row) != len(table.Columns) }) || len(table.Rows) == 0 {
			t.Errorf("table %q: %d rows, not all of %d cells", table.Title, len(table.Rows), len(table.Columns))
		}
	}
	if err := r.Save(t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestRunErrors(t *testing.T) {
	o := tiny()
	o.Kernels = []string{"abacus"}
	if _, err := bench.Run(t.Context(), o); err == nil {
		t.Error("an unknown kernel set: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	o = tiny()
	o.Progress = func(int, int) { cancel() }
	if _, err := bench.Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
