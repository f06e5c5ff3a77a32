package spec

import (
	"slices"

	"github.com/lever-go/lever/spec/sampling"
)

// acceptance decides which token follows a node. What it returns has exactly the target's distribution, filtered as the
// sampler says, whatever the tree.
//
// Where no candidates were drawn, it picks the token as if there were no tree. The tree was there before, so the token is
// distributed as the target's alone; if there is a child of that token, that child is accepted.
//
// Where the children were drawn from the draft's distribution q, the rule is that of recursive rejection. With p the target's
// distribution, for each drawn x in turn:
//
//	accept x with probability min(1, p(x)/q(x)); otherwise
//	p ← max(p − q, 0), normalised; and, if draws are without replacement, q(x) ← 0 and q normalised
//
// and if all were rejected the token is drawn from what p is then. Sources: for draws with replacement, Miao et al., "SpecInfer"
// (2024), multi-step speculative sampling; for draws without, Chen et al., "Sequoia" (2024), and Jeon et al., "Recursive
// Speculative Decoding" (2024).
type acceptance struct {
	q []float32 // by token; all 0 between calls
}

// choose returns the token that follows node, given the target's logits there.
func (a *acceptance) choose(s *sampling.Sampler, tree *Tree, node int, logits []float32) (int32, error) {
	set, found := tree.Set(node, FromDraft)
	if !found || set.Draw == MostProbable {
		return s.Sample(logits)
	}
	p, err := s.Distribution(logits)
	if err != nil {
		return 0, err
	}
	if len(a.q) < len(logits) {
		a.q = make([]float32, len(logits))
	}
	for _, c := range set.from {
		a.q[c.Token] = c.Weight
	}
	token := a.reject(s, p, set)
	for _, c := range set.from {
		a.q[c.Token] = 0
	}
	return token, nil
}

// reject runs the recursive rejection rule. It overwrites p.
func (a *acceptance) reject(s *sampling.Sampler, p []sampling.TokenWeight, set CandidateSet) int32 {
	for _, token := range set.Tokens {
		at := slices.IndexFunc(p, func(c sampling.TokenWeight) bool { return c.Token == token })
		if at >= 0 && s.Uniform()*float64(a.q[token]) < float64(p[at].Weight) {
			return token
		}
		rest := 0.0
		for _, c := range p {
			rest += max(0, float64(c.Weight)-float64(a.q[c.Token]))
		}
		if rest == 0 {
			break // p and q are equal but for rounding, by which alone the token was rejected
		}
		for i, c := range p {
			p[i].Weight = float32(max(0, float64(c.Weight)-float64(a.q[c.Token])) / rest)
		}
		if set.Draw == WithoutReplacement {
			a.remove(token, set.from)
		}
	}
	return s.Draw(p)
}

// remove takes a token out of q.
func (a *acceptance) remove(token int32, from []sampling.TokenWeight) {
	a.q[token] = 0
	rest := 0.0
	for _, c := range from {
		rest += float64(a.q[c.Token])
	}
	if rest == 0 {
		return
	}
	for _, c := range from {
		a.q[c.Token] = float32(float64(a.q[c.Token]) / rest)
	}
}
