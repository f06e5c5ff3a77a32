package spec

import "context"

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

// Observer is a policy that learns from what verification shows.
type Observer interface {
	// Observe is called after each pass. It keeps none of o's slices, nor the tree.
	Observe(o Observation)
}

// Observation is what one pass showed. After each node of Path the target's token is known: that of the next node in Path, and
// Next after the last. In the candidate sets of these nodes it is a hit, also as a shadow candidate, or it is missing.
type Observation struct {
	Tree *Tree
	Path []int // accepted nodes, from the root down
	Next int32 // the target's token after the last of them

	DraftSeconds  float64 // growing the tree and keeping the draft model in step
	VerifySeconds float64 // running the target, choosing tokens, and keeping the accepted rows
	IO            IOStats // reads of the target's weights meanwhile; zero if nothing counts them
}

// Forecaster is a policy that can tell what it expects of a pass.
type Forecaster interface {
	// Predicted returns, for the tree of the latest Grow, the expected number of tokens that the pass will add and of seconds
	// that it will take, growing the tree included. Seconds are 0 as long as they can't be told.
	Predicted() (accepted, seconds float64)
}
