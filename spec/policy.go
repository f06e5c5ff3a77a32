package spec

import (
	"context"
	"errors"
)

// ErrNoDraft is returned by policies that need a draft model where there is none.
var ErrNoDraft = errors.New("policy needs a draft model")

// ErrNotParallel is returned by policies that need a draft model of more reach: see [Parallel].
var ErrNotParallel = errors.New("the draft model names no mask token, and so predicts one token at a time")

// Policy decides which tokens a pass of the target verifies. Whatever it proposes, the output is the target's own: a policy
// changes only how many passes that takes, as long as its choice depends on the sequence, on earlier ones and on time, and not on
// chance. Candidates drawn from the draft's distribution come from [Draft.Sample] alone, which verification takes into account.
// A policy serves one generation at a time; see [ErrInUse].
type Policy interface {
	// Grow adds nodes to tree, which holds its root alone: the last token of sequence. draft is nil when there is no draft
	// model. Grow keeps none of its arguments.
	Grow(ctx context.Context, sequence []int32, tree *Tree, draft *Draft) error
}

// PolicyKind is what programs need to know of a policy in order to offer it by name.
type PolicyKind struct {
	Name   string
	Budget int // that suits it where nothing else is asked for: the most nodes of a tree besides the root; 0 if it grows none
	Draft  DraftUse
	// New returns a policy of this kind, set up as its source recommends, whose trees have at most budget nodes besides the root. The budget is
	// at least 1.
	New func(budget int) (Policy, error)
}

// DraftUse says whether a policy asks a draft model.
type DraftUse uint8

const (
	DraftRequired DraftUse = iota // Grow returns an error that wraps [ErrNoDraft] where there is none
	DraftParallel                 // the same, and one that wraps [ErrNotParallel] where the draft predicts one token at a time
	DraftOptional
	DraftUnused
)

// Required reports whether a policy can do nothing without a draft model.
func (u DraftUse) Required() bool { return u == DraftRequired || u == DraftParallel }

// NoneKind describes [None].
var NoneKind = PolicyKind{Name: "none", Draft: DraftUnused, New: func(int) (Policy, error) { return None{}, nil }}

// None proposes nothing: plain decoding, one token per pass.
type None struct{}

// Grow leaves the tree as it is.
func (None) Grow(context.Context, []int32, *Tree, *Draft) error { return nil }

// Observer is a policy that learns from what verification shows.
type Observer interface {
	// Observe is called after each pass. It keeps none of o's slices, nor the tree.
	Observe(o Observation)
}

// Starter is a policy that learns from prefill, before it grows the first tree of a generation.
type Starter interface {
	Start(Prefill)
}

// Prefill is what the models took to take in a prompt: what they still held of it is not counted.
type Prefill struct {
	Target, Draft Forwards // of the draft zero if there is none
	IO            IOStats  // reads of the target's weights meanwhile; zero if nothing counts them
}

// Forwards are some forwards of a model, all of whose rows count, those of other texts too.
type Forwards struct {
	Batches, Rows int
	Seconds       float64
}

// Shared counts the forwards of a model that had rows of one text: how many they were, and all of their rows and texts.
type Shared struct{ Forwards, Rows, Texts int }

// since returns what was counted after start.
func (s Shared) since(start Shared) Shared {
	return Shared{s.Forwards - start.Forwards, s.Rows - start.Rows, s.Texts - start.Texts}
}

// Observation is what one pass showed. After each node of Path the target's token is known: that of the next node in Path, and
// Next after the last. In the candidate sets of these nodes it is a hit, also as a shadow candidate, or it is missing.
type Observation struct {
	Tree *Tree
	Path []int // accepted nodes, from the root down
	Next int32 // the target's token after the last of them
	Cuts []Cut // what was pruned on the way through the target, in order; none where nothing was to be
	Lead int   // tokens before the root that went through the target in the same pass, as a [Constraint] forced them

	// Cold says, by node and by quarter of the target's layers, how many experts had to be read for it that no row before it had chosen; nil if
	// nothing counts them.
	Cold [][4]int

	Target, Draft Shared // the pass and its draft forwards; zero if nothing counts what texts share

	DraftSeconds  float64 // growing the tree and keeping the draft model in step
	VerifySeconds float64 // running the target, choosing tokens, and keeping the accepted rows
	IO            IOStats // reads of the target's weights meanwhile; zero if nothing counts them
}

// Token returns the target's token after the i-th node of Path.
func (o *Observation) Token(i int) int32 {
	if i+1 < len(o.Path) {
		return o.Tree.tokens[o.Path[i+1]]
	}
	return o.Next
}

// Forecaster is a policy that can tell what it expects of a pass.
type Forecaster interface {
	// Forecast returns, for the tree of the latest Grow, the expected number of tokens that the pass will add and of seconds
	// that it will take, growing the tree included. Seconds are 0 as long as they can't be told.
	Forecast() (accepted, seconds float64)
}
