package grammar_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/grammar"
	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

var _ spec.FallibleConstraint = &grammar.Matcher{}

// Words are tokens beside the single bytes and the end.
var words = []string{`"`, `{"`, `":`, `", "`, `"}`, `[[`, `]]`, `, `, "aa", "ab", "ba", "aba", "bab", "abc", " a", " b", "12", "345", "null"}

// counted notes the steps of each question.
type counted struct {
	*grammar.Matcher
	steps []int
}

func (c *counted) Next(state int, token int32) int {
	defer c.note()
	return c.Matcher.Next(state, token)
}

func (c *counted) Allowed(state int) []uint64 {
	defer c.note()
	return c.Matcher.Allowed(state)
}

func (c *counted) note() { c.steps = append(c.steps, c.Steps()) }

// Whatever is drafted, and whatever a grammar was used for before, an answer ends at the same token, with the same error if there is one.
func TestDraftsDoNotEndTexts(t *testing.T) {
	const end = 256
	v, err := grammar.NewVocabulary(end+1+len(words), func(token int32) string {
		if token < end {
			return string([]byte{byte(token)})
		}
		return words[token-end-1]
	}, []int32{end})
	if err != nil {
		t.Fatal(err)
	}
	schemas := []string{
		`{"pattern": "^([^a]*a){1,11}([^b]*b){1,13}$"}`,
		`{"pattern": "^((a|b)*a(a|b){9}|[^c]*c|[^e]*e?0)$"}`,
		`{"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": {"$ref": "#"}, "minItems": 2}, {"type": "array", "maxItems": 3, "items": {"$ref": "#"}}, {"type": "null"}]}`,
		`{"type": "object", "properties": {"a": {"pattern": "^(a|ab|ba)*$"}, "ab": {"type": "string", "minLength": 3}, "b": {"anyOf": [{"pattern": "a*b*"}, {"type": "integer"}]}}}`,
	}
	used := map[string]*grammar.Grammar{}
	ended := 0
	rapid.Check(t, func(t *rapid.T) {
		schema := rapid.SampledFrom(schemas).Draw(t, "schema")
		target := spectest.NewHashModel(rapid.Uint64().Draw(t, "model"), v.Size(), 100)
		target.Levels = rapid.Uint64Range(1, 40).Draw(t, "levels")
		req := spec.Request{Prompt: []int32{'a'}, MaxTokens: 40, StopTokens: []int32{end}, Sampling: spectest.DrawSampling(t)}
		generate := func(c spec.Constraint, o spec.Options) (spec.Result, error) {
			generator, err := spec.NewGenerator(o)
			if err != nil {
				t.Fatal(err)
			}
			req.Constraint = c
			return generator.Generate(t.Context(), req, nil)
		}
		compile := func() *grammar.Grammar {
			g, err := v.JSONSchema(t.Context(), []byte(schema))
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		if used[schema] == nil {
			used[schema] = compile()
		}
		all := &counted{Matcher: used[schema].Matcher(t.Context())}
		if _, err := generate(all, spec.Options{Target: target}); err != nil {
			t.Fatal(err)
		}
		limit := max(1, rapid.SampledFrom(all.steps).Draw(t, "steps")+rapid.IntRange(-2, 2).Draw(t, "more"))
		limited := func(g *grammar.Grammar) *grammar.Matcher {
			m := g.Matcher(t.Context())
			m.SetLimit(limit)
			return m
		}
		want, wantErr := generate(limited(compile()), spec.Options{Target: target})
		if wantErr != nil && !errors.Is(wantErr, grammar.ErrTooLarge) {
			t.Fatal(wantErr)
		}
		if wantErr != nil && len(want.Tokens) > 0 {
			ended++
		}

		name := rapid.SampledFrom(lever.PolicyNames()).Draw(t, "policy")
		policy, err := lever.NewPolicy(name, 12)
		if err != nil {
			t.Fatal(err)
		}
		draft := spectest.NewDraftOf(target, rapid.Uint64Range(0, 256).Draw(t, "noise"))
		got, gotErr := generate(limited(used[schema]), spec.Options{Target: target, Draft: draft, Parallel: spec.Parallel{Mask: 0, Reach: 4}, Policy: policy, Budget: 12, ProjectTree: rapid.Bool().Draw(t, "projectTree")})
		if !slices.Equal(got.Tokens, want.Tokens) || got.Finish != want.Finish || text(gotErr) != text(wantErr) {
			t.Fatalf("%s with %d steps: got %v, %s, %v\nwant %v, %s, %v", name, limit, got.Tokens, got.Finish, gotErr, want.Tokens, want.Finish, wantErr)
		}
	})
	if !t.Failed() && ended == 0 && !testing.Short() { // a tenth of the texts are, and few are written then
		t.Error("no text was ended")
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
