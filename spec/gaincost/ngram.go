package gaincost

import (
	"context"
	"fmt"

	"github.com/lever-go/lever/spec"
)

// NGramKind describes [NGram].
var NGramKind = spec.PolicyKind{Name: "ngram", Budget: 64, Draft: spec.DraftUnused, New: func(budget int) (spec.Policy, error) {
	return NewNGram(NGramOptions{Budget: budget})
}}

// NGramOptions describe an [NGram].
type NGramOptions struct {
	Budget int // the most nodes of a tree besides the root
	Lookup LookupOptions
}

// NGram needs no draft model: it proposes what followed the latest tokens when they occurred before, as [Lookup] finds it, the
// likeliest nodes first, by how often such proposals were right of late. Nodes that are hardly ever right are left out, so
// that text without repetition is decoded plainly.
//
// Source: Saxena, "Prompt Lookup Decoding" (2023), https://github.com/apoorvumang/prompt-lookup-decoding, for one continuation.
type NGram struct {
	grower  grower
	learned Estimator
}

// NewNGram returns the policy.
func NewNGram(o NGramOptions) (*NGram, error) {
	if o.Budget < 1 {
		return nil, fmt.Errorf("gaincost: n-gram: budget %d", o.Budget)
	}
	lookup, err := NewLookup(o.Lookup)
	if err != nil {
		return nil, fmt.Errorf("gaincost: n-gram: %w", err)
	}
	n := &NGram{}
	n.grower = grower{learned: &n.learned, lookup: lookup, nodes: o.Budget}
	return n, nil
}

// Grow adds what look-up finds.
func (n *NGram) Grow(_ context.Context, sequence []int32, tree *spec.Tree, _ *spec.Draft) error {
	g := &n.grower
	g.start(sequence, tree)
	if err := g.lookUp(); err != nil {
		return err
	}
	likely := 0
	for likely < len(g.best) && g.best[likely].chance >= likelyChance {
		likely++
	}
	_, err := g.finish(likely)
	return err
}

// Observe learns how often proposals are right.
func (n *NGram) Observe(o spec.Observation) { n.learned.Learn(&o) }
