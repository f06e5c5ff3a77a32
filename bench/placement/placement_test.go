package placement

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/kernels/npu/sim"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/convert"
)

// recordDemo records a few tokens of the demo pair.
func recordDemo(t *testing.T) *Recording {
	t.Helper()
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r, err := Record(t.Context(), Options{Model: pair.Target, Draft: pair.Draft, Sets: bench.BuiltinSets()[:2], Prompts: 1, Tokens: 5})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecord(t *testing.T) {
	r := recordDemo(t)
	if r.Prompts != 2 || r.Tokens != 10 || len(r.Budgets) != len(Budgets) {
		t.Fatalf("%d prompts, %d tokens, %d budgets", r.Prompts, r.Tokens, len(r.Budgets))
	}
	waves := 0
	for _, b := range r.Budgets {
		tokens := 0
		for _, p := range b.Passes {
			tokens += p.Path
			waves += len(p.Waves)
			if p.Rows < p.Path || p.Rows > b.Nodes+1 || len(p.Heads) == 0 || len(p.Heads) > p.Path {
				t.Errorf("budget %d: pass %+v", b.Nodes, p)
			}
		}
		if tokens != r.Tokens {
			t.Errorf("budget %d: %d tokens", b.Nodes, tokens)
		}
	}
	if waves == 0 {
		t.Error("nothing was drafted")
	}
	if again := recordDemo(t); !reflect.DeepEqual(r, again) {
		t.Error("a second recording differs from the first")
	}
}

// made is a recording of passes that were thought up.
func made() *Recording {
	r := &Recording{Prompts: 1, Tokens: 8}
	for _, n := range Budgets {
		r.Budgets = append(r.Budgets, Budget{Nodes: n, Passes: []Pass{{Waves: []int{1, 2, n / 2}, Rows: n, Path: 3, Heads: []int{4, 1}}, {Waves: []int{2}, Rows: 2, Path: 1, Heads: []int{2}}}})
	}
	return r
}

func TestBatchAwareIsBestEverywhere(t *testing.T) {
	recording := made()
	recording.Parallel = []Budget{{Nodes: 8, Passes: []Pass{{Waves: []int{8}, Rows: 9, Path: 4, Heads: []int{4}}}}}
	r, err := DraftScheduling(recording)
	if err != nil {
		t.Fatal(err)
	}
	drafted := r.Data.([]DraftLatency)
	if want := 3 * len(drafts) * (len(Budgets) + 1) * len(strategies); len(drafted) < want {
		t.Fatalf("%d results, want %d", len(drafted), want)
	}
	for at := 0; at < len(drafted); at += len(strategies) {
		best := drafted[at+len(strategies)-1]
		for _, d := range drafted[at : at+len(strategies)] {
			if d.Seconds <= 0 || d.Seconds < best.Seconds {
				t.Errorf("%+v, %+v", d, best)
			}
		}
	}
	save(t, r)
}

// A parallel draft is recorded beside the other one, with masks in its forwards.
func TestRecordParallelDraft(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Model: pair.Target, Draft: pair.Draft, Parallel: filepath.Join(t.TempDir(), "parallel.lever"), Sets: bench.BuiltinSets()[:1], Prompts: 1, Tokens: 16}
	source := testdata.Shared(t, "models/lever-tiny-llama/draft-parallel")
	if err := convert.Convert(t.Context(), source, o.Parallel, weights.WriteOptions{Type: tensor.Q8_0}); err != nil {
		t.Fatal(err)
	}
	done := 0
	o.Progress = func(n, total int) {
		if n != done+1 || total != 2*len(Budgets) {
			t.Errorf("%d of %d answers are done after %d", n, total, done)
		}
		done = n
	}
	r, err := Record(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	rows := func(budgets []Budget) float64 {
		_, rows := budgets[0].waves() // of a small budget, so that a wave has few nodes
		return rows
	}
	if len(r.Parallel) != len(Budgets) || rows(r.Parallel) <= rows(r.Budgets) {
		t.Errorf("forwards of a parallel draft have %.1f rows, of another one %.1f", rows(r.Parallel), rows(r.Budgets))
	}
	o.Parallel = pair.Draft
	o.Progress = func(int, int) { t.Error("answers were recorded before the draft was looked at") }
	if _, err := Record(t.Context(), o); !errors.Is(err, spec.ErrNotParallel) {
		t.Errorf("a draft without a mask token: error %v", err)
	}
}

func TestProjection(t *testing.T) {
	r, err := Projection(made())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Data.([]Projected) {
		if x.Seconds <= 0 {
			t.Errorf("%+v", x)
		}
	}
	save(t, r)
}

func save(t *testing.T, r *report.Report) {
	t.Helper()
	if err := r.Save(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) == 0 || len(r.Tables) == 0 || len(r.Plots) == 0 {
		t.Errorf("%d findings, %d tables, %d plots", len(r.Findings), len(r.Tables), len(r.Plots))
	}
}

// What is reckoned for the NPU is what the simulated device takes.
func TestReckoningIsThatOfTheSimulation(t *testing.T) {
	p, err := loadPhone("mid-range")
	if err != nil {
		t.Fatal(err)
	}
	d, err := sim.New(sim.Options{Profile: p.Profile, Virtual: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	const rows, out, in = 20, 64, 256
	batch := 32
	program, err := d.Compile(npu.Product{Type: weightType, Rows: out, Cols: in}, batch)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	x, err := d.Alloc(4 * batch * in)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Free()
	y, err := d.Alloc(4 * batch * out)
	if err != nil {
		t.Fatal(err)
	}
	defer y.Free()
	w := tensor.Packed{Type: weightType, Rows: out, Cols: in, Data: make([]byte, tensor.PackedBytes(weightType, out, in))}
	e, err := program.Submit(t.Context(), rows, npu.Operands{W: w, X: x, Y: y})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	reckoned := p.costs.Times(weightType, len(w.Data), rows).Of(offload.NPU) - p.NPU.Submit
	if busy := d.Busy().Seconds(); busy < 0.99*reckoned || busy > 1.01*reckoned {
		t.Errorf("the device was busy for %v s, reckoned are %v", busy, reckoned)
	}
}
