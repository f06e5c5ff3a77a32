package spec_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
)

// A wave is one forward, whatever its shape, and gives each node the candidates of its own path.
func TestExpandWave(t *testing.T) {
	m := spectest.NewHashModel(3, 30, 100)
	sequence := []int32{4, 5, 6}
	draft, tree := spectest.StartDraft(t, m, sequence)
	wave := []int{0}
	for i := range 20 { // a chain with leaves, more rows than are projected at once
		node, err := tree.Add(wave[len(wave)/2], int32(i), 0.5)
		if err != nil {
			t.Fatal(err)
		}
		wave = append(wave, node)
	}
	if err := draft.Expand(ctx, wave, 5); err != nil {
		t.Fatal(err)
	}
	if m.Forwards != 1 || m.Rows != len(sequence)+20 {
		t.Errorf("%d forwards of %d rows", m.Forwards, m.Rows)
	}
	if len(tree.Sets()) != len(wave) {
		t.Fatalf("%d candidate sets", len(tree.Sets()))
	}
	logits := make([]float32, m.VocabSize)
	for i, set := range tree.Sets() {
		if set.Node != wave[i] || set.Source != spec.FromDraft || len(set.Tokens) != 5 {
			t.Fatalf("set %d: %+v", i, set)
		}
		state := uint64(1)
		for _, token := range sequence[:len(sequence)-1] {
			state = spectest.Mix(state, uint64(token)+1)
		}
		for _, node := range tree.Path(nil, set.Node) {
			state = spectest.Mix(state, uint64(tree.Tokens()[node])+1)
		}
		m.Logits(logits, state)
		order := make([]int32, m.VocabSize)
		total := 0.0
		for token, x := range logits {
			order[token] = int32(token)
			total += math.Exp(float64(x))
		}
		slices.SortStableFunc(order, func(a, b int32) int { return int(16 * (logits[b] - logits[a])) })
		for rank, token := range order[:5] {
			want := math.Exp(float64(logits[token])) / total
			if set.Tokens[rank] != token || math.Abs(float64(set.Probs[rank])-want) > 1e-5 {
				t.Fatalf("node %d, rank %d: token %d of %v, want %d of %v", set.Node, rank, set.Tokens[rank], set.Probs[rank], token, want)
			}
		}
	}
}

// Where the vocabulary is smaller than the number of candidates, all tokens are.
func TestExpandSmallVocabulary(t *testing.T) {
	draft, tree := spectest.StartDraft(t, spectest.NewHashModel(3, 3, 100), []int32{1})
	if err := draft.Expand(ctx, []int{0}, 8); err != nil {
		t.Fatal(err)
	}
	set, _ := tree.Set(0, spec.FromDraft)
	total := float32(0)
	for _, prob := range set.Probs {
		total += prob
	}
	if len(set.Tokens) != 3 || math.Abs(float64(total)-1) > 1e-5 {
		t.Errorf("%+v", set)
	}
}

func TestDraftErrors(t *testing.T) {
	expand := func(nodes []int, k int) func(*spec.Draft, *spec.Tree) error {
		return func(d *spec.Draft, _ *spec.Tree) error { return d.Expand(ctx, nodes, k) }
	}
	for name, c := range map[string]struct {
		do   func(*spec.Draft, *spec.Tree) error
		want string
	}{
		"no such node": {expand([]int{1}, 2), "node 1 is not one of"},
		"twice":        {expand([]int{0, 0}, 2), "node 0 is expanded already"},
		"candidates":   {expand([]int{0}, 0), "0 candidates"},
		"draw":         {func(d *spec.Draft, _ *spec.Tree) error { return d.Sample(ctx, []int{0}, 2, spec.MostProbable) }, "2 candidates by draw 0"},
		"select": {func(d *spec.Draft, tree *spec.Tree) error {
			if err := d.Sample(ctx, []int{0}, 2, spec.WithReplacement); err != nil {
				return err
			}
			return tree.Select([]int{1})
		}, "candidates were drawn"},
	} {
		draft, tree := spectest.StartDraft(t, spectest.NewHashModel(3, 30, 100), []int32{1})
		if err := c.do(draft, tree); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := spectest.NewHashModel(3, 30, 100)
	for name, bad := range map[string]float32{"NaN": float32(math.NaN()), "+Inf": float32(math.Inf(1))} {
		m.LogitsHook = func(logits []float32) { logits[7] = bad }
		draft, _ := spectest.StartDraft(t, m, []int32{1})
		if err := draft.Expand(ctx, []int{0}, 2); !errors.Is(err, sampling.ErrLogits) {
			t.Errorf("%s: %v", name, err)
		}
		m.Truncate(0)
	}
}
