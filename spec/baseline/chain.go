package baseline

import (
	"context"
	"fmt"

	"github.com/lever-go/lever/spec"
)

// ChainKind describes [Chain].
var ChainKind = spec.PolicyKind{Name: "chain", Budget: 8, Draft: spec.DraftRequired, New: func(budget int) (spec.Policy, error) {
	return NewChain(budget, 0)
}}

// Chain proposes the draft model's greedy continuation.
type Chain struct {
	length  int
	minProb float32
}

// NewChain returns a policy that proposes up to length tokens, stopping before the first to which the draft model gives a
// probability below minProb. A low minProb suits a target whose passes cost the same for one row as for many, as when it
// waits for flash; 0 always proposes the full length.
func NewChain(length int, minProb float32) (*Chain, error) {
	if length < 1 {
		return nil, fmt.Errorf("baseline: chain: length %d is not positive", length)
	}
	if !(minProb >= 0 && minProb <= 1) {
		return nil, fmt.Errorf("baseline: chain: minimum probability %v is not between 0 and 1", minProb)
	}
	return &Chain{length, minProb}, nil
}

// Grow adds a chain below the root.
func (c *Chain) Grow(ctx context.Context, _ []int32, tree *spec.Tree, draft *spec.Draft) error {
	if draft == nil {
		return fmt.Errorf("baseline: chain: %w", spec.ErrNoDraft)
	}
	node := 0
	for range c.length {
		if tree.Full(node) || draft.Full(node) {
			return nil
		}
		if err := draft.Expand(ctx, []int{node}, 1); err != nil {
			return err
		}
		best, found := tree.Set(node, spec.FromDraft)
		if !found || best.Probs[0] < c.minProb {
			return nil
		}
		var err error
		if node, err = tree.Add(node, best.Tokens[0], best.Probs[0]); err != nil {
			return err
		}
	}
	return nil
}
