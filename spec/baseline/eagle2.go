package baseline

import (
	"context"
	"fmt"

	"github.com/lever-go/lever/spec"
)

// EAGLE2Kind describes [EAGLE2].
var EAGLE2Kind = spec.PolicyKind{Name: "eagle2", Budget: 59, Draft: spec.DraftRequired, New: func(budget int) (spec.Policy, error) {
	return NewEAGLE2(EAGLE2Options{Budget: budget})
}}

// EAGLE2Options describe an [EAGLE2].
type EAGLE2Options struct {
	Budget int // the most nodes of a tree besides the root
	// TopK is the number of nodes expanded on each level and of candidates of each. The default is 10, but at most Nodes.
	TopK int
	// Depth is the number of levels expanded below the root. The default is 7, but less than Nodes.
	Depth int
}

// EAGLE2 drafts a fixed number of levels, expanding the most probable few nodes of each, and then takes the most probable of
// all candidates seen: expand, then rerank.
//
// Source: Li et al., "EAGLE-2: Faster Inference of Language Models with Dynamic Draft Trees" (2024), arXiv 2406.16858. Only its
// way of building trees is here; the draft model is an ordinary one.
type EAGLE2 struct {
	beam  beam
	depth int
}

// NewEAGLE2 returns the policy.
func NewEAGLE2(o EAGLE2Options) (*EAGLE2, error) {
	if o.Budget < 1 || o.TopK < 0 || o.Depth < 0 {
		return nil, fmt.Errorf("baseline: EAGLE-2: budget %d, top %d, depth %d", o.Budget, o.TopK, o.Depth)
	}
	if o.TopK == 0 {
		o.TopK = min(10, o.Budget)
	}
	if o.Depth == 0 {
		o.Depth = min(7, o.Budget-1)
	}
	return &EAGLE2{beam{nodes: o.Budget, width: o.TopK, branch: o.TopK}, o.Depth}, nil
}

// Grow drafts all levels.
func (e *EAGLE2) Grow(ctx context.Context, _ []int32, tree *spec.Tree, draft *spec.Draft) error {
	if draft == nil {
		return fmt.Errorf("baseline: EAGLE-2: %w", spec.ErrNoDraft)
	}
	e.beam.start(tree)
	for range e.depth + 1 {
		grown, err := e.beam.expand(ctx, tree, draft)
		if err != nil {
			return err
		}
		if !grown {
			break
		}
	}
	return e.beam.finish(tree, e.beam.len())
}
