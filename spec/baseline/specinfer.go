package baseline

import (
	"context"
	"fmt"
	"slices"

	"github.com/lever-go/lever/spec"
)

// SpecInferKind describes [SpecInfer].
var SpecInferKind = spec.PolicyKind{Name: "specinfer", Budget: 64, Draft: spec.DraftRequired, New: func(budget int) (spec.Policy, error) {
	return NewSpecInfer(SpecInferOptions{Widths: SpecInferWidths(budget)})
}}

// SpecInferOptions describe a [SpecInfer].
type SpecInferOptions struct {
	// Widths is the expansion configuration: Widths[i] is the number of children of each node at depth i.
	Widths []int
	// Draw is how the children are chosen. Drawn ones change which tokens a seed gives, but not their distribution.
	Draw spec.Draw
}

// SpecInferWidths returns an expansion configuration of at most budget nodes: ⟨1,1,w,1,1,1,1,1⟩, the form that the source
// recommends (with w = 3), or a chain where the budget is too small for it.
func SpecInferWidths(budget int) []int {
	widths := []int{1, 1, (budget - 2) / 6, 1, 1, 1, 1, 1}
	if widths[2] < 1 {
		widths[2] = 1
		widths = widths[:budget]
	}
	return widths
}

// SpecInfer grows trees of one shape: each node of a level gets the same number of children: the draft model's most probable
// next tokens, or tokens drawn from its distribution.
//
// Source: Miao et al., "SpecInfer: Accelerating Large Language Model Serving with Tree-based Speculative Inference and
// Verification" (2024), arXiv 2305.09781, expansion-based construction.
type SpecInfer struct {
	widths []int
	draw   spec.Draw
	wave   []int
}

// NewSpecInfer returns the policy.
func NewSpecInfer(o SpecInferOptions) (*SpecInfer, error) {
	if len(o.Widths) == 0 || slices.Min(o.Widths) < 1 {
		return nil, fmt.Errorf("baseline: SpecInfer: widths %v: they must be positive", o.Widths)
	}
	if o.Draw > spec.WithoutReplacement {
		return nil, fmt.Errorf("baseline: SpecInfer: there is no draw %d", o.Draw)
	}
	return &SpecInfer{widths: slices.Clone(o.Widths), draw: o.Draw}, nil
}

// Grow adds level after level, as far as they fit.
func (s *SpecInfer) Grow(ctx context.Context, _ []int32, tree *spec.Tree, draft *spec.Draft) error {
	if draft == nil {
		return fmt.Errorf("baseline: SpecInfer: %w", spec.ErrNoDraft)
	}
	s.wave = append(s.wave[:0], 0)
	for _, width := range s.widths {
		// All nodes of a wave have the same depth.
		if tree.Full(s.wave[0]) || draft.Full(s.wave[0]) {
			return nil
		}
		before := tree.Len()
		if err := s.level(ctx, tree, draft, width); err != nil {
			return err
		}
		s.wave = s.wave[:0]
		for node := before; node < tree.Len(); node++ {
			s.wave = append(s.wave, node)
		}
		if len(s.wave) == 0 {
			return nil
		}
	}
	return nil
}

// level adds the children of a wave, as far as they fit.
func (s *SpecInfer) level(ctx context.Context, tree *spec.Tree, draft *spec.Draft, width int) error {
	if s.draw != spec.MostProbable {
		return draft.Sample(ctx, s.wave, width, s.draw)
	}
	if err := draft.Expand(ctx, s.wave, width); err != nil {
		return err
	}
	for _, node := range s.wave {
		set, _ := tree.Set(node, spec.FromDraft)
		for i, token := range set.Tokens {
			if tree.Full(node) {
				return nil
			}
			if _, err := tree.Add(node, token, set.Probs[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
