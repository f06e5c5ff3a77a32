package spec

import "slices"

// beliefs is how far each source of candidates is believed.
type beliefs [sources]Calibration

// sources is the number of sources of candidates.
const sources = int(FromHistory) + 1

// estimate returns â of a candidate; 0 for one that the draft model has too, whose set it is then weighed in.
func (b *beliefs) estimate(t *Tree, set *CandidateSet, rank int) float64 {
	class, prob := min(rank, 1), set.Probs[rank]
	if set.Source == FromDraft {
		class, prob = draftCandidate(t, set, rank)
	} else if drafted, found := t.Set(set.Node, FromDraft); found {
		if slices.Contains(drafted.Tokens, set.Tokens[rank]) {
			return 0
		}
		class = classRefuted
	}
	return b[set.Source].At(prob, class, int(t.depths[set.Node])+1)
}

// Classes of candidates in the calibration of their source. Looked-up candidates are of class 0, the first of their set, or 1
// as long as no draft is asked, and refuted where one does not have them among its own. The draft's are of classes 0 to 3 by
// rank, and of those from 4 on where look-up confirms them.
const (
	classRefuted   = 2
	classConfirmed = 4
)

// draftCandidate returns the class of a candidate of the draft model, and its probability. Where look-up confirms it, that is the
// probability that at least one of the two is right, as if they erred independently of each other.
func draftCandidate(t *Tree, set *CandidateSet, rank int) (class int, prob float32) {
	class, prob = [...]int{0, 1, 2, 2, 3}[min(rank, 4)], set.Probs[rank]
	for i := t.firstSet[set.Node]; i >= 0; i = t.nextSet[i] {
		// A look-up that is not sure of its first candidate confirms nothing.
		if s := &t.sets[i]; s.Source != FromDraft && s.Probs[0] >= 0.5 && s.Tokens[0] == set.Tokens[rank] {
			return class + classConfirmed, 1 - (1-prob)*(1-s.Probs[0])
		}
	}
	return class, prob
}

// learn counts the candidates after the accepted nodes of a pass.
func (b *beliefs) learn(o *Observation) {
	for i, node := range o.Path {
		token, depth := o.Token(i), int(o.Tree.depths[node])+1
		drafted, asked := o.Tree.Set(node, FromDraft)
		for s := o.Tree.firstSet[node]; s >= 0; s = o.Tree.nextSet[s] {
			set := &o.Tree.sets[s]
			c := &b[set.Source]
			for rank, candidate := range set.Tokens {
				prob, hit := set.Probs[rank], candidate == token
				if set.Source == FromDraft {
					class, prob := draftCandidate(o.Tree, set, rank)
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
	for i := range b {
		b[i].Fade()
	}
}
