package growth_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/lever-go/lever/bench/growth"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/demo"
)

func options(t *testing.T) growth.Options {
	t.Helper()
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	flash, err := flashsim.Load("ufs-4.0")
	if err != nil {
		t.Fatal(err)
	}
	return growth.Options{Model: pair.Target, Draft: pair.Draft, Threads: 1, Context: 160, Duration: time.Millisecond, Flash: flash}
}

func TestRun(t *testing.T) {
	o := options(t)
	steps, left := 0, -1
	o.Progress = func(done, total int) { steps, left = steps+1, total-done }
	r, err := growth.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	points := map[string]int{}
	for _, p := range r.Data.([]growth.Point) {
		if points[p.Curve]++; !(p.Low > 0) || p.Seconds < p.Low || p.High < p.Seconds || p.Passes < 3 {
			t.Errorf("%+v", p)
		}
	}
	if steps != len(r.Data.([]growth.Point)) || left != 0 {
		t.Errorf("%d steps, %d left", steps, left)
	}
	for i, want := range []struct {
		name         string
		points, rows int
	}{{"context", 5, 5}, {"budget", 7, 7}, {"size", 4, 2}, {"threads", 2 * runtime.NumCPU(), runtime.NumCPU()}, {"dram", 5, 5}} {
		if r.Plots[i].Name != want.name || len(r.Plots[i].Series[0].X) != want.rows || len(r.Tables[i].Rows) != want.rows || points[want.name] != want.points {
			t.Errorf("%s: plot %+v, %d rows in the table, %d points", want.name, r.Plots[i], len(r.Tables[i].Rows), points[want.name])
		}
	}
	if len(r.Findings) != 5 {
		t.Errorf("findings %q", r.Findings)
	}
	// With more of the model in memory, less is read: what passes read, not what was planned.
	before := 1e9
	for _, row := range r.Tables[4].Rows {
		read := row[2].(float64)
		if read <= 0 || read >= before {
			t.Errorf("%.0f%% in memory: %v MB read, with less in memory %v", row[1], read, before)
		}
		before = read
	}
	if err := r.Save(t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestRunErrors(t *testing.T) {
	good := options(t)
	for name, spoil := range map[string]func(*growth.Options){
		"no draft":         func(o *growth.Options) { o.Draft = "" },
		"no flash":         func(o *growth.Options) { o.Flash = nil },
		"negative context": func(o *growth.Options) { o.Context = -1 },
		"short context":    func(o *growth.Options) { o.Context = 20 },
	} {
		o := good
		spoil(&o)
		if _, err := growth.Run(t.Context(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
