package baseline

import (
	"context"
	"fmt"

	"github.com/lever-go/lever/spec"
)

// OPTTreeKind describes [OPTTree].
var OPTTreeKind = spec.PolicyKind{Name: "opttree", Budget: 50, Draft: spec.DraftRequired, New: func(budget int) (spec.Policy, error) {
	return NewOPTTree(OPTTreeOptions{Budget: budget})
}}

// OPTTreeOptions describe an [OPTTree].
type OPTTreeOptions struct {
	Budget int // the most nodes of a tree besides the root, and of each level while drafting
	// MaxDepth is the number of levels. The default is 10.
	MaxDepth int
	// Threshold is how many more accepted tokens must be expected for one more level. The default is 0.5.
	Threshold float64
}

// OPTTree drafts level by level, each as wide as the tree may be large, and takes the nodes whose paths the draft model finds
// most probable: of all trees of that size the one with most expected accepted tokens, were the draft's probabilities right. It
// stops when one more level adds too little to that expectation.
//
// Source: Wang et al., "OPT-Tree: Speculative Decoding with Adaptive Draft Tree Structure" (2024), arXiv 2406.17276.
type OPTTree struct {
	beam      beam
	maxDepth  int
	threshold float64
}

// NewOPTTree returns the policy.
func NewOPTTree(o OPTTreeOptions) (*OPTTree, error) {
	if o.Budget < 1 || o.MaxDepth < 0 || !(o.Threshold >= 0) {
		return nil, fmt.Errorf("baseline: OPT-Tree: budget %d, maximum depth %d, threshold %v", o.Budget, o.MaxDepth, o.Threshold)
	}
	if o.MaxDepth == 0 {
		o.MaxDepth = 10
	}
	if o.Threshold == 0 {
		o.Threshold = 0.5
	}
	return &OPTTree{beam{nodes: o.Budget, width: o.Budget, branch: o.Budget}, o.MaxDepth, o.Threshold}, nil
}

// Grow drafts until a level is not worth it. That level, by which the one before proved its worth, is not used.
func (o *OPTTree) Grow(ctx context.Context, _ []int32, tree *spec.Tree, draft *spec.Draft) error {
	if draft == nil {
		return fmt.Errorf("baseline: OPT-Tree: %w", spec.ErrNoDraft)
	}
	b := &o.beam
	b.start(tree)
	before := 0.0
	for level := 0; ; level++ {
		grown, err := b.expand(ctx, tree, draft)
		if err != nil {
			return err
		}
		if !grown {
			return b.finish(tree, b.len())
		}
		if level == 0 {
			continue
		}
		gain := b.gain(b.newest)
		if gain-before <= o.threshold || level == o.maxDepth {
			return b.finish(tree, b.newest)
		}
		before = gain
	}
}
