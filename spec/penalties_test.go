package spec_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
)

func drawPenalties(t *rapid.T, vocab int) sampling.Penalties {
	p := sampling.Penalties{
		Presence: rapid.SampledFrom([]float32{0, -0.5, 0.7, 2}).Draw(t, "presence"), Frequency: rapid.SampledFrom([]float32{0, -0.3, 0.4, 1.5}).Draw(t, "frequency"),
		Repetition: rapid.SampledFrom([]float32{0, 1, 0.8, 1.3, 5}).Draw(t, "repetition"), Last: rapid.SampledFrom([]int{0, 1, 3, 20}).Draw(t, "last"),
	}
	if rapid.Bool().Draw(t, "biased") {
		p.Bias = rapid.MapOfN(rapid.Int32Range(0, int32(vocab-1)), rapid.Float32Range(-100, 100), 0, 3).Draw(t, "bias")
	}
	return p
}

// penalised are the logits after a text, by the definition, counted anew.
func penalised(p sampling.Penalties, prompt, generated []int32, logits []float32) {
	text := slices.Concat(prompt, generated)
	first := 0
	if p.Last > 0 {
		first = max(0, len(text)-p.Last)
	}
	for token := range logits {
		inAll, made := 0, 0
		for i := first; i < len(text); i++ {
			if int(text[i]) != token {
				continue
			}
			if inAll++; i >= len(prompt) {
				made++
			}
		}
		x := &logits[token]
		*x += p.Bias[int32(token)]
		if r := p.Repetition; inAll > 0 && r > 0 {
			if *x > 0 {
				*x /= r
			} else {
				*x *= r
			}
		}
		if made > 0 {
			*x -= p.Presence + float32(p.Frequency*float32(made))
		}
	}
}

// What is generated with penalties is what plain decoding with them gives, whatever the tree, constrained or not.
func TestPenaltiesEqualPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, req := spectest.DrawCase(t)
		req.Penalties = drawPenalties(t, target.VocabSize)
		var c *table
		if rapid.Bool().Draw(t, "constrained") {
			c = newTable(rapid.Uint64().Draw(t, "constraint"), 4, target.VocabSize)
			req.Constraint = c
		}
		plain := *target
		var tokens []int32
		state := 0
		plain.LogitsHook = func(logits []float32) {
			if c != nil {
				if len(tokens) > 0 {
					state = c.next[state][tokens[len(tokens)-1]]
				}
				spec.Restrict(c, state, logits)
			}
			penalised(req.Penalties, req.Prompt, tokens, logits)
		}
		_, finish := spectest.PlainInto(t, &plain, req, &tokens)
		draft := spectest.NewDraftOf(target, rapid.Uint64Range(0, 256).Draw(t, "noise"))
		budget := rapid.IntRange(1, 20).Draw(t, "budget")
		g, err := spec.NewGenerator(spec.Options{
			Target: target, Draft: draft, Parallel: masked, Policy: mustPolicy(t, rapid.SampledFrom(lever.PolicyNames()).Draw(t, "policy"), budget), Budget: budget,
			MaxBatch: rapid.IntRange(1, 20).Draw(t, "maxBatch"), ProjectTree: rapid.Bool().Draw(t, "projectTree"), ProjectAhead: rapid.IntRange(0, 4).Draw(t, "projectAhead"),
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			result, err := g.Generate(ctx, req, nil)
			if err != nil {
				t.Fatal(err)
			}
			spectest.CheckResult(t, result, tokens, finish)
		}
	})
}

// A draft model that is as good as the target is right about all tokens, penalties or not: its logits change along each path as the target's do.
func TestDraftsArePenalised(t *testing.T) {
	target := spectest.NewHashModel(5, 12, 400)
	req := spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 120, Penalties: sampling.Penalties{Presence: 1, Frequency: 0.8, Repetition: 1.4, Last: 10, Bias: map[int32]float32{4: 3}}}
	without := spectest.Generate(t, spec.Options{Target: target}, spec.Request{Prompt: req.Prompt, MaxTokens: 120}, nil)
	result := spectest.Generate(t, spec.Options{Target: target, Draft: spectest.NewDraftOf(target, 0), Policy: mustChain(t, 7, 0)}, req, nil)
	if s := result.Stats; s.Passes != 15 || s.Tokens != 120 {
		t.Errorf("%d passes for %d tokens", s.Passes, s.Tokens)
	}
	if slices.Equal(result.Tokens, without.Tokens) {
		t.Error("penalties change nothing")
	}
}

// Penalties that are no numbers, or of tokens that there are not, are refused.
func TestPenaltiesAreChecked(t *testing.T) {
	nan := float32(0)
	nan /= nan
	for _, p := range []sampling.Penalties{{Presence: nan}, {Frequency: 1 / (nan * 0)}, {Repetition: -1}, {Last: -1}, {Bias: map[int32]float32{9: 1}}, {Bias: map[int32]float32{1: nan}}} {
		g, err := spec.NewGenerator(spec.Options{Target: spectest.NewHashModel(1, 9, 50)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Generate(ctx, spec.Request{Prompt: []int32{1}, MaxTokens: 3, Penalties: p}, nil); err == nil {
			t.Errorf("%+v is taken", p)
		}
	}
}
