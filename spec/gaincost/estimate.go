package gaincost

import (
	"slices"

	"github.com/lever-go/lever/spec"
)

// Estimator estimates how likely candidates are to be the target's token, from what it took of those that their sources proposed before. The
// zero value believes the sources. It does not allocate, and is not safe for concurrent use.
type Estimator [sources]Calibration

// sources is the number of sources of candidates that may be wrong.
const sources = int(spec.FromMasks) + 1

// Estimate returns â of a candidate of a tree, given the nodes before it; 0 for one that the draft model has too, whose set it is then weighed
// in, and for all that mask tokens predict after a node that the draft model was asked about itself. A token that must follow is certain.
func (e *Estimator) Estimate(t *spec.Tree, set *spec.CandidateSet, rank int) float64 {
	class, prob := min(rank, 1), set.Probs[rank]
	if _, forced := t.Set(set.Node, spec.FromConstraint); forced {
		if set.Source == spec.FromConstraint {
			return 1
		}
		return 0
	}
	switch set.Source {
	case spec.FromDraft:
		class, prob = draftCandidate(t, set, rank)
	case spec.FromMasks:
		if _, asked := t.Set(set.Node, spec.FromDraft); asked {
			return 0
		}
		class, prob = maskCandidate(t, set, rank)
	default:
		if drafted, asked := t.Set(set.Node, spec.FromDraft); asked {
			if slices.Contains(drafted.Tokens, set.Tokens[rank]) {
				return 0
			}
			class = classRefuted
		} else if masked, found := t.Set(set.Node, spec.FromMasks); found && slices.Contains(masked.Tokens, set.Tokens[rank]) {
			return 0
		}
	}
	return e[set.Source].At(prob, class, int(t.Depths()[set.Node])+1)
}

// Classes of candidates in the calibration of their source. Looked-up candidates are of class 0, the first of their set, or 1
// as long as no draft is asked, and refuted where one does not have them among its own. The draft's are of classes 0 to 3 by
// rank, and of those from 4 on where look-up confirms them. Those of masks are of classes 0 to 3 by the number of unknown tokens before
// them, and likewise from 4 on: a mask says what is likely there whatever comes between, and the farther it is, the less that holds of the
// tokens that do.
const (
	classRefuted   = 2
	classConfirmed = 4
)

// draftCandidate returns the class of a candidate of the draft model, and its probability. Where look-up confirms it, that is the
// probability that at least one of the two is right, as if they erred independently of each other.
func draftCandidate(t *spec.Tree, set *spec.CandidateSet, rank int) (class int, prob float32) {
	class, prob = [...]int{0, 1, 2, 2, 3}[min(rank, 4)], set.Probs[rank]
	for s := range t.SetsOf(set.Node) {
		// A look-up that is not sure of its first candidate confirms nothing.
		if s.Source != spec.FromDraft && s.Source != spec.FromMasks && s.Probs[0] >= 0.5 && s.Tokens[0] == set.Tokens[rank] {
			return class + classConfirmed, 1 - (1-prob)*(1-s.Probs[0])
		}
	}
	return class, prob
}

// maskCandidate returns the same of a candidate of a mask, which knows less than look-up often does: any that has it too counts.
func maskCandidate(t *spec.Tree, set *spec.CandidateSet, rank int) (class int, prob float32) {
	class, prob = min(set.Ahead, 4)-1, set.Probs[rank]
	for s := range t.SetsOf(set.Node) {
		if s.Source == spec.FromDraft || s.Source == spec.FromMasks {
			continue
		}
		if at := slices.Index(s.Tokens, set.Tokens[rank]); at >= 0 {
			return class + classConfirmed, 1 - (1-prob)*(1-s.Probs[at])
		}
	}
	return class, prob
}

// Learn counts the candidates after the accepted nodes of a pass.
func (e *Estimator) Learn(o *spec.Observation) {
	for i, node := range o.Path {
		if _, forced := o.Tree.Set(node, spec.FromConstraint); forced {
			continue
		}
		token, depth := o.Token(i), int(o.Tree.Depths()[node])+1
		drafted, asked := o.Tree.Set(node, spec.FromDraft)
		for set := range o.Tree.SetsOf(node) {
			c := &e[set.Source]
			for rank, candidate := range set.Tokens {
				prob, hit := set.Probs[rank], candidate == token
				if set.Source == spec.FromDraft || set.Source == spec.FromMasks {
					of := draftCandidate
					if set.Source == spec.FromMasks {
						of = maskCandidate
					}
					class, prob := of(o.Tree, set, rank)
					c.Count(prob, class, depth, hit)
					continue
				}
				c.Count(prob, min(rank, 1), depth, hit)
				if asked && !slices.Contains(drafted.Tokens, candidate) {
					c.Count(prob, classRefuted, depth, hit)
				}
			}
		}
	}
	for i := range e {
		e[i].Fade()
	}
}
