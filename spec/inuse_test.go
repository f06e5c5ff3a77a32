package spec_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

// everything allows all tokens.
type everything struct{ vocab int }

func (*everything) Next(int, int32) int { return 0 }

func (e *everything) Allowed(int) []uint64 { return []uint64{1<<e.vocab - 1} }

// pointerPruner is a pruner that could hold state.
type pointerPruner struct{ chancePruner }

// TestSharedState: what serves one generation at a time is refused to another one before anything is computed; the first goes on as if there
// were none, and afterwards the other has it.
func TestSharedState(t *testing.T) {
	const vocab = 20
	fresh := func() (spec.Options, spec.Request) {
		target := spectest.NewHashModel(3, vocab, 100)
		o := spec.Options{
			Target: target, Draft: spectest.NewDraftOf(target, 50),
			Policy: &spectest.TreePolicy{Oracle: target, Shape: []byte{9, 2, 7, 5, 4}},
			Pruner: &pointerPruner{chancePruner{0.1}},
		}
		return o, spec.Request{
			Prompt: []int32{1, 2}, MaxTokens: 30, TextDecoder: spectest.NewPieceDecoder(1, vocab), Constraint: &everything{vocab},
		}
	}
	for _, c := range []struct {
		name  string
		share func(o *spec.Options, r *spec.Request, with spec.Options, and spec.Request)
	}{
		{"policy", func(o *spec.Options, _ *spec.Request, with spec.Options, _ spec.Request) { o.Policy = with.Policy }},
		{"pruner", func(o *spec.Options, _ *spec.Request, with spec.Options, _ spec.Request) { o.Pruner = with.Pruner }},
		{"target", func(o *spec.Options, _ *spec.Request, with spec.Options, _ spec.Request) { o.Target = with.Target }},
		{"draft", func(o *spec.Options, _ *spec.Request, with spec.Options, _ spec.Request) { o.Draft = with.Draft }},
		{"constraint", func(_ *spec.Options, r *spec.Request, _ spec.Options, and spec.Request) {
			r.Constraint = and.Constraint
		}},
		{"text decoder", func(_ *spec.Options, r *spec.Request, _ spec.Options, and spec.Request) {
			r.TextDecoder = and.TextDecoder
		}},
		{"", func(o *spec.Options, _ *spec.Request, _ spec.Options, _ spec.Request) { o.Policy = spec.None{} }}, // which any number may have
	} {
		first, firstRequest := fresh()
		if c.name == "" {
			first.Policy = spec.None{}
		}
		want, _ := spectest.Plain(t, spectest.NewHashModel(3, vocab, 100), firstRequest)
		second, secondRequest := fresh()
		c.share(&second, &secondRequest, first, firstRequest)
		g, err := spec.NewGenerator(second)
		if err != nil {
			t.Fatal(err)
		}
		got := spectest.Generate(t, first, firstRequest, func(spec.Piece) error {
			before := second.Target.Len()
			result, err := g.Generate(ctx, secondRequest, nil)
			switch {
			case c.name == "" && err != nil:
				t.Error(err)
			case c.name == "":
			case !errors.Is(err, spec.ErrInUse) || !strings.Contains(err.Error(), c.name) || result.Finish != spec.FinishError:
				t.Errorf("shared %s: %q, %v", c.name, result.Finish, err)
			case second.Target.Len() != before:
				t.Errorf("shared %s: the target took %d tokens", c.name, second.Target.Len()-before)
			}
			return nil
		})
		if !slices.Equal(got.Tokens, want) {
			t.Errorf("shared %s: the first generation gives %v, alone %v", c.name, got.Tokens, want)
		}
		if result, err := g.Generate(ctx, secondRequest, nil); err != nil || !slices.Equal(result.Tokens, want) {
			t.Errorf("%s given back: %v, %v", c.name, result.Tokens, err)
		}
	}
}

// TestGeneratorInUse: a generator refuses a generation in the middle of another.
func TestGeneratorInUse(t *testing.T) {
	g, err := spec.NewGenerator(spec.Options{Target: spectest.NewHashModel(3, 20, 100)})
	if err != nil {
		t.Fatal(err)
	}
	request := spec.Request{Prompt: []int32{1}, MaxTokens: 2}
	if _, err := g.Generate(ctx, request, func(spec.Piece) error {
		_, err := g.Generate(ctx, request, nil)
		return err
	}); !errors.Is(err, spec.ErrInUse) {
		t.Error(err)
	}
}
