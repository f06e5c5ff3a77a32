package spec

import (
	"context"
	"fmt"
)

// Policy decides which tokens a pass of the target verifies. Whatever it proposes, the output is the target's own: a policy
// changes only how many passes that takes, as long as its choice is a function of the sequence (and of earlier ones), not of
// a token drawn from the draft's distribution.
type Policy interface {
	// Grow adds nodes to tree, which holds its root alone: the last token of sequence. draft is nil when there is no draft
	// model. Grow keeps none of its arguments.
	Grow(ctx context.Context, sequence []int32, tree *Tree, draft *Draft) error
}

// None proposes nothing: plain decoding, one token per pass.
type None struct{}

// Grow leaves the tree as it is.
func (None) Grow(context.Context, []int32, *Tree, *Draft) error { return nil }

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
		return nil, fmt.Errorf("spec: chain: length %d is not positive", length)
	}
	if !(minProb >= 0 && minProb <= 1) {
		return nil, fmt.Errorf("spec: chain: minimum probability %v is not between 0 and 1", minProb)
	}
	return &Chain{length, minProb}, nil
}

// Grow adds a chain below the root.
func (c *Chain) Grow(ctx context.Context, _ []int32, tree *Tree, draft *Draft) error {
	if draft == nil {
		return fmt.Errorf("spec: chain: needs a draft model")
	}
	node := 0
	for range c.length {
		if tree.Full(node) || draft.Full(node) {
			return nil
		}
		token, prob, err := draft.Next(ctx, node)
		if err != nil {
			return err
		}
		if prob < c.minProb {
			return nil
		}
		if node, err = tree.Add(node, token, prob); err != nil {
			return err
		}
	}
	return nil
}
