package baseline

import (
	"context"
	"errors"
	"fmt"

	"github.com/lever-go/lever/spec"
)

// PARDKind describes [PARD].
var PARDKind = spec.PolicyKind{Name: "pard", Budget: 8, Draft: spec.DraftParallel, New: func(budget int) (spec.Policy, error) {
	return NewPARD(budget)
}}

// PARD proposes a chain from a single forward of a draft model that predicts several tokens at once: the likeliest at each position (An et
// al., PARD, arXiv 2504.18583, section 3).
type PARD struct{ length int }

// NewPARD returns a policy that proposes up to length tokens, but no more than the draft model predicts at once.
func NewPARD(length int) (*PARD, error) {
	if length < 1 {
		return nil, fmt.Errorf("baseline: pard: length %d is not positive", length)
	}
	return &PARD{length}, nil
}

// Grow adds a chain below the root.
func (p *PARD) Grow(ctx context.Context, _ []int32, tree *spec.Tree, draft *spec.Draft) error {
	if draft == nil {
		return fmt.Errorf("baseline: pard: %w", spec.ErrNoDraft)
	}
	if draft.Reach() < 2 {
		return fmt.Errorf("baseline: pard: %w", spec.ErrNotParallel)
	}
	if tree.Full(0) || draft.Full(0) {
		return nil
	}
	reach := min(p.length, draft.Reach())
	if err := draft.ExpandAhead(ctx, []int{0}, 1, reach); err != nil {
		return err
	}
	node, source := 0, spec.FromDraft
	for range reach {
		best, found := tree.Set(node, source)
		if !found {
			return nil
		}
		child, err := tree.Add(node, best.Tokens[0], best.Probs[0])
		if errors.Is(err, spec.ErrTreeFull) {
			return nil
		}
		if err != nil {
			return err
		}
		node, source = child, spec.FromMasks
		draft.OfferAhead(node)
	}
	return nil
}
