package spec_test

import (
	"slices"
	"testing"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

// stateOf is the state of a HashModel after tokens.
func stateOf(tokens ...int32) uint64 {
	state := uint64(1)
	for _, token := range tokens {
		state = spectest.Mix(state, uint64(token)+1)
	}
	return state
}

// Masks below a node predict what the model says after the node's path and as many masks, in the same forward; nodes below are offered what
// the nearest expanded ancestor has for them, and nothing of it stays in the model.
func TestExpandAhead(t *testing.T) {
	const mask = 29
	m := spectest.NewHashModel(3, 30, 100)
	draft, tree := spectest.StartDraft(t, m, []int32{4, 5, 6})
	if draft.Reach() != 1 {
		t.Errorf("a reach of %d before it is known", draft.Reach())
	}
	draft.SetParallel(spec.Parallel{Mask: mask, Reach: 4})
	node := func(parent int, token int32) int {
		t.Helper()
		n, err := tree.Add(parent, token, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	a := node(0, 7)
	b := node(a, 8)
	c := node(b, 9)
	d := node(c, 10)
	check := func(n, ahead int, path ...int32) {
		t.Helper()
		offered := draft.OfferAhead(n)
		set, found := tree.Set(n, spec.FromMasks)
		if offered != (ahead > 0) || found != offered {
			t.Fatalf("node %d: %v %v", n, offered, found)
		}
		if !offered {
			return
		}
		logits := make([]float32, m.VocabSize)
		m.Logits(logits, stateOf(path...))
		if set.Ahead != ahead || len(set.Tokens) != 3 || logits[set.Tokens[0]] != slices.Max(logits) {
			t.Errorf("node %d: %+v, the best of %v", n, set, logits)
		}
	}
	check(a, 0) // nothing is expanded yet
	if err := draft.ExpandAhead(ctx, []int{0}, 3, 9); err != nil {
		t.Fatal(err)
	}
	if m.Forwards != 1 || m.Rows != 3+3 {
		t.Errorf("%d forwards of %d rows", m.Forwards, m.Rows)
	}
	check(a, 1, 4, 5, 6, mask)
	check(b, 2, 4, 5, 6, mask, mask)
	check(c, 3, 4, 5, 6, mask, mask, mask)
	if draft.OfferAhead(d) {
		t.Error("a node beyond all masks has a set")
	}
	if draft.OfferAhead(b) {
		t.Error("the same is offered again")
	}
	if err := draft.ExpandAhead(ctx, []int{a}, 3, 2); err != nil {
		t.Fatal(err)
	}
	check(b, 1, 4, 5, 6, 7, mask) // nearer than before
	if draft.OfferAhead(a) {
		t.Error("an expanded node has a set")
	}
	if n := len(tree.Sets()); n != 2+3 {
		t.Errorf("%d sets", n)
	}
	if err := draft.Settle([]int{0, a, b}); err != nil {
		t.Fatal(err)
	}
	if got := m.Tokens(); !slices.Equal(got, []int32{4, 5, 6, 7}) {
		t.Errorf("the model keeps %v", got)
	}
}

// Masks have no place beyond the end of the context and of the tree.
func TestExpandAheadAtTheEnd(t *testing.T) {
	for _, test := range []struct{ context, depth, rows int }{{100, 64, 8}, {5, 64, 5}, {3, 64, 3}, {100, 3, 5}, {100, 1, 3}} {
		m := spectest.NewHashModel(3, 30, test.context)
		draft, tree := spectest.StartDraft(t, m, []int32{4, 5, 6})
		draft.SetParallel(spec.Parallel{Mask: 29, Reach: 6})
		tree.Reset(6, 64, test.depth)
		if err := draft.ExpandAhead(ctx, []int{0}, 3, 6); err != nil {
			t.Fatal(err)
		}
		if m.Rows != test.rows {
			t.Errorf("context %d, depth %d: %d rows, want %d", test.context, test.depth, m.Rows, test.rows)
		}
	}
}
