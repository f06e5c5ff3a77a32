package simulate

import (
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/weights"
)

func openDemo(t *testing.T) (pair demo.Pair, engine *lever.Engine) {
	t.Helper()
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if engine, err = lever.Open(t.Context(), lever.Config{Model: pair.Target, Draft: pair.Draft}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	return pair, engine
}

// A recorded pair drafts, accepts and says what the pair itself does, and what it was asked once it is not asked again.
func TestRecordingIsTheModel(t *testing.T) {
	_, engine := openDemo(t)
	models := engine.SpecOptions()
	prompt := engine.Tokenizer().Encode(bench.BuiltinSets()[1].Prompts[0].Text, tokenizer.EncodeOptions{AddBOS: true})
	generate := func(target, draft spec.Decoder) spec.Result {
		policy, err := lever.NewPolicy("eagle2", 24)
		if err != nil {
			t.Fatal(err)
		}
		g, err := spec.NewGenerator(spec.Options{Target: target, Draft: draft, Policy: policy, Budget: 24})
		if err != nil {
			t.Fatal(err)
		}
		r, err := g.Generate(t.Context(), spec.Request{Prompt: prompt, MaxTokens: 24}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	want := generate(models.Target, models.Draft)
	target, draft := NewRecordedModel(models.Target, 1), NewRecordedModel(models.Draft, keptTokens)
	for range 2 {
		asked := draft.asked + target.asked
		got := generate(target, draft)
		if !slices.Equal(got.Tokens, want.Tokens) || got.Stats.Passes != want.Stats.Passes || got.Stats.Drafted != want.Stats.Drafted {
			t.Errorf("%v in %d passes with %d drafted, want %v in %d with %d", got.Tokens, got.Stats.Passes, got.Stats.Drafted, want.Tokens, want.Stats.Passes, want.Stats.Drafted)
		}
		if asked > 0 && draft.asked+target.asked > asked {
			t.Errorf("%d paths were asked for again", draft.asked+target.asked-asked)
		}
	}
}

// Passes take no less than their reads and their computing, and no more than both.
func TestPassTimes(t *testing.T) {
	for _, d := range Phones {
		for _, target := range Targets {
			h, err := target.on(d)
			if err != nil {
				t.Fatal(err)
			}
			reading := h.steady(0, 0)
			for before, n := 0.0, 1; n <= 128; n *= 2 {
				got, compute := h.steady(n, 0), h.compute.At(n)
				if got < 0.99*math.Max(reading, compute) || got > 1.01*(reading+compute) || got < before*(1-1e-9) {
					t.Errorf("%s, %s: %d rows in %v s; reading takes %v, computing %v, fewer rows %v", d.Name, target.Name, n, got, reading, compute, before)
				}
				before = got
			}
		}
	}
	if _, err := (Target{"llama-3.1-8b", "llama-3.2-1b", 0.01}).on(Phones[0]); err == nil {
		t.Error("memory that does not hold the head: no error")
	}
}

// A cut takes its rows' computing from the layers after it, conversations share reads, and a longer text takes more time.
func TestPassesOfFewerAndMoreRows(t *testing.T) {
	const rows, fewer = 64, 8
	h, err := (Target{"llama-3.1-8b", "llama-3.2-1b", 1}).on(Phones[1]) // which reads nothing
	if err != nil {
		t.Fatal(err)
	}
	took := func(cuts ...spec.Cut) float64 {
		c := clock{h: h, random: rand.New(rand.NewPCG(1, 2)), computed: make([]float64, h.layers)}
		c.pass(rows, cuts)
		return c.now
	}
	want := 0.75*h.compute.At(rows) + 0.25*h.compute.At(fewer)
	if got := took(spec.Cut{Done: 0.75, Rows: fewer}); math.Abs(got/want-1) > 1e-9 {
		t.Errorf("%v s with a cut after three quarters, want %v; without %v", got, want, took())
	}
	short, err := Targets[0].after(Phones[1], 0, q8Bytes, growthMemory)
	if err != nil {
		t.Fatal(err)
	}
	long, err := Targets[0].after(Phones[1], 32768, q8Bytes, growthMemory)
	if err != nil {
		t.Fatal(err)
	}
	if long.steady(1, 0) < 2*short.steady(1, 0) || long.draft.At(1) <= short.draft.At(1) {
		t.Errorf("a pass takes %v s after 32768 tokens, %v after none", long.steady(1, 0), short.steady(1, 0))
	}
}

// With a large ring a pass takes the longer of its reads and of drafting and computing; with a small one no less, and at most their sum.
func TestPassSeconds(t *testing.T) {
	flash := &flashsim.Profile{Name: "test", Sizes: []int64{4 << 20}, Depths: []int{4}, BytesPerSecond: [][]float64{{1e9}}}
	for _, w := range []Work{{Bytes: 1e9}, {1e9, 0.3, 0}, {1e9, 0.5, 0.4}, {1e9, 2, 0.5}, {1e6, 0.1, 0.1}} {
		reading, rest := w.Bytes/1e9, w.Computing+w.Drafting
		plan := weights.Plan{Ring: 2 << 30, Streamed: int64(w.Bytes), ReadSize: 4 << 20, Depth: 4}
		wide := PassSeconds(flash, plan, w)
		if longer := max(reading, rest); wide < 0.999*longer || wide > 1.03*longer {
			t.Errorf("%+v: %v s with a large ring, of which the longer part takes %v", w, wide, longer)
		}
		plan.Ring = 1
		if narrow := PassSeconds(flash, plan, w); narrow < 0.999*wide || narrow > 1.001*(reading+rest) {
			t.Errorf("%+v: %v s with a small ring, %v with a large one", w, narrow, wide)
		}
	}
}

func TestStallsTakeTheirTime(t *testing.T) {
	h, err := Targets[0].on(Phones[0])
	if err != nil {
		t.Fatal(err)
	}
	steady := h.steady(1, 0)
	h.stall, h.stallChance = 0.1, 0.05
	expected := steady + 0.1*0.05*float64(h.layers)
	if got := h.steady(1, 0); got < steady || got > 2*expected-steady {
		t.Errorf("%v s with stalls, %v without, %v expected", got, steady, expected)
	}
}

// The figures are plausible, and those of a replay the same to the last digit; what a trace lacks is named, and can be asked for later.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: many generations")
	}
	pair, _ := openDemo(t)
	device, err := flashsim.Load("sd-card")
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	o := Options{
		Model: pair.Target, Draft: pair.Draft, Sets: bench.BuiltinSets()[:1], Prompts: 1, Tokens: 10, WarmTokens: 10, Phones: Phones[3:], Targets: Targets[:1], SparsePhones: SparsePhones[:1],
		First:    []int{8},
		Delays:   []*flashsim.Profile{device},
		Record:   filepath.Join(t.TempDir(), "pair.trace"),
		Progress: func(done, total int) { steps = total - done },
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if steps != 0 || len(r.Plots) < 6 || len(r.Findings) < 3 {
		t.Errorf("%d steps are left; %d plots, findings %q", steps, len(r.Plots), r.Findings)
	}
	i := slices.IndexFunc(r.Tables, func(x *report.Table) bool { return len(x.Columns) == 8 })
	if row := r.Tables[i].Rows[0]; !(row[5].(float64) > 1.5*row[3].(float64)) {
		t.Errorf("lever is hardly faster than plain decoding: %v", row)
	}
	i = slices.IndexFunc(r.Tables, func(x *report.Table) bool { return strings.HasPrefix(x.Title, "Draft policies") })
	if slices.ContainsFunc(r.Tables[i].Rows, func(row []any) bool { return row[1] == "pard" }) ||
		!slices.ContainsFunc(r.Settings, func(x report.Setting) bool {
			return x.Name == "policies left out" && strings.HasPrefix(x.Value, "pard:")
		}) {
		t.Errorf("policy pard is compared with a draft that has no mask token, or nothing says why not: %v", r.Settings)
	}
	i = slices.IndexFunc(r.Tables, func(x *report.Table) bool { return strings.HasPrefix(x.Title, "first answers") })
	if row := r.Tables[i].Rows[0]; !(row[3].(float64) > 0.8) {
		t.Errorf("the first answer of lever is slower than a chain's: %v", row)
	}
	for i, want := range map[int]struct {
		name   string
		points int
	}{0: {"context", 7}, 1: {"conversations", 8}, 2: {"size", 5}, 3: {"memory", 9}, 4: {"experts", 5}} {
		j := slices.IndexFunc(r.Plots, func(p *report.Plot) bool { return p.Name == "growth-"+want.name })
		if j < 0 || len(r.Plots[j].Series[0].Y) != want.points || !r.Plots[j].Series[1].Dashed {
			t.Errorf("picture %d, %s: %v", i, want.name, j)
		}
	}
	pruned := r.Plots[len(r.Plots)-1]
	if ratio := pruned.Series[1].Y[0] / pruned.Series[0].Y[0]; pruned.Name != "pruning" || ratio < 0.9 || ratio > 1.5 {
		t.Errorf("with pruning %v times as fast", ratio)
	}
	i = slices.IndexFunc(r.Tables, func(x *report.Table) bool { return strings.Contains(x.Title, "whose delays are those of a device") })
	if rows := r.Tables[i].Rows; len(rows) != 2 || rows[1][0] != "sd-card" || !(rows[1][2].(float64) > rows[0][2].(float64)) {
		t.Errorf("delays of %v", rows)
	}
	if err := r.Save(t.TempDir()); err != nil {
		t.Error(err)
	}

	replay := Options{Replay: o.Record, First: o.First, Delays: o.Delays, Phones: o.Phones, Targets: o.Targets, SparsePhones: o.SparsePhones}
	again, err := Run(t.Context(), replay)
	if err != nil {
		t.Fatal(err)
	}
	figures, plots := r.Tables[:len(r.Tables)-2], r.Plots[:len(r.Plots)-1] // the last are of pruning, and of real passes
	if !reflect.DeepEqual(again.Tables, figures) || !reflect.DeepEqual(again.Plots, plots) {
		t.Errorf("replayed: %d tables, %d plots, other than recorded: %d, %d", len(again.Tables), len(again.Plots), len(figures), len(plots))
	}
	if text := strings.Join(again.Findings, "\n"); !strings.Contains(text, "not compared with real ones") {
		t.Errorf("the replay does not say what it lacks: %s", text)
	}

	recorded, err := loadTrace(o.Record)
	if err != nil {
		t.Fatal(err)
	}
	prompt := uint64(1)
	for _, token := range recorded.Sets[0].Prompts[0].Tokens {
		prompt = next(prompt, token)
	}
	delete(recorded.draft.known, prompt)
	if err := recorded.save(o.Record); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), replay); !errors.Is(err, ErrNotRecorded) {
		t.Errorf("a path is missing: %v", err)
	}
}
