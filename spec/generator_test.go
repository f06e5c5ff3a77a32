package spec

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var ctx = context.Background()

func generate(t rapid.TB, o Options, req Request, emit func(Piece) error) Result {
	t.Helper()
	g, err := NewGenerator(o)
	if err != nil {
		t.Fatal(err)
	}
	result, err := g.Generate(ctx, req, emit)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func mustChain(t rapid.TB, length int, minProb float32) *Chain {
	t.Helper()
	c, err := NewChain(length, minProb)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// plain is the definition of what a generator returns: one token after the other, from a full recomputation of each.
func plain(t rapid.TB, m *hashModel, req Request) (tokens []int32, finish Finish) {
	t.Helper()
	return plainInto(t, m, req, &tokens)
}

// plainInto does so and keeps the tokens in *sofar while it goes on.
func plainInto(t rapid.TB, m *hashModel, req Request, sofar *[]int32) (tokens []int32, finish Finish) {
	t.Helper()
	sampler, err := NewSampler(req.Sampling)
	if err != nil {
		t.Fatal(err)
	}
	state := uint64(1)
	for _, token := range req.Prompt {
		state = mix(state, uint64(token)+1)
	}
	logits := make([]float32, m.vocab)
	for {
		m.logits(logits, state)
		token, err := sampler.Sample(logits)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
		*sofar = tokens
		state = mix(state, uint64(token)+1)
		switch {
		case slices.Contains(req.StopTokens, token):
			return tokens, FinishStop
		case len(tokens) == req.MaxTokens:
			return tokens, FinishLength
		case len(req.Prompt)+len(tokens) == m.context+1:
			return tokens, FinishContext
		}
	}
}

// expectText cuts the tokens of a generation without stop strings where one with them ends.
func expectText(tokens []int32, finish Finish, req Request, decoder TextDecoder) ([]int32, string, Finish) {
	var text strings.Builder
	for i, token := range tokens {
		if slices.Contains(req.StopTokens, token) {
			break
		}
		text.WriteString(decoder.Next(token))
		if before, found := naiveStop(text.String(), req.StopStrings); found {
			return tokens[:i+1], before, FinishStop
		}
	}
	text.WriteString(decoder.Flush())
	if before, found := naiveStop(text.String(), req.StopStrings); found {
		return tokens, before, FinishStop
	}
	return tokens, text.String(), finish
}

func drawSampling(t *rapid.T) Sampling {
	if rapid.Bool().Draw(t, "greedy") {
		return Sampling{}
	}
	return Sampling{
		Temperature: rapid.Float32Range(0.1, 3).Draw(t, "temperature"),
		TopK:        rapid.IntRange(0, 8).Draw(t, "topK"),
		TopP:        rapid.Float32Range(0, 1).Draw(t, "topP"),
		MinP:        rapid.Float32Range(0, 1).Draw(t, "minP"),
		Seed:        rapid.Uint64().Draw(t, "seed"),
	}
}

// drawCase draws a target, and a request with limits that often fall into accepted runs.
func drawCase(t *rapid.T) (*hashModel, Request) {
	m := newHashModel(rapid.Uint64().Draw(t, "model"), rapid.IntRange(2, 20).Draw(t, "vocab"), rapid.IntRange(1, 60).Draw(t, "context"))
	m.levels = rapid.Uint64Range(1, 40).Draw(t, "levels")
	token := rapid.Int32Range(0, int32(m.vocab-1))
	return m, Request{
		Prompt:     rapid.SliceOfN(token, 1, m.context).Draw(t, "prompt"),
		MaxTokens:  rapid.IntRange(0, 40).Draw(t, "maxTokens"),
		Sampling:   drawSampling(t),
		StopTokens: rapid.SliceOfN(token, 0, 2).Draw(t, "stopTokens"),
	}
}

func checkResult(t rapid.TB, got Result, tokens []int32, finish Finish) {
	t.Helper()
	if !slices.Equal(got.Tokens, tokens) || got.Finish != finish {
		t.Fatalf("got %v, %s\nwant %v, %s", got.Tokens, got.Finish, tokens, finish)
	}
}

func TestChainEqualsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, req := drawCase(t)
		tokens, finish := plain(t, target, req)
		draft := newDraftOf(target, rapid.Uint64Range(0, 256).Draw(t, "noise"))
		draft.context = rapid.IntRange(1, 70).Draw(t, "draftContext")
		o := Options{
			Target: target, Draft: draft,
			Policy:      mustChain(t, rapid.IntRange(1, 16).Draw(t, "k"), rapid.Float32Range(0, 1).Draw(t, "minProb")),
			MaxNodes:    rapid.IntRange(1, 20).Draw(t, "maxNodes"),
			Chunk:       rapid.IntRange(1, 20).Draw(t, "chunk"),
			ProjectTree: rapid.Bool().Draw(t, "projectTree"),
		}
		result := generate(t, o, req, nil)
		checkResult(t, result, tokens, finish)
		sequence := slices.Concat(req.Prompt, tokens)
		if got := target.Tokens(); !slices.Equal(got, sequence[:len(sequence)-1]) {
			t.Fatalf("target holds %v of %v", got, sequence)
		}
		if got := draft.Tokens(); len(got) >= len(sequence) || !slices.Equal(got, sequence[:len(got)]) {
			t.Fatalf("draft holds %v of %v", got, sequence)
		}
		s := result.Stats
		if s.Tokens != len(tokens) || s.PromptTokens != len(req.Prompt) || s.Passes > s.Tokens || s.Tokens > s.Passes+s.Verified || s.Drafted != s.Verified+s.Pruned {
			t.Fatalf("stats %+v", s)
		}

		o.Draft, o.Policy = nil, None{}
		result = generate(t, o, req, nil)
		checkResult(t, result, tokens, finish)
		if s := result.Stats; s.Passes != s.Tokens || s.AcceptedPerPass != 1 || s.Drafted != 0 {
			t.Fatalf("plain: stats %+v", s)
		}
	})
}

func TestChainLengths(t *testing.T) {
	for k := 1; k <= 16; k++ {
		target := newHashModel(uint64(k), 50, 400)
		req := Request{Prompt: []int32{1, 2, 3}, MaxTokens: 200}
		tokens, finish := plain(t, target, req)
		result := generate(t, Options{Target: target, Draft: newDraftOf(target, 40), Policy: mustChain(t, k, 0)}, req, nil)
		checkResult(t, result, tokens, finish)
		if result.Stats.AcceptedPerPass < 1.5 {
			t.Errorf("k=%d: accepted %.2f tokens per pass of a draft that is mostly right", k, result.Stats.AcceptedPerPass)
		}
	}
}

func TestStopStringsInGeneration(t *testing.T) {
	stopString := rapid.StringOfN(rapid.RuneFrom([]rune("abé€😀�")), 1, 4, -1)
	rapid.Check(t, func(t *rapid.T) {
		target, req := drawCase(t)
		tokens, finish := plain(t, target, req)
		table := rapid.Uint64().Draw(t, "table")
		req.StopStrings = rapid.SliceOfN(stopString, 0, 3).Draw(t, "stopStrings")
		tokens, text, finish := expectText(tokens, finish, req, newPieceDecoder(table, target.vocab))

		req.Decoder = newPieceDecoder(table, target.vocab)
		var shown strings.Builder
		var pieces []int32
		result := generate(t, Options{
			Target: target, Draft: newDraftOf(target, rapid.Uint64Range(0, 256).Draw(t, "noise")),
			Policy: mustChain(t, rapid.IntRange(1, 16).Draw(t, "k"), 0),
		}, req, func(p Piece) error {
			shown.WriteString(p.Text)
			pieces = append(pieces, p.Tokens...)
			if !utf8.ValidString(p.Text) || !strings.HasPrefix(text, shown.String()) {
				t.Fatalf("shown %q of %q", shown.String(), text)
			}
			return nil
		})
		checkResult(t, result, tokens, finish)
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
		target := newHashModel(seed, int(vocab), int(context))
		target.levels = seed%30 + 1
		req := Request{
			Prompt: []int32{int32(seed % uint64(vocab))}, MaxTokens: int(maxTokens), StopTokens: []int32{int32(vocab) / 3},
			Sampling: Sampling{Temperature: temperature, Seed: seed},
		}
		tokens, finish := plain(t, target, req)
		for _, projectTree := range []bool{false, true} {
			for _, pruner := range []Pruner{nil, chancePruner{0.3}, chancePruner{1}} {
				result := generate(t, Options{
					Target: target, Policy: &treePolicy{oracle: target, shape: shape}, MaxNodes: int(maxNodes), ProjectTree: projectTree, Pruner: pruner,
				}, req, nil)
				checkResult(t, result, tokens, finish)
			}
		}
	})
}

// What the models hold of a prompt is not computed again, and changes nothing.
func TestSharedPrefixIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, req := drawCase(t)
		draft := newDraftOf(target, 60)
		draft.context = rapid.IntRange(1, 70).Draw(t, "draftContext")
		g, err := NewGenerator(Options{Target: target, Draft: draft, Policy: mustChain(t, 3, 0), Chunk: rapid.IntRange(1, 9).Draw(t, "chunk")})
		if err != nil {
			t.Fatal(err)
		}
		var sequence []int32 // of the generation before
		for range 4 {
			kept := rapid.IntRange(0, len(sequence)).Draw(t, "kept")
			req.Prompt = append(slices.Clone(sequence[:kept]), req.Prompt...)
			req.Prompt = req.Prompt[:min(len(req.Prompt), target.context)]
			tokens, finish := plain(t, target, req)
			shared := 0
			for shared < min(len(sequence), len(req.Prompt))-1 && sequence[shared] == req.Prompt[shared] {
				shared++
			}
			rows := target.rows
			result, err := g.Generate(ctx, req, nil)
			if err != nil {
				t.Fatal(err)
			}
			checkResult(t, result, tokens, finish)
			s := result.Stats
			if want := len(req.Prompt) - 1 - shared + s.Passes + s.Verified; s.ReusedTokens != shared || target.rows-rows != want {
				t.Fatalf("%d tokens of %d used again, %d rows computed, want %d and %d", s.ReusedTokens, len(req.Prompt), target.rows-rows, shared, want)
			}
			sequence = slices.Concat(req.Prompt, tokens)
		}
	})
}

// Wherever a generation ends, the next one starts from its own prompt.
func TestReuse(t *testing.T) {
	target := newHashModel(5, 12, 100)
	g, err := NewGenerator(Options{Target: target, Draft: newDraftOf(target, 60), Policy: mustChain(t, 4, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		req := Request{Prompt: []int32{int32(i), 3, 4}, MaxTokens: 20, Sampling: Sampling{Temperature: float32(i % 2), Seed: 9}}
		tokens, finish := plain(t, target, req)
		result, err := g.Generate(ctx, req, nil)
		if err != nil {
			t.Fatal(err)
		}
		checkResult(t, result, tokens, finish)
	}
}

// A fault in any call of a model comes back as an error beside the tokens so far, and the generator can go on after it.
func TestFaults(t *testing.T) {
	target := newHashModel(5, 12, 100)
	draft := newDraftOf(target, 60)
	req := Request{Prompt: []int32{1, 2, 3, 4, 5}, MaxTokens: 20}
	tokens, finish := plain(t, target, req)
	for _, projectTree := range []bool{false, true} {
		g, err := NewGenerator(Options{Target: target, Draft: draft, Policy: &sometimes{mustChain(t, 4, 0), 0, 3}, Chunk: 3, ProjectTree: projectTree})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []*hashModel{target, draft} {
			faults := 0
			for ; ; faults++ {
				m.failIn = faults + 1
				result, err := g.Generate(ctx, req, nil)
				m.failIn = 0
				if err == nil {
					checkResult(t, result, tokens, finish)
					break
				}
				if !errors.Is(err, errFault) || result.Finish != FinishError || result.Stats.Tokens != len(result.Tokens) ||
					!slices.Equal(result.Tokens, tokens[:len(result.Tokens)]) {
					t.Fatalf("%v, result %+v, want a start of %v", err, result, tokens)
				}
				if result, err = g.Generate(ctx, req, nil); err != nil {
					t.Fatal(err)
				}
				checkResult(t, result, tokens, finish)
			}
			if faults < 20 {
				t.Errorf("only %d calls", faults)
			}
		}
	}
}

func TestContextEnd(t *testing.T) {
	for n := 1; n <= 8; n++ {
		target := newHashModel(1, 9, 8)
		req := Request{Prompt: make([]int32, n), MaxTokens: math.MaxInt * (n % 2)}
		result := generate(t, Options{Target: target, Draft: newDraftOf(target, 0), Policy: mustChain(t, 5, 0)}, req, nil)
		if result.Finish != FinishContext || len(result.Tokens) != 8-n+1 {
			t.Errorf("prompt of %d: %d tokens, %s", n, len(result.Tokens), result.Finish)
		}
	}
}

// The draft model sees every accepted token once.
func TestDraftFollowsWithoutRecomputation(t *testing.T) {
	const prompt, k = 10, 4
	target := newHashModel(1, 30, 200)
	draft := newDraftOf(target, 0)
	req := Request{Prompt: make([]int32, prompt), MaxTokens: 100}
	result := generate(t, Options{Target: target, Draft: draft, Policy: mustChain(t, k, 0)}, req, nil)
	if s := result.Stats; s.Passes != 100/(k+1) || s.AcceptedPerPass != k+1 || s.Drafted != 80 || s.Verified != 80 {
		t.Errorf("stats %+v", s)
	}
	if draft.rows != draft.Len() || draft.Len() != prompt+100-2 {
		t.Errorf("draft computed %d rows for %d positions", draft.rows, draft.Len())
	}
	if want := prompt - 1 + 100; target.rows != want || target.projections != 100 {
		t.Errorf("target computed %d rows, want %d, and %d projections", target.rows, want, target.projections)
	}
}

// A policy that skips passes leaves the draft model behind; it catches up, in chunks where it has to.
type sometimes struct {
	chain *Chain
	calls int
	every int
}

func (p *sometimes) Grow(ctx context.Context, sequence []int32, tree *Tree, draft *Draft) error {
	if p.calls++; p.calls%p.every != 0 {
		return nil
	}
	return p.chain.Grow(ctx, sequence, tree, draft)
}

func TestDraftCatchesUp(t *testing.T) {
	target := newHashModel(3, 30, 300)
	req := Request{Prompt: []int32{1}, MaxTokens: 200}
	tokens, finish := plain(t, target, req)
	for _, every := range []int{2, 5, 30} {
		draft := newDraftOf(target, 20)
		draft.maxBatch = 8
		result := generate(t, Options{Target: target, Draft: draft, Chunk: 8, Policy: &sometimes{mustChain(t, 3, 0), 0, every}}, req, nil)
		checkResult(t, result, tokens, finish)
		if result.Stats.Tokens <= result.Stats.Passes {
			t.Errorf("every %d: nothing was accepted: %+v", every, result.Stats)
		}
	}
}

// Nodes that could not be used are not drafted.
func TestTreeEndsWithTheText(t *testing.T) {
	for left := 1; left <= 6; left++ {
		target := newHashModel(3, 30, 300)
		result := generate(t, Options{Target: target, Draft: newDraftOf(target, 0), Policy: mustChain(t, 4, 0)},
			Request{Prompt: []int32{1}, MaxTokens: left}, nil)
		if s := result.Stats; s.Drafted != s.Tokens-s.Passes {
			t.Errorf("%d tokens in %d passes from %d drafts", s.Tokens, s.Passes, s.Drafted)
		}
	}
}

func TestChainStopsBelowMinProb(t *testing.T) {
	target := newHashModel(3, 30, 300)
	req := Request{Prompt: []int32{1}, MaxTokens: 50}
	for minProb, most := range map[float32]int{0: math.MaxInt, 1: 0} {
		s := generate(t, Options{Target: target, Draft: newDraftOf(target, 20), Policy: mustChain(t, 3, minProb)}, req, nil).Stats
		if s.Drafted > most || most > 0 && s.Drafted < s.Passes {
			t.Errorf("minimum probability %v: drafted %d in %d passes", minProb, s.Drafted, s.Passes)
		}
	}
}

func TestCancelKeepsText(t *testing.T) {
	target := newHashModel(1, 26, 1000)
	g, err := NewGenerator(Options{Target: target, Draft: newDraftOf(target, 50), Policy: mustChain(t, 4, 0)})
	if err != nil {
		t.Fatal(err)
	}
	cancellable, cancel := context.WithCancel(ctx)
	shown := ""
	result, err := g.Generate(cancellable, Request{
		Prompt: []int32{1, 2}, Decoder: letters{}, StopStrings: []string{strings.Repeat("never", 9)},
	}, func(p Piece) error {
		if shown += p.Text; len(shown) > 20 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || result.Finish != FinishCancelled {
		t.Errorf("finish %s, error %v", result.Finish, err)
	}
	s := result.Stats
	if result.Text != shown || len(shown) != len(result.Tokens) || s.Tokens != len(result.Tokens) || s.Passes == 0 || !(s.Seconds > 0 && s.TimeToFirstToken > 0) {
		t.Errorf("shown %q, result %+v", shown, result)
	}
}

// letters decodes token i as the i-th letter.
type letters struct{}

func (letters) Next(token int32) string { return string(rune('a' + token)) }
func (letters) Flush() string           { return "" }

func TestHeldTextIsShownAtTheEnd(t *testing.T) {
	target := newHashModel(1, 1, 100) // always "a"
	result := generate(t, Options{Target: target}, Request{
		Prompt: []int32{0}, MaxTokens: 4, Decoder: letters{}, StopStrings: []string{"aaaaaaaa"},
	}, nil)
	if result.Text != "aaaa" || result.Finish != FinishLength {
		t.Errorf("text %q, finish %s", result.Text, result.Finish)
	}
}

func TestErrors(t *testing.T) {
	target := newHashModel(1, 10, 8)
	failure := errors.New("broken pipe")
	ok := []int32{1, 2}
	for name, c := range map[string]struct {
		req  Request
		want error
		text string
	}{
		"empty prompt":    {Request{}, ErrEmptyPrompt, "prompt is empty"},
		"long prompt":     {Request{Prompt: make([]int32, 9)}, ErrPromptTooLong, "9 tokens, room for 8"},
		"token too large": {Request{Prompt: []int32{1, 10}}, nil, "prompt token 1 is 10, outside the vocabulary of 10"},
		"token negative":  {Request{Prompt: []int32{-1}}, nil, "prompt token 0 is -1"},
		"max tokens":      {Request{Prompt: ok, MaxTokens: -1}, nil, "limit of -1 tokens"},
		"empty stop":      {Request{Prompt: ok, StopStrings: []string{""}, Decoder: letters{}}, nil, "stop string is empty"},
		"no decoder":      {Request{Prompt: ok, StopStrings: []string{"x"}}, nil, "need a text decoder"},
		"temperature":     {Request{Prompt: ok, Sampling: Sampling{Temperature: -1}}, nil, "temperature -1"},
	} {
		g, err := NewGenerator(Options{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		result, err := g.Generate(ctx, c.req, func(Piece) error { t.Errorf("%s: emitted", name); return nil })
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || result.Finish != FinishError {
			t.Errorf("%s: %v, finish %s", name, err, result.Finish)
		}
	}

	g, err := NewGenerator(Options{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	result, err := g.Generate(ctx, Request{Prompt: ok, Decoder: letters{}}, func(Piece) error { calls++; return failure })
	if !errors.Is(err, failure) || calls != 1 || len(result.Tokens) != 1 || result.Finish != FinishError {
		t.Errorf("emit: %v after %d calls, result %+v", err, calls, result)
	}

	target.logitsHook = func(logits []float32) { logits[3] = float32(math.NaN()) }
	if _, err := g.Generate(ctx, Request{Prompt: ok}, nil); !errors.Is(err, ErrLogits) {
		t.Errorf("NaN: %v", err)
	}

	for name, o := range map[string]Options{
		"no target":  {},
		"vocabulary": {Target: target, Draft: newHashModel(1, 11, 8)},
		"max nodes":  {Target: target, MaxNodes: -1},
		"chunk":      {Target: target, Chunk: -1},
	} {
		if _, err := NewGenerator(o); err == nil || name == "vocabulary" && !errors.Is(err, ErrVocabulary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewChain(0, 0); err == nil {
		t.Error("chain of length 0")
	}
	if _, err := NewChain(1, float32(math.NaN())); err == nil {
		t.Error("chain with minimum probability NaN")
	}
}

type policyFunc func(tree *Tree, draft *Draft) error

func (f policyFunc) Grow(_ context.Context, _ []int32, tree *Tree, draft *Draft) error {
	return f(tree, draft)
}

func TestPolicyErrors(t *testing.T) {
	failure := errors.New("no idea")
	target := newHashModel(1, 10, 8)
	for name, c := range map[string]struct {
		policy Policy
		draft  Model
		text   string
	}{
		"fails":      {policyFunc(func(*Tree, *Draft) error { return failure }), nil, "no idea"},
		"vocabulary": {policyFunc(func(tree *Tree, _ *Draft) error { _, err := tree.Add(0, 10, 1); return err }), nil, "tree node 1 has token 10"},
		"no draft":   {mustChain(t, 1, 0), nil, "needs a draft model"},
		"order": {policyFunc(func(tree *Tree, d *Draft) error {
			node, err := tree.Add(0, 1, 1)
			if err != nil {
				return err
			}
			return d.Expand(ctx, []int{node}, 1)
		}), newDraftOf(target, 0), "node 1 before its parent 0"},
	} {
		g, err := NewGenerator(Options{Target: target, Draft: c.draft, Policy: c.policy})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Generate(ctx, Request{Prompt: []int32{1}}, nil); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProgressAndIO(t *testing.T) {
	target := newHashModel(1, 10, 100)
	var reported []int
	reads := IOStats{BytesRead: 1000, IOSeconds: 5, IOWaitSeconds: 2} // of an earlier generation
	o := Options{Target: target, Chunk: 4, IO: func() IOStats {
		reads.BytesRead += 10
		reads.IOSeconds += 0.5
		reads.IOWaitSeconds += 0.25
		return reads
	}}
	result := generate(t, o, Request{Prompt: make([]int32, 11), MaxTokens: 3, Progress: func(done, total int) {
		if total != 11-1 {
			t.Errorf("total %d", total)
		}
		reported = append(reported, done)
	}}, nil)
	if want := []int{4, 8, 10}; !slices.Equal(reported, want) {
		t.Errorf("progress %v, want %v", reported, want)
	}
	if got, want := result.Stats.IOStats, (IOStats{10, 0.5, 0.25}); got != want {
		t.Errorf("reads %+v, want %+v", got, want)
	}
	if got := result.Stats.ComputeSeconds; got != 0 {
		t.Errorf("%v s of compute in a pass that waited longer than it took", got)
	}
}

func ExampleGenerator() {
	target := newHashModel(7, 26, 128) // stands for a *layers.Decoder
	draft := newDraftOf(target, 50)
	chain, err := NewChain(4, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := NewGenerator(Options{Target: target, Draft: draft, Policy: chain})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := g.Generate(context.Background(), Request{Prompt: []int32{1, 2, 3}, MaxTokens: 24, Decoder: letters{}}, nil)
	fmt.Println(result.Text, result.Finish, err)
	fmt.Println(result.Stats.Tokens, "tokens in", result.Stats.Passes, "passes")
	// Output:
	// xlgggrishmcjjgjgktxuzucx length <nil>
	// 24 tokens in 10 passes
}
