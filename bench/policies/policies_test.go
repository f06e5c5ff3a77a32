package policies_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/kernels"
)

const streamingDRAM = 4 << 20 // of about 15 MB

func unpackDemo(t *testing.T) demo.Pair {
	t.Helper()
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func ufs(t *testing.T) *flashsim.Profile {
	t.Helper()
	flash, err := flashsim.Load("ufs-4.0")
	if err != nil {
		t.Fatal(err)
	}
	return flash
}

// A sample of what `lever bench policies --check` runs in full.
func TestPoliciesGiveTheTextOfPlainDecoding(t *testing.T) {
	pair := unpackDemo(t)
	options := policies.CheckOptions{
		Pairs:   []policies.Pair{{Name: "demo", Model: pair.Target, Draft: pair.Draft, StreamingDRAM: streamingDRAM}},
		Sets:    bench.BuiltinSets()[3:], // the shortest prompts
		Kernels: kernels.Sets()[2:],      // all but the definition and portable Go, which take long, where there are others
		Budgets: []int{2, 16},
		Prompts: 1,
		Tokens:  16,
	}
	if len(options.Kernels) == 0 {
		options.Kernels = kernels.Sets()[1:]
	}
	if testing.Short() {
		options.Kernels = options.Kernels[len(options.Kernels)-1:]
	}
	report, err := policies.Check(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err := report.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", table.String())
	if report.Different() > 0 || report.Answers() == 0 {
		t.Errorf("%d of %d answers differ", report.Different(), report.Answers())
	}
	if cells := 2 * len(options.Kernels); len(report.Cells) != cells {
		t.Errorf("%d cells, want %d", len(report.Cells), cells)
	}
}

// A target with a script says it, whatever the tree, at the cost of its own text; and where that is in the prompt, look-up finds it.
func TestCopyingPrompts(t *testing.T) {
	pair := unpackDemo(t)
	sets, variants := bench.CopyingSets(), policies.CopyingVariants(16)
	result, err := policies.Run(t.Context(), policies.Options{
		Model: pair.Target, Draft: pair.Draft, DRAM: streamingDRAM, Flash: ufs(t), PassBytes: policies.Bytes8B / 200,
		Sets: sets[1:], Prompts: 1, Tokens: 24, PlainTokens: 4, WarmTokens: 1, Variants: []policies.Variant{variants[0], variants[3]},
	})
	if err != nil {
		t.Fatal(err)
	}
	passes := result.Results[1].Passes // of ngram
	if result.Summary.Differences > 0 || passes > 12 {
		t.Errorf("%d answers are not the script, which took %d passes", result.Summary.Differences, passes)
	}
	t.Logf("%d passes", passes)
}

// A comparison in small: what is reported must fit together, whatever the machine's speed.
func TestRunReportsWhatFitsTogether(t *testing.T) {
	pair := unpackDemo(t)
	var steps, total int
	result, err := policies.Run(t.Context(), policies.Options{
		Model: pair.Target, Draft: pair.Draft, DRAM: streamingDRAM, Flash: ufs(t),
		Sets: bench.BuiltinSets()[:2], Prompts: 2, Devices: 2, Tokens: 12, PlainTokens: 4, WarmTokens: 4,
		PassBytes: policies.Bytes8B / 200, Trees: true,
		Progress: func(done, all int) { steps, total = done, all },
	})
	if err != nil {
		t.Fatal(err)
	}
	variants := result.Settings.Variants
	if len(result.Results) != 2*len(variants) || steps != total || total != 2*2*len(variants) {
		t.Fatalf("%d results, %d of %d answers", len(result.Results), steps, total)
	}
	if left := result.Settings.LeftOut; !slices.Equal(left, []string{"pard"}) || slices.ContainsFunc(variants, func(c policies.Variant) bool { return c.Policy == "pard" }) {
		t.Errorf("the demo's draft has no mask token, but %q are left out of %v", left, variants)
	}
	for _, c := range variants {
		if _, err := lever.NewPolicy(c.Policy, c.Budget); err != nil {
			t.Error(err)
		}
	}
	for _, x := range result.Results {
		if x.Differences != 0 {
			t.Errorf("%s, %s: %d answers differ", x.Set, x.Policy, x.Differences)
		}
		passes, tokens := 0, 0
		for accepted, n := range x.AcceptedByCount {
			passes, tokens = passes+n, tokens+n*accepted
		}
		traced := 0
		for _, a := range x.Answers {
			for _, p := range a.Trace {
				traced++
				if p.Tree == nil || len(p.Tree.Tokens) != p.Rows || len(p.Tree.Path) != p.Accepted {
					t.Fatalf("%s, %s: pass %+v", x.Set, x.Policy, p)
				}
			}
		}
		if passes != x.Passes || tokens != x.Tokens || traced != passes {
			t.Errorf("%s, %s: %d passes and %d tokens by count, %d traced; in all %d and %d", x.Set, x.Policy, passes, tokens, traced, x.Passes, x.Tokens)
		}
		if x.Policy == "none" && (x.AcceptedPerPass != 1 || x.DraftedPerPass != 0) || x.AcceptedPerPass < 1 {
			t.Errorf("%s, %s: %.2f tokens per pass, %.2f drafted", x.Set, x.Policy, x.AcceptedPerPass, x.DraftedPerPass)
		}
		if !(x.RooflineShare > 0 && x.RooflineShare < 1.1) || x.Overhead < 0 || x.Overhead > 1 {
			t.Errorf("%s, %s: %.3f of the roofline, overhead %.3f", x.Set, x.Policy, x.RooflineShare, x.Overhead)
		}
	}
	if s := result.Summary; len(s.Leads) != 2*(len(variants)-1) || s.OverPlain <= 0 || s.OverBestChain <= 0 || !strings.HasPrefix(s.BestChain, "chain") {
		t.Errorf("summary %+v", s)
	}
	checkPresented(t, result)
}

// checkPresented checks that a report shows, and keeps, what was found.
func checkPresented(t *testing.T, r *policies.Report) {
	dir := t.TempDir()
	if err := r.Present().Save(dir); err != nil {
		t.Fatal(err)
	}
	saved, err := report.Load(dir, "policies")
	if err != nil {
		t.Fatal(err)
	}
	var again policies.Report
	if err := json.Unmarshal(saved.Data.(json.RawMessage), &again); err != nil {
		t.Fatal(err)
	}
	if len(again.Results) != len(r.Results) || !slices.Equal(again.Settings.Prompts, r.Settings.Prompts) {
		t.Errorf("read back %d results", len(again.Results))
	}
	var text bytes.Buffer
	if err := saved.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"gsm8k", "geometric mean", "lever ÷ plain decoding", "0 differ", "policies left out: pard"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text does not say %q:\n%s", want, text.String())
		}
	}
}

func TestRunErrors(t *testing.T) {
	good := policies.Options{Model: "m", Draft: "d", DRAM: 1, Flash: ufs(t), Sets: bench.BuiltinSets()}
	for name, spoil := range map[string]func(*policies.Options){
		"no draft":        func(o *policies.Options) { o.Draft = "" },
		"no prompts":      func(o *policies.Options) { o.Sets = nil },
		"no bound":        func(o *policies.Options) { o.DRAM = 0 },
		"negative tokens": func(o *policies.Options) { o.Tokens = -1 },
		"no profile":      func(o *policies.Options) { o.Flash = nil },
		"no model":        func(o *policies.Options) {},
	} {
		o := good
		spoil(&o)
		if _, err := policies.Run(t.Context(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
