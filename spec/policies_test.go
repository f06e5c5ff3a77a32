package spec_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
)

var budgets = []int{1, 2, 7, 16, 64}

// masked makes any draft model one that predicts several tokens at once, which all policies can use.
var masked = spec.Parallel{Mask: 0, Reach: 4}

func mustPolicy(t rapid.TB, name string, budget int) spec.Policy {
	t.Helper()
	p, err := lever.NewPolicy(name, budget)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPoliciesEqualPlain(t *testing.T) {
	for _, name := range lever.PolicyNames() {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				budget := rapid.SampledFrom(budgets).Draw(t, "budget")
				target, req := spectest.DrawCase(t)
				checkEqualsPlain(t, mustPolicy(t, name, budget), budget, target, req)
			})
		})
	}
}

func FuzzPoliciesEqualPlain(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		budget := rapid.IntRange(1, 40).Draw(t, "budget")
		target, req := spectest.DrawCase(t)
		checkEqualsPlain(t, mustPolicy(t, rapid.SampledFrom(lever.PolicyNames()).Draw(t, "policy"), budget), budget, target, req)
	}))
}

// Where the target's choice is not left to chance, drawn candidates don't matter either.
func TestDrawnCandidatesEqualPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		widths := rapid.SliceOfN(rapid.IntRange(1, 4), 1, 4).Draw(t, "widths")
		p, err := baseline.NewSpecInfer(baseline.SpecInferOptions{Widths: widths, Draw: rapid.SampledFrom([]spec.Draw{spec.WithReplacement, spec.WithoutReplacement}).Draw(t, "draw")})
		if err != nil {
			t.Fatal(err)
		}
		target, req := spectest.DrawCase(t)
		req.Sampling.Temperature = 0
		checkEqualsPlain(t, p, 1000, target, req)
	})
}

// checkEqualsPlain generates with a policy and any other options, and compares with plain decoding.
func checkEqualsPlain(t *rapid.T, p spec.Policy, budget int, target *spectest.HashModel, req spec.Request) {
	tokens, finish := spectest.Plain(t, target, req)
	draft := spectest.NewDraftOf(target, rapid.Uint64Range(0, 256).Draw(t, "noise"))
	draft.Positions = rapid.IntRange(1, 70).Draw(t, "draftContext")
	least := 0
	if _, is := p.(*baseline.PARD); is {
		least = 2
	}
	g, err := spec.NewGenerator(spec.Options{
		Target: target, Draft: draft,
		Policy:      &spectest.Checked{Policy: p, T: t, Budget: budget},
		Budget:      rapid.IntRange(1, 70).Draw(t, "maxNodes"),
		MaxBatch:    rapid.IntRange(1, 20).Draw(t, "maxBatch"),
		ProjectTree: rapid.Bool().Draw(t, "projectTree"),

		ProjectAhead: rapid.IntRange(0, 80).Draw(t, "projectAhead"),
		Parallel:     spec.Parallel{Mask: int32(draft.VocabSize - 1), Reach: rapid.IntRange(least, 10).Draw(t, "positions")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time with what was learned in the first
		result, err := g.Generate(ctx, req, nil)
		if err != nil {
			t.Fatal(err)
		}
		spectest.CheckResult(t, result, tokens, finish)
	}
	sequence := slices.Concat(req.Prompt, tokens)
	if got := target.Tokens(); !slices.Equal(got, sequence[:len(sequence)-1]) {
		t.Fatalf("target holds %v of %v", got, sequence)
	}
	if got := draft.Tokens(); len(got) >= len(sequence) || !slices.Equal(got, sequence[:len(got)]) {
		t.Fatalf("draft holds %v of %v", got, sequence)
	}
}

// With a draft model that is mostly right, a policy gets the better the more nodes it may use.
func TestPoliciesAccept(t *testing.T) {
	target := spectest.NewHashModel(1, 50, 1000)
	target.Levels = 1000
	req := spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 400}
	for _, name := range lever.PolicyNames() {
		if name == "lever" || name == "ngram" { // the one sees that here no draft pays, the other that nothing repeats
			continue
		}
		for _, budget := range budgets {
			p := &spectest.Checked{Policy: mustPolicy(t, name, budget), T: t, Budget: budget}
			s := spectest.Generate(t, spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 40), Parallel: masked, Policy: p}, req, nil).Stats
			if name != "none" && (s.AcceptedPerPass < 1.5 || p.Trees < s.Passes-1) {
				t.Errorf("%s of %d: %.2f tokens per pass, %d trees in %d passes", name, budget, s.AcceptedPerPass, p.Trees, s.Passes)
			}
			t.Logf("%s of %d: %.2f tokens per pass, %.1f nodes", name, budget, s.AcceptedPerPass, float64(s.Drafted)/float64(s.Passes))
		}
	}
}

func TestNewPolicyErrors(t *testing.T) {
	for name, make := range map[string]func() (spec.Policy, error){
		"unknown name": func() (spec.Policy, error) { return lever.NewPolicy("levre", 3) },
		"no budget":    func() (spec.Policy, error) { return lever.NewPolicy("chain", 0) },
		"specinfer": func() (spec.Policy, error) {
			return baseline.NewSpecInfer(baseline.SpecInferOptions{Widths: []int{1, 0}})
		},
		"no widths": func() (spec.Policy, error) { return baseline.NewSpecInfer(baseline.SpecInferOptions{}) },
		"sequoia":   func() (spec.Policy, error) { return baseline.NewSequoia(baseline.SequoiaOptions{}) },
		"opttree": func() (spec.Policy, error) {
			return baseline.NewOPTTree(baseline.OPTTreeOptions{Budget: 3, Threshold: -1})
		},
		"powerserve": func() (spec.Policy, error) {
			return baseline.NewPowerServe(baseline.PowerServeOptions{Budget: 3, Base: -1})
		},
		"pard":   func() (spec.Policy, error) { return baseline.NewPARD(0) },
		"eagle2": func() (spec.Policy, error) { return baseline.NewEAGLE2(baseline.EAGLE2Options{Budget: 3, Depth: -1}) },
	} {
		if _, err := make(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, kind := range lever.Policies {
		var tree spec.Tree
		tree.Reset(1, 8, 8)
		err := mustPolicy(t, kind.Name, max(1, kind.Budget)).Grow(ctx, []int32{1}, &tree, nil)
		if kind.Draft.Required() != errors.Is(err, spec.ErrNoDraft) {
			t.Errorf("%s without a draft model: %v", kind.Name, err)
		}
		if kind.Draft == spec.DraftUnused {
			continue
		}
		draft := spec.NewDraft(spectest.NewHashModel(7, 26, 128), 8)
		draft.Start([]int32{1}, &tree)
		err = mustPolicy(t, kind.Name, max(1, kind.Budget)).Grow(ctx, []int32{1}, &tree, draft)
		if parallel := kind.Draft == spec.DraftParallel; parallel != (err != nil) || parallel != errors.Is(err, spec.ErrNotParallel) {
			t.Errorf("%s with a draft model that predicts one token at a time: %v", kind.Name, err)
		}
	}
}

func ExampleNewPolicy() {
	target := spectest.NewHashModel(7, 26, 128) // stands for a *layers.Decoder
	for _, name := range []string{"none", "chain", "sequoia"} {
		policy, err := lever.NewPolicy(name, 8)
		if err != nil {
			fmt.Println(err)
			return
		}
		g, err := spec.NewGenerator(spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 50), Policy: policy})
		if err != nil {
			fmt.Println(err)
			return
		}
		result, err := g.Generate(context.Background(), spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 24, TextDecoder: spectest.Letters{}}, nil)
		fmt.Println(result.Text, result.Stats.Passes, "passes", err)
	}
	// Output:
	// xlgggrishmcjjgjgktxuzucx 24 passes <nil>
	// xlgggrishmcjjgjgktxuzucx 9 passes <nil>
	// xlgggrishmcjjgjgktxuzucx 10 passes <nil>
}
