package spectest

import (
	"context"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
)

// Generate runs one generation.
func Generate(t rapid.TB, o spec.Options, req spec.Request, emit func(spec.Piece) error) spec.Result {
	t.Helper()
	g, err := spec.NewGenerator(o)
	if err != nil {
		t.Fatal(err)
	}
	result, err := g.Generate(context.Background(), req, emit)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// Plain is the definition of what a generator returns: one token after the other, from a full recomputation of each.
func Plain(t rapid.TB, m *HashModel, req spec.Request) (tokens []int32, finish spec.Finish) {
	t.Helper()
	return PlainInto(t, m, req, &tokens)
}

// PlainInto does so and keeps the tokens in *sofar while it goes on.
func PlainInto(t rapid.TB, m *HashModel, req spec.Request, sofar *[]int32) (tokens []int32, finish spec.Finish) {
	t.Helper()
	sampler, err := sampling.New(req.Sampling)
	if err != nil {
		t.Fatal(err)
	}
	state := uint64(1)
	for _, token := range req.Prompt {
		state = Mix(state, uint64(token)+1)
	}
	logits := make([]float32, m.VocabSize)
	for {
		m.Logits(logits, state)
		token, err := sampler.Sample(logits)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
		*sofar = tokens
		state = Mix(state, uint64(token)+1)
		switch {
		case slices.Contains(req.StopTokens, token):
			return tokens, spec.FinishStop
		case len(tokens) == req.MaxTokens:
			return tokens, spec.FinishLength
		case len(req.Prompt)+len(tokens) == m.Positions+1:
			return tokens, spec.FinishContext
		}
	}
}

// ExpectText cuts the tokens of a generation without stop strings where one with them ends.
func ExpectText(tokens []int32, finish spec.Finish, req spec.Request, decoder spec.TextDecoder) ([]int32, string, spec.Finish) {
	var text strings.Builder
	for i, token := range tokens {
		if slices.Contains(req.StopTokens, token) {
			break
		}
		text.WriteString(decoder.Next(token))
		if before, found := NaiveStop(text.String(), req.StopStrings); found {
			return tokens[:i+1], before, spec.FinishStop
		}
	}
	text.WriteString(decoder.Flush())
	if before, found := NaiveStop(text.String(), req.StopStrings); found {
		return tokens, before, spec.FinishStop
	}
	return tokens, text.String(), finish
}

// DrawSampling draws how tokens are picked.
func DrawSampling(t *rapid.T) sampling.Options {
	if rapid.Bool().Draw(t, "greedy") {
		return sampling.Options{}
	}
	return sampling.Options{
		Temperature: rapid.Float32Range(0.1, 3).Draw(t, "temperature"),
		TopK:        rapid.IntRange(0, 8).Draw(t, "topK"),
		TopP:        rapid.Float32Range(0, 1).Draw(t, "topP"),
		MinP:        rapid.Float32Range(0, 1).Draw(t, "minP"),
		Seed:        rapid.Uint64().Draw(t, "seed"),
	}
}

// DrawCase draws a target, and a request with limits that often fall into accepted runs.
func DrawCase(t *rapid.T) (*HashModel, spec.Request) {
	m := NewHashModel(rapid.Uint64().Draw(t, "model"), rapid.IntRange(2, 20).Draw(t, "vocab"), rapid.IntRange(1, 60).Draw(t, "context"))
	m.Levels = rapid.Uint64Range(1, 40).Draw(t, "levels")
	token := rapid.Int32Range(0, int32(m.VocabSize-1))
	return m, spec.Request{
		Prompt:     rapid.SliceOfN(token, 1, m.Positions).Draw(t, "prompt"),
		MaxTokens:  rapid.IntRange(0, 40).Draw(t, "maxTokens"),
		Sampling:   DrawSampling(t),
		StopTokens: rapid.SliceOfN(token, 0, 2).Draw(t, "stopTokens"),
	}
}

// CheckResult compares a result with what it should be.
func CheckResult(t rapid.TB, got spec.Result, tokens []int32, finish spec.Finish) {
	t.Helper()
	if !slices.Equal(got.Tokens, tokens) || got.Finish != finish {
		t.Fatalf("got %v, %s\nwant %v, %s", got.Tokens, got.Finish, tokens, finish)
	}
}

// CheckTree checks what always holds of a tree against its own parents.
func CheckTree(t rapid.TB, tree *spec.Tree) {
	t.Helper()
	tokens, parents, depths, probs, weights := tree.Tokens(), tree.Parents(), tree.Depths(), tree.Probs(), tree.Weights()
	if n := tree.Len(); len(tokens) != n || len(parents) != n || len(depths) != n || len(probs) != n || len(weights) != n || n > tree.Budget()+1 {
		t.Fatalf("%d nodes, at most %d below the root: %d tokens, %d parents, %d depths, %d probabilities, %d weights",
			n, tree.Budget(), len(tokens), len(parents), len(depths), len(probs), len(weights))
	}
	for node := range tree.Len() {
		parent := int(parents[node])
		if node == 0 {
			if parent != -1 || depths[0] != 0 {
				t.Fatalf("root: parent %d, depth %d", parent, depths[0])
			}
		} else if weights[node] != weights[parent]*probs[node] {
			t.Fatalf("node %d: weight %v, parent's %v, probability %v", node, weights[node], weights[parent], probs[node])
		} else if parent < 0 || parent >= node || depths[node] != depths[parent]+1 || int(depths[node]) > tree.MaxDepth() {
			t.Fatalf("node %d: parent %d, depth %d", node, parent, depths[node])
		} else if got := tree.Child(parent, tokens[node]); got != node {
			t.Fatalf("child of %d with token %d is %d, not %d", parent, tokens[node], got, node)
		}

		var path []int
		for n := node; n >= 0; n = int(parents[n]) {
			path = append(path, n)
		}
		slices.Reverse(path)
		if got := tree.Path([]int{-5}, node); !slices.Equal(got[1:], path) || got[0] != -5 {
			t.Fatalf("path to %d is %v, want %v", node, got, path)
		}
		for other := range tree.Len() {
			if got := tree.IsAncestor(other, node); got != slices.Contains(path, other) {
				t.Fatalf("%d is an ancestor of %d: %v, path %v", other, node, got, path)
			}
		}
	}
	found := 0
	for node := range tree.Len() {
		for _, source := range []spec.Source{spec.FromDraft, spec.FromNGram, spec.FromHistory, spec.FromMasks, spec.FromConstraint} {
			set, ok := tree.Set(node, source)
			if !ok {
				continue
			}
			found++
			if set.Node != node || set.Source != source || len(set.Tokens) != len(set.Probs) ||
				!slices.ContainsFunc(tree.Sets(), func(s spec.CandidateSet) bool {
					return s.Node == node && s.Source == source && &s.Tokens[0] == &set.Tokens[0]
				}) {
				t.Fatalf("node %d, %v: %+v", node, source, set)
			}
		}
	}
	if found != len(tree.Sets()) {
		t.Fatalf("found %d of %d candidate sets", found, len(tree.Sets()))
	}
}

// Checked passes everything on to a policy and checks the trees that it grows.
type Checked struct {
	spec.Policy
	T      rapid.TB
	Budget int
	Trees  int // of more than a root
}

func (c *Checked) Grow(ctx context.Context, sequence []int32, tree *spec.Tree, draft *spec.Draft) error {
	err := c.Policy.Grow(ctx, sequence, tree, draft)
	CheckTree(c.T, tree)
	if n := tree.Len() - 1; n > c.Budget {
		c.T.Errorf("%d nodes, budget %d", n, c.Budget)
	}
	if tree.Len() > 1 {
		c.Trees++
	}
	return err
}

func (c *Checked) Observe(o spec.Observation) {
	for i, node := range o.Path {
		last := i == len(o.Path)-1
		if child := o.Tree.Child(node, o.Token(i)); last && o.Token(i) != o.Next || !last && child != o.Path[i+1] {
			c.T.Errorf("path %v: token %d after %d, next %d", o.Path, o.Token(i), node, o.Next)
		}
	}
	if o.DraftSeconds < 0 || !(o.VerifySeconds > 0) {
		c.T.Errorf("drafted for %v s, verified for %v s", o.DraftSeconds, o.VerifySeconds)
	}
	if observer, ok := c.Policy.(spec.Observer); ok {
		observer.Observe(o)
	}
}

// StartDraft returns a draft model at the start of a pass over sequence, and its tree.
func StartDraft(t rapid.TB, m spec.Decoder, sequence []int32) (*spec.Draft, *spec.Tree) {
	t.Helper()
	draft := spec.NewDraft(m, 8)
	tree := &spec.Tree{}
	tree.Reset(sequence[len(sequence)-1], 64, 64)
	draft.Start(sequence, tree)
	return draft, tree
}
