package spec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var budgets = []int{1, 2, 7, 16, 64}

func mustPolicy(t rapid.TB, name string, budget int) Policy {
	t.Helper()
	p, err := NewPolicy(name, budget)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// checked passes everything on to a policy and checks the trees that it grows.
type checked struct {
	Policy
	t      rapid.TB
	budget int
	trees  int // of more than a root
}

func (c *checked) Grow(ctx context.Context, sequence []int32, tree *Tree, draft *Draft) error {
	err := c.Policy.Grow(ctx, sequence, tree, draft)
	checkTree(c.t, tree)
	if n := tree.Len() - 1; n > c.budget {
		c.t.Errorf("%d nodes, budget %d", n, c.budget)
	}
	if tree.Len() > 1 {
		c.trees++
	}
	return err
}

func (c *checked) Observe(o Observation) {
	for i, node := range o.Path {
		last := i == len(o.Path)-1
		if child := o.Tree.Child(node, o.Token(i)); last && o.Token(i) != o.Next || !last && child != o.Path[i+1] {
			c.t.Errorf("path %v: token %d after %d, next %d", o.Path, o.Token(i), node, o.Next)
		}
	}
	if o.DraftSeconds < 0 || !(o.VerifySeconds > 0) {
		c.t.Errorf("drafted for %v s, verified for %v s", o.DraftSeconds, o.VerifySeconds)
	}
	if observer, ok := c.Policy.(Observer); ok {
		observer.Observe(o)
	}
}

func TestPoliciesEqualPlain(t *testing.T) {
	for _, name := range PolicyNames {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				budget := rapid.SampledFrom(budgets).Draw(t, "budget")
				target, req := drawCase(t)
				checkEqualsPlain(t, mustPolicy(t, name, budget), budget, target, req)
			})
		})
	}
}

func FuzzPoliciesEqualPlain(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		budget := rapid.IntRange(1, 40).Draw(t, "budget")
		target, req := drawCase(t)
		checkEqualsPlain(t, mustPolicy(t, rapid.SampledFrom(PolicyNames).Draw(t, "policy"), budget), budget, target, req)
	}))
}

// Where the target's choice is not left to chance, drawn candidates don't matter either.
func TestDrawnCandidatesEqualPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		widths := rapid.SliceOfN(rapid.IntRange(1, 4), 1, 4).Draw(t, "widths")
		p, err := NewSpecInfer(SpecInferOptions{Widths: widths, Draw: rapid.SampledFrom([]Draw{WithReplacement, WithoutReplacement}).Draw(t, "draw")})
		if err != nil {
			t.Fatal(err)
		}
		target, req := drawCase(t)
		req.Sampling.Temperature = 0
		checkEqualsPlain(t, p, 1000, target, req)
	})
}

// checkEqualsPlain generates with a policy and any other options, and compares with plain decoding.
func checkEqualsPlain(t *rapid.T, p Policy, budget int, target *hashModel, req Request) {
	tokens, finish := plain(t, target, req)
	draft := newDraftOf(target, rapid.Uint64Range(0, 256).Draw(t, "noise"))
	draft.context = rapid.IntRange(1, 70).Draw(t, "draftContext")
	g, err := NewGenerator(Options{
		Target: target, Draft: draft,
		Policy:      &checked{p, t, budget, 0},
		MaxNodes:    rapid.IntRange(1, 70).Draw(t, "maxNodes"),
		Chunk:       rapid.IntRange(1, 20).Draw(t, "chunk"),
		ProjectTree: rapid.Bool().Draw(t, "projectTree"),

		ProjectAhead: rapid.IntRange(0, 80).Draw(t, "projectAhead"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time with what was learned in the first
		result, err := g.Generate(ctx, req, nil)
		if err != nil {
			t.Fatal(err)
		}
		checkResult(t, result, tokens, finish)
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
	target := newHashModel(1, 50, 1000)
	target.levels = 1000
	req := Request{Prompt: []int32{1, 2, 3}, MaxTokens: 400}
	for _, name := range PolicyNames {
		if name == "lever" || name == "ngram" { // the one sees that here no draft pays, the other that nothing repeats
			continue
		}
		for _, budget := range budgets {
			p := &checked{mustPolicy(t, name, budget), t, budget, 0}
			s := generate(t, Options{Target: target, Draft: newDraftOf(target, 40), Policy: p}, req, nil).Stats
			if name != "none" && (s.AcceptedPerPass < 1.5 || p.trees < s.Passes-1) {
				t.Errorf("%s of %d: %.2f tokens per pass, %d trees in %d passes", name, budget, s.AcceptedPerPass, p.trees, s.Passes)
			}
			t.Logf("%s of %d: %.2f tokens per pass, %.1f nodes", name, budget, s.AcceptedPerPass, float64(s.Drafted)/float64(s.Passes))
		}
	}
}

func TestNewPolicyErrors(t *testing.T) {
	for name, make := range map[string]func() (Policy, error){
		"unknown name": func() (Policy, error) { return NewPolicy("levre", 3) },
		"no budget":    func() (Policy, error) { return NewPolicy("chain", 0) },
		"specinfer":    func() (Policy, error) { return NewSpecInfer(SpecInferOptions{Widths: []int{1, 0}}) },
		"no widths":    func() (Policy, error) { return NewSpecInfer(SpecInferOptions{}) },
		"sequoia":      func() (Policy, error) { return NewSequoia(SequoiaOptions{}) },
		"opttree":      func() (Policy, error) { return NewOPTTree(OPTTreeOptions{Nodes: 3, Threshold: -1}) },
		"powerserve":   func() (Policy, error) { return NewPowerServe(PowerServeOptions{Nodes: 3, Base: -1}) },
		"eagle2":       func() (Policy, error) { return NewEAGLE2(EAGLE2Options{Nodes: 3, Depth: -1}) },
	} {
		if _, err := make(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, name := range PolicyNames {
		var tree Tree
		tree.Reset(1, 8, 8)
		err := mustPolicy(t, name, 8).Grow(ctx, []int32{1}, &tree, nil)
		if needs := name != "none" && name != "ngram" && name != "lever"; needs != errors.Is(err, ErrNoDraft) {
			t.Errorf("%s without a draft model: %v", name, err)
		}
	}
}

func ExampleNewPolicy() {
	target := newHashModel(7, 26, 128) // stands for a *layers.Decoder
	for _, name := range []string{"none", "chain", "sequoia"} {
		policy, err := NewPolicy(name, 8)
		if err != nil {
			fmt.Println(err)
			return
		}
		g, err := NewGenerator(Options{Target: target, Draft: newDraftOf(target, 50), Policy: policy})
		if err != nil {
			fmt.Println(err)
			return
		}
		result, err := g.Generate(context.Background(), Request{Prompt: []int32{1, 2, 3}, MaxTokens: 24, Decoder: letters{}}, nil)
		fmt.Println(result.Text, result.Stats.Passes, "passes", err)
	}
	// Output:
	// xlgggrishmcjjgjgktxuzucx 24 passes <nil>
	// xlgggrishmcjjgjgktxuzucx 9 passes <nil>
	// xlgggrishmcjjgjgktxuzucx 10 passes <nil>
}
