package spec_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

// Of a prompt all tokens but the first are told of, each with the logits that a model alone has in its place, whatever was taken in before.
func TestPromptLogits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, req := spectest.DrawCase(t)
		tokens, finish := spectest.Plain(t, target, req)
		g, err := spec.NewGenerator(spec.Options{
			Target: target, MaxBatch: rapid.IntRange(1, 20).Draw(t, "maxBatch"), Budget: rapid.IntRange(1, 9).Draw(t, "budget"),
			ProjectTree: rapid.Bool().Draw(t, "projectTree"),
		})
		if err != nil {
			t.Fatal(err)
		}
		want := make([]float32, target.VocabSize)
		for range 2 {
			told, state := 0, spectest.Mix(1, uint64(req.Prompt[0])+1)
			req.PromptLogits = func(token int32, logits []float32) {
				told++
				if target.Logits(want, state); token != req.Prompt[told] || !slices.Equal(logits, want) {
					t.Fatalf("token %d of %v: told of %d with %v, want %v", told, req.Prompt, token, logits, want)
				}
				state = spectest.Mix(state, uint64(token)+1)
			}
			result, err := g.Generate(ctx, req, nil)
			if err != nil {
				t.Fatal(err)
			}
			spectest.CheckResult(t, result, tokens, finish)
			if told != len(req.Prompt)-1 || result.Stats.ReusedTokens != 0 {
				t.Fatalf("told of %d tokens of %d, %d used again", told, len(req.Prompt), result.Stats.ReusedTokens)
			}
		}
	})
}
