package spec_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/spec/sampling"
)

var ctx = context.Background()

func mustChain(t rapid.TB, length int, minProb float32) *baseline.Chain {
	t.Helper()
	c, err := baseline.NewChain(length, minProb)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChainEqualsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, req := spectest.DrawCase(t)
		tokens, finish := spectest.Plain(t, target, req)
		draft := spectest.NewDraftOf(target, rapid.Uint64Range(0, 256).Draw(t, "noise"))
		draft.Positions = rapid.IntRange(1, 70).Draw(t, "draftContext")
		o := spec.Options{
			Target: target, Draft: draft,
			Policy:      mustChain(t, rapid.IntRange(1, 16).Draw(t, "k"), rapid.Float32Range(0, 1).Draw(t, "minProb")),
			Budget:      rapid.IntRange(1, 20).Draw(t, "maxNodes"),
			MaxBatch:    rapid.IntRange(1, 20).Draw(t, "maxBatch"),
			ProjectTree: rapid.Bool().Draw(t, "projectTree"),

			FirstInPrefill: rapid.Bool().Draw(t, "firstInPrefill"),
		}
		result := spectest.Generate(t, o, req, nil)
		spectest.CheckResult(t, result, tokens, finish)
		sequence := slices.Concat(req.Prompt, tokens)
		if got := target.Tokens(); !slices.Equal(got, sequence[:len(sequence)-1]) {
			t.Fatalf("target holds %v of %v", got, sequence)
		}
		if got := draft.Tokens(); len(got) >= len(sequence) || !slices.Equal(got, sequence[:len(got)]) {
			t.Fatalf("draft holds %v of %v", got, sequence)
		}
		s := result.Stats
		if s.Tokens != len(tokens) || s.PromptTokens != len(req.Prompt) || s.First+s.Passes > s.Tokens || s.Tokens > s.First+s.Passes+s.Verified || s.Drafted != s.Verified+s.Pruned {
			t.Fatalf("stats %+v", s)
		}

		o.Draft, o.Policy = nil, spec.None{}
		result = spectest.Generate(t, o, req, nil)
		spectest.CheckResult(t, result, tokens, finish)
		if s := result.Stats; s.First+s.Passes != s.Tokens || s.Passes > 0 && s.AcceptedPerPass != 1 || s.Drafted != 0 {
			t.Fatalf("plain: stats %+v", s)
		}
	})
}

func TestChainLengths(t *testing.T) {
	for k := 1; k <= 16; k++ {
		target := spectest.NewHashModel(uint64(k), 50, 400)
		req := spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 200}
		tokens, finish := spectest.Plain(t, target, req)
		result := spectest.Generate(t, spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 40), Policy: mustChain(t, k, 0)}, req, nil)
		spectest.CheckResult(t, result, tokens, finish)
		if result.Stats.AcceptedPerPass < 1.5 {
			t.Errorf("k=%d: accepted %.2f tokens per pass of a draft that is mostly right", k, result.Stats.AcceptedPerPass)
		}
	}
}

func TestStopStringsInGeneration(t *testing.T) {
	stopString := rapid.StringOfN(rapid.RuneFrom([]rune("abé€😀�")), 1, 4, -1)
	rapid.Check(t, func(t *rapid.T) {
		target, req := spectest.DrawCase(t)
		tokens, finish := spectest.Plain(t, target, req)
		table := rapid.Uint64().Draw(t, "table")
		req.StopStrings = rapid.SliceOfN(stopString, 0, 3).Draw(t, "stopStrings")
		tokens, text, finish := spectest.ExpectText(tokens, finish, req, spectest.NewPieceDecoder(table, target.VocabSize))

		req.TextDecoder = spectest.NewPieceDecoder(table, target.VocabSize)
		var shown strings.Builder
		var pieces []int32
		result := spectest.Generate(t, spec.Options{
			Target: target, Draft: spectest.NewDraftOf(target, rapid.Uint64Range(0, 256).Draw(t, "noise")),
			Policy: mustChain(t, rapid.IntRange(1, 16).Draw(t, "k"), 0),
		}, req, func(p spec.Piece) error {
			shown.WriteString(p.Text)
			pieces = append(pieces, p.Tokens...)
			if !utf8.ValidString(p.Text) || !strings.HasPrefix(text, shown.String()) {
				t.Fatalf("shown %q of %q", shown.String(), text)
			}
			return nil
		})
		spectest.CheckResult(t, result, tokens, finish)
		if result.Text != text || shown.String() != text || !slices.Equal(pieces, tokens) {
			t.Fatalf("text %q, shown %q, want %q; tokens %v, want %v", result.Text, shown.String(), text, pieces, tokens)
		}
	})
}

// Any tree that a policy may come up with leaves the output alone, greedy or sampled.
func FuzzTreeVerify(f *testing.F) {
	f.Add(uint64(1), uint8(6), uint8(40), uint8(30), uint8(3), float32(0), []byte{20, 0, 1, 2, 3, 1, 1, 0, 7, 2})
	f.Add(uint64(2), uint8(2), uint8(17), uint8(0), uint8(1), float32(0), []byte{9, 1, 1, 0})
	f.Add(uint64(3), uint8(13), uint8(5), uint8(9), uint8(2), float32(0.7), []byte{23, 4, 5, 2, 11, 3, 8})
	f.Add(uint64(4), uint8(5), uint8(255), uint8(200), uint8(40), float32(1.5), []byte("some shape of a tree"))
	f.Fuzz(func(t *testing.T, seed uint64, vocab, context, maxTokens, maxNodes uint8, temperature float32, shape []byte) {
		if vocab < 1 || context < 1 || !(temperature >= 0 && temperature <= 100) {
			t.Skip()
		}
		target := spectest.NewHashModel(seed, int(vocab), int(context))
		target.Levels = seed%30 + 1
		req := spec.Request{
			Prompt: []int32{int32(seed % uint64(vocab))}, MaxTokens: int(maxTokens), StopTokens: []int32{int32(vocab) / 3},
			Sampling: sampling.Options{Temperature: temperature, Seed: seed},
		}
		tokens, finish := spectest.Plain(t, target, req)
		for _, projectTree := range []bool{false, true} {
			for _, pruner := range []spec.Pruner{nil, chancePruner{0.3}, chancePruner{1}} {
				result := spectest.Generate(t, spec.Options{
					Target: target, Policy: &spectest.TreePolicy{Oracle: target, Shape: shape}, Budget: int(maxNodes), ProjectTree: projectTree, Pruner: pruner,
				}, req, nil)
				spectest.CheckResult(t, result, tokens, finish)
			}
		}
	})
}

// What the models hold of a prompt is not computed again, and changes nothing; a model that can't go back so far computes all of it.
func TestSharedPrefixIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, req := spectest.DrawCase(t)
		draft := spectest.NewDraftOf(target, 60)
		draft.Positions = rapid.IntRange(1, 70).Draw(t, "draftContext")
		target.Keeps, draft.Keeps = rapid.IntRange(0, 9).Draw(t, "keeps"), rapid.IntRange(0, 9).Draw(t, "draftKeeps")
		g, err := spec.NewGenerator(spec.Options{
			Target: target, Draft: draft, Policy: mustChain(t, 3, 0), MaxBatch: rapid.IntRange(1, 9).Draw(t, "maxBatch"),
			FirstInPrefill: rapid.Bool().Draw(t, "firstInPrefill"),
		})
		if err != nil {
			t.Fatal(err)
		}
		var sequence []int32 // of the generation before
		for range 4 {
			kept := rapid.IntRange(0, len(sequence)).Draw(t, "kept")
			req.Prompt = append(slices.Clone(sequence[:kept]), req.Prompt...)
			req.Prompt = req.Prompt[:min(len(req.Prompt), target.Positions)]
			tokens, finish := spectest.Plain(t, target, req)
			shared := 0
			for shared < min(len(sequence), len(req.Prompt))-1 && sequence[shared] == req.Prompt[shared] {
				shared++
			}
			if target.Keeps > 0 && shared < target.Len()-target.Keeps {
				shared = 0
			}
			rows := target.Rows
			result, err := g.Generate(ctx, req, nil)
			if err != nil {
				t.Fatal(err)
			}
			spectest.CheckResult(t, result, tokens, finish)
			s := result.Stats
			if want := len(req.Prompt) - 1 - shared + s.First + s.Passes + s.Verified; s.ReusedTokens != shared || target.Rows-rows != want {
				t.Fatalf("%d tokens of %d used again, %d rows computed, want %d and %d", s.ReusedTokens, len(req.Prompt), target.Rows-rows, shared, want)
			}
			sequence = slices.Concat(req.Prompt, tokens)
		}
	})
}

// Wherever a generation ends, the next one starts from its own prompt.
func TestReuse(t *testing.T) {
	target := spectest.NewHashModel(5, 12, 100)
	g, err := spec.NewGenerator(spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 60), Policy: mustChain(t, 4, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		req := spec.Request{Prompt: []int32{int32(i), 3, 4}, MaxTokens: 20, Sampling: sampling.Options{Temperature: float32(i % 2), Seed: 9}}
		tokens, finish := spectest.Plain(t, target, req)
		result, err := g.Generate(ctx, req, nil)
		if err != nil {
			t.Fatal(err)
		}
		spectest.CheckResult(t, result, tokens, finish)
	}
}

// A fault in any call of a model comes back as an error beside the tokens so far, and the generator can go on after it. Only where the first
// call, which keeps the start of a prompt, fails, the model starts over instead.
func TestFaults(t *testing.T) {
	target := spectest.NewHashModel(5, 12, 100)
	draft := spectest.NewDraftOf(target, 60)
	req := spec.Request{Prompt: []int32{1, 2, 3, 4, 5}, MaxTokens: 20}
	tokens, finish := spectest.Plain(t, target, req)
	for _, projectTree := range []bool{false, true} {
		g, err := spec.NewGenerator(spec.Options{Target: target, Draft: draft, Policy: &sometimes{mustChain(t, 4, 0), 0, 3}, MaxBatch: 3, ProjectTree: projectTree})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []*spectest.HashModel{target, draft} {
			m.FailIn = 1
			result, err := g.Generate(ctx, req, nil)
			if err != nil {
				t.Fatal(err)
			}
			spectest.CheckResult(t, result, tokens, finish)
			faults := 1
			for ; ; faults++ {
				m.FailIn = faults + 1
				result, err := g.Generate(ctx, req, nil)
				m.FailIn = 0
				if err == nil {
					spectest.CheckResult(t, result, tokens, finish)
					break
				}
				if !errors.Is(err, spectest.ErrFault) || result.Finish != spec.FinishError || result.Stats.Tokens != len(result.Tokens) ||
					!slices.Equal(result.Tokens, tokens[:len(result.Tokens)]) {
					t.Fatalf("%v, result %+v, want a start of %v", err, result, tokens)
				}
				if result, err = g.Generate(ctx, req, nil); err != nil {
					t.Fatal(err)
				}
				spectest.CheckResult(t, result, tokens, finish)
			}
			if faults < 20 {
				t.Errorf("only %d calls", faults)
			}
		}
	}
}

func TestContextEnd(t *testing.T) {
	for n := 1; n <= 8; n++ {
		target := spectest.NewHashModel(1, 9, 8)
		req := spec.Request{Prompt: make([]int32, n), MaxTokens: math.MaxInt * (n % 2)}
		result := spectest.Generate(t, spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 0), Policy: mustChain(t, 5, 0)}, req, nil)
		if result.Finish != spec.FinishContext || len(result.Tokens) != 8-n+1 {
			t.Errorf("prompt of %d: %d tokens, %s", n, len(result.Tokens), result.Finish)
		}
	}
}

// The draft model sees every accepted token once.
func TestDraftFollowsWithoutRecomputation(t *testing.T) {
	const prompt, k = 10, 4
	target := spectest.NewHashModel(1, 30, 200)
	draft := spectest.NewDraftOf(target, 0)
	req := spec.Request{Prompt: make([]int32, prompt), MaxTokens: 100}
	result := spectest.Generate(t, spec.Options{Target: target, Draft: draft, Policy: mustChain(t, k, 0)}, req, nil)
	if s := result.Stats; s.Passes != 100/(k+1) || s.AcceptedPerPass != k+1 || s.Drafted != 80 || s.Verified != 80 {
		t.Errorf("stats %+v", s)
	}
	if draft.Rows != draft.Len() || draft.Len() != prompt+100-2 {
		t.Errorf("draft computed %d rows for %d positions", draft.Rows, draft.Len())
	}
	if want := prompt - 1 + 100; target.Rows != want || target.Projections != 100 {
		t.Errorf("target computed %d rows, want %d, and %d projections", target.Rows, want, target.Projections)
	}
}

// A policy that skips passes leaves the draft model behind; it catches up, in chunks where it has to.
type sometimes struct {
	chain *baseline.Chain
	calls int
	every int
}

func (p *sometimes) Grow(ctx context.Context, sequence []int32, tree *spec.Tree, draft *spec.Draft) error {
	if p.calls++; p.calls%p.every != 0 {
		return nil
	}
	return p.chain.Grow(ctx, sequence, tree, draft)
}

func TestDraftCatchesUp(t *testing.T) {
	target := spectest.NewHashModel(3, 30, 300)
	req := spec.Request{Prompt: []int32{1}, MaxTokens: 200}
	tokens, finish := spectest.Plain(t, target, req)
	for _, every := range []int{2, 5, 30} {
		draft := spectest.NewDraftOf(target, 20)
		draft.MaxBatch = 8
		result := spectest.Generate(t, spec.Options{Target: target, Draft: draft, MaxBatch: 8, Policy: &sometimes{mustChain(t, 3, 0), 0, every}}, req, nil)
		spectest.CheckResult(t, result, tokens, finish)
		if result.Stats.Tokens <= result.Stats.Passes {
			t.Errorf("every %d: nothing was accepted: %+v", every, result.Stats)
		}
	}
}

// Nodes that could not be used are not drafted.
func TestTreeEndsWithTheText(t *testing.T) {
	for left := 1; left <= 6; left++ {
		target := spectest.NewHashModel(3, 30, 300)
		result := spectest.Generate(t, spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 0), Policy: mustChain(t, 4, 0)},
			spec.Request{Prompt: []int32{1}, MaxTokens: left}, nil)
		if s := result.Stats; s.Drafted != s.Tokens-s.Passes {
			t.Errorf("%d tokens in %d passes from %d drafts", s.Tokens, s.Passes, s.Drafted)
		}
	}
}

func TestChainStopsBelowMinProb(t *testing.T) {
	target := spectest.NewHashModel(3, 30, 300)
	req := spec.Request{Prompt: []int32{1}, MaxTokens: 50}
	for minProb, most := range map[float32]int{0: math.MaxInt, 1: 0} {
		s := spectest.Generate(t, spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 20), Policy: mustChain(t, 3, minProb)}, req, nil).Stats
		if s.Drafted > most || most > 0 && s.Drafted < s.Passes {
			t.Errorf("minimum probability %v: drafted %d in %d passes", minProb, s.Drafted, s.Passes)
		}
	}
}

func TestCancelKeepsText(t *testing.T) {
	target := spectest.NewHashModel(1, 26, 1000)
	g, err := spec.NewGenerator(spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 50), Policy: mustChain(t, 4, 0)})
	if err != nil {
		t.Fatal(err)
	}
	cancellable, cancel := context.WithCancel(ctx)
	shown := ""
	result, err := g.Generate(cancellable, spec.Request{
		Prompt: []int32{1, 2}, TextDecoder: spectest.Letters{}, StopStrings: []string{strings.Repeat("never", 9)},
	}, func(p spec.Piece) error {
		if shown += p.Text; len(shown) > 20 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || result.Finish != spec.FinishCancelled {
		t.Errorf("finish %s, error %v", result.Finish, err)
	}
	s := result.Stats
	if result.Text != shown || len(shown) != len(result.Tokens) || s.Tokens != len(result.Tokens) || s.Passes == 0 || !(s.Seconds > 0 && s.TimeToFirstToken > 0) {
		t.Errorf("shown %q, result %+v", shown, result)
	}
}

func TestHeldTextIsShownAtTheEnd(t *testing.T) {
	target := spectest.NewHashModel(1, 1, 100) // always "a"
	result := spectest.Generate(t, spec.Options{Target: target}, spec.Request{
		Prompt: []int32{0}, MaxTokens: 4, TextDecoder: spectest.Letters{}, StopStrings: []string{"aaaaaaaa"},
	}, nil)
	if result.Text != "aaaa" || result.Finish != spec.FinishLength {
		t.Errorf("text %q, finish %s", result.Text, result.Finish)
	}
}

func TestErrors(t *testing.T) {
	target := spectest.NewHashModel(1, 10, 8)
	failure := errors.New("broken pipe")
	ok := []int32{1, 2}
	for name, c := range map[string]struct {
		req  spec.Request
		want error
		text string
	}{
		"empty prompt":    {spec.Request{}, spec.ErrEmptyPrompt, "prompt is empty"},
		"long prompt":     {spec.Request{Prompt: make([]int32, 9)}, spec.ErrPromptTooLong, "9 tokens, room for 8"},
		"token too large": {spec.Request{Prompt: []int32{1, 10}}, nil, "prompt token 1 is 10, outside the vocabulary of 10"},
		"token negative":  {spec.Request{Prompt: []int32{-1}}, nil, "prompt token 0 is -1"},
		"max tokens":      {spec.Request{Prompt: ok, MaxTokens: -1}, nil, "limit of -1 tokens"},
		"empty stop":      {spec.Request{Prompt: ok, StopStrings: []string{""}, TextDecoder: spectest.Letters{}}, nil, "stop string is empty"},
		"no decoder":      {spec.Request{Prompt: ok, StopStrings: []string{"x"}}, nil, "need a text decoder"},
		"temperature":     {spec.Request{Prompt: ok, Sampling: sampling.Options{Temperature: -1}}, nil, "temperature -1"},
	} {
		g, err := spec.NewGenerator(spec.Options{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		result, err := g.Generate(ctx, c.req, func(spec.Piece) error { t.Errorf("%s: emitted", name); return nil })
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || result.Finish != spec.FinishError {
			t.Errorf("%s: %v, finish %s", name, err, result.Finish)
		}
	}

	g, err := spec.NewGenerator(spec.Options{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	result, err := g.Generate(ctx, spec.Request{Prompt: ok, TextDecoder: spectest.Letters{}}, func(spec.Piece) error { calls++; return failure })
	if !errors.Is(err, failure) || calls != 1 || len(result.Tokens) != 1 || result.Finish != spec.FinishError {
		t.Errorf("emit: %v after %d calls, result %+v", err, calls, result)
	}

	target.LogitsHook = func(logits []float32) { logits[3] = float32(math.NaN()) }
	if _, err := g.Generate(ctx, spec.Request{Prompt: ok}, nil); !errors.Is(err, sampling.ErrLogits) {
		t.Errorf("NaN: %v", err)
	}

	for name, o := range map[string]spec.Options{
		"no target":  {},
		"vocabulary": {Target: target, Draft: spectest.NewHashModel(1, 11, 8)},
		"max nodes":  {Target: target, Budget: -1},
		"max batch":  {Target: target, MaxBatch: -1},
	} {
		if _, err := spec.NewGenerator(o); err == nil || name == "vocabulary" && !errors.Is(err, spec.ErrVocabulary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := baseline.NewChain(0, 0); err == nil {
		t.Error("chain of length 0")
	}
	if _, err := baseline.NewChain(1, float32(math.NaN())); err == nil {
		t.Error("chain with minimum probability NaN")
	}
}

type policyFunc func(tree *spec.Tree, draft *spec.Draft) error

func (f policyFunc) Grow(_ context.Context, _ []int32, tree *spec.Tree, draft *spec.Draft) error {
	return f(tree, draft)
}

func TestPolicyErrors(t *testing.T) {
	failure := errors.New("no idea")
	target := spectest.NewHashModel(1, 10, 8)
	for name, c := range map[string]struct {
		policy spec.Policy
		draft  spec.Decoder
		text   string
	}{
		"fails":      {policyFunc(func(*spec.Tree, *spec.Draft) error { return failure }), nil, "no idea"},
		"vocabulary": {policyFunc(func(tree *spec.Tree, _ *spec.Draft) error { _, err := tree.Add(0, 10, 1); return err }), nil, "tree node 1 has token 10"},
		"no draft":   {mustChain(t, 1, 0), nil, "needs a draft model"},
		"order": {policyFunc(func(tree *spec.Tree, d *spec.Draft) error {
			node, err := tree.Add(0, 1, 1)
			if err != nil {
				return err
			}
			return d.Expand(ctx, []int{node}, 1)
		}), spectest.NewDraftOf(target, 0), "node 1 before its parent 0"},
	} {
		g, err := spec.NewGenerator(spec.Options{Target: target, Draft: c.draft, Policy: c.policy})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Generate(ctx, spec.Request{Prompt: []int32{1}}, nil); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProgressAndIO(t *testing.T) {
	target := spectest.NewHashModel(1, 10, 100)
	var reported []int
	reads := spec.IOStats{BytesRead: 1000, IOSeconds: 5, IOWaitSeconds: 2} // of an earlier generation
	o := spec.Options{Target: target, MaxBatch: 4, IO: func() spec.IOStats {
		reads.BytesRead += 10
		reads.IOSeconds += 0.5
		reads.IOWaitSeconds += 0.25
		return reads
	}}
	result := spectest.Generate(t, o, spec.Request{Prompt: make([]int32, 11), MaxTokens: 3, Progress: func(done, total int) {
		if total != 11 {
			t.Errorf("total %d", total)
		}
		reported = append(reported, done)
	}}, nil)
	if want := []int{4, 8, 11}; !slices.Equal(reported, want) {
		t.Errorf("progress %v, want %v", reported, want)
	}
	if got, want := result.Stats.IOStats, (spec.IOStats{BytesRead: 10, IOSeconds: 0.5, IOWaitSeconds: 0.25}); got != want {
		t.Errorf("reads %+v, want %+v", got, want)
	}
	if got := result.Stats.ComputeSeconds; got != 0 {
		t.Errorf("%v s of compute in a pass that waited longer than it took", got)
	}
}

// With FirstInPrefill a prompt takes as many forwards as have room for it, and the first token is there after them.
func TestFirstInPrefill(t *testing.T) {
	for _, c := range []struct {
		prompt   int
		forwards []int // rows of each before the first tree's
	}{{1, nil}, {2, []int{2}}, {4, []int{4}}, {5, []int{4, 1}}, {6, []int{4, 2}}, {12, []int{4, 4, 4}}} {
		target := spectest.NewHashModel(3, 20, 100)
		req := spec.Request{Prompt: make([]int32, c.prompt), MaxTokens: 12}
		for i := range req.Prompt {
			req.Prompt[i] = int32(i)
		}
		tokens, finish := spectest.Plain(t, target, req)
		watched := &watchedModel{HashModel: target}
		var at []int // forwards before each piece
		draft := spectest.NewDraftOf(target, 40)
		held := -1 // by the draft, at the first piece
		o := spec.Options{Target: watched, Draft: draft, Policy: mustChain(t, 2, 0), MaxBatch: 4, FirstInPrefill: true}
		result := spectest.Generate(t, o, req, func(spec.Piece) error {
			if at = append(at, len(watched.rows)); held < 0 {
				held = draft.Len()
			}
			return nil
		})
		spectest.CheckResult(t, result, tokens, finish)
		n, s := len(c.forwards), result.Stats
		if !slices.Equal(watched.rows[:n], c.forwards) || watched.rows[n] != 3 || len(watched.rows) != n+s.Passes || watched.trees != s.Passes {
			t.Errorf("prompt of %d: forwards of %v rows, %d of them trees, in %d passes; want %v and trees of 3", c.prompt, watched.rows, watched.trees, s.Passes, c.forwards)
		}
		watched.trees = 0
		o.Policy, o.Draft = nil, nil
		if plain := spectest.Generate(t, o, spec.Request{Prompt: append(req.Prompt, 7, 7), MaxTokens: 4}, nil).Stats; plain.First != 1 || plain.Passes != 3 || watched.trees != 3 {
			t.Errorf("prompt of %d: %d trees in %d plain passes", c.prompt, watched.trees, plain.Passes)
		}
		if first := min(1, n); s.First != first || at[0] != max(1, n) || first == 1 && held > 0 ||
			s.AcceptedPerPass != float64(s.Tokens-first)/float64(s.Passes) || !(s.TimeToFirstToken > 0 && s.TimeToFirstToken <= s.PrefillSeconds) && first == 1 {
			t.Errorf("prompt of %d: the first token after %d forwards, with %d tokens in the draft: %+v", c.prompt, at[0], held, s)
		}
	}
}

// What the caller does with a token that prefill brought is no part of prefill.
func TestTimeOfEmittingIsNotPrefill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := spec.Options{Target: spectest.NewHashModel(3, 20, 100), FirstInPrefill: true}
		pieces := 0
		s := spectest.Generate(t, o, spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 4}, func(spec.Piece) error {
			pieces++
			time.Sleep(time.Second)
			return nil
		}).Stats
		if pieces < 4 || s.PrefillSeconds != 0 || s.Seconds != float64(pieces) {
			t.Errorf("%d pieces: %+v", pieces, s)
		}
	})
}

// What a policy is told of prefill is the time of forwards and what they read, without the projection of the first token.
func TestPrefillIsForwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var io spec.IOStats
		policy := &starter{}
		o := spec.Options{Target: &slowModel{spectest.NewHashModel(3, 20, 100), &io}, Policy: policy, MaxBatch: 4, FirstInPrefill: true, IO: func() spec.IOStats { return io }}
		s := spectest.Generate(t, o, spec.Request{Prompt: []int32{1, 2, 3, 4, 5, 6}, MaxTokens: 1}, nil).Stats
		want := spec.Prefill{Target: spec.Forwards{Batches: 2, Rows: 6, Seconds: 4}, IO: spec.IOStats{BytesRead: 2, IOWaitSeconds: 2}}
		if policy.got != want || s.TimeToFirstToken != 7 {
			t.Errorf("%+v, want %+v; the first token after %v s", policy.got, want, s.TimeToFirstToken)
		}
	})
}

// starter is plain decoding that notes what it is told of prefill.
type starter struct {
	spec.None
	got spec.Prefill
}

func (s *starter) Start(p spec.Prefill) { s.got = p }

// slowModel takes two seconds for a forward and three for a projection, a second of each to wait for a byte.
type slowModel struct {
	*spectest.HashModel
	io *spec.IOStats
}

func (m *slowModel) wait(d time.Duration) {
	time.Sleep(d)
	m.io.BytesRead++
	m.io.IOWaitSeconds++
}

func (m *slowModel) Forward(ctx context.Context, b spec.Batch) (int, error) {
	m.wait(2 * time.Second)
	return m.HashModel.Forward(ctx, b)
}

func (m *slowModel) Project(ctx context.Context, dst []float32, rows []int) error {
	m.wait(3 * time.Second)
	return m.HashModel.Project(ctx, dst, rows)
}

// watchedModel notes the rows of forwards, and how many are of trees.
type watchedModel struct {
	*spectest.HashModel
	rows  []int
	trees int
}

func (m *watchedModel) Forward(ctx context.Context, b spec.Batch) (int, error) {
	if m.rows = append(m.rows, len(b.Tokens)); b.Parents != nil {
		m.trees++
	}
	return m.HashModel.Forward(ctx, b)
}

func ExampleGenerator() {
	target := spectest.NewHashModel(7, 26, 128) // stands for a *layers.Decoder
	draft := spectest.NewDraftOf(target, 50)
	chain, err := baseline.NewChain(4, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := spec.NewGenerator(spec.Options{Target: target, Draft: draft, Policy: chain})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := g.Generate(context.Background(), spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 24, TextDecoder: spectest.Letters{}}, nil)
	fmt.Println(result.Text, result.Finish, err)
	fmt.Println(result.Stats.Tokens, "tokens in", result.Stats.Passes, "passes")
	// Output:
	// xlgggrishmcjjgjgktxuzucx length <nil>
	// 24 tokens in 10 passes
}
