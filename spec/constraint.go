package spec

import (
	"math"
	"math/bits"
)

// Constraint restricts the tokens that may follow each other, to those of a grammar for instance. Its states are numbers: 0 is
// the one before the first generated token, and any that Next returned may be asked about again, so that all paths of a tree
// are followed at once. *grammar.Matcher is one.
//
// The target then picks each token from its distribution over the allowed ones, before temperature and the other steps of
// [sampling.Options]: what is generated is what plain decoding with that rule gives. Draft models and look-up propose allowed tokens
// only; and where just one token is allowed, it is taken without a draft, and at the end of the sequence without a pass.
//
// One whose questions can take too much is a [FallibleConstraint] as well.
type Constraint interface {
	// Next returns the state after a token, and a negative number if the token is not allowed.
	Next(state int, token int32) int
	// Allowed returns the tokens that are allowed in a state, at least one: bit t%64 of word t/64 stands for token t, and
	// missing words for none. The slice is valid until the next call.
	Allowed(state int) []uint64
}

// FallibleConstraint is a [Constraint] that can fail in the middle of a text. When it fails for the text that was generated, the generation ends
// with its error, and at the same token whatever was drafted: of drafts another one is asked, which [FallibleConstraint.Fresh] returns. When that
// fails, nothing more is drafted in the pass.
type FallibleConstraint interface {
	Constraint
	// Err returns why what Next and Allowed say does not count any more, from the question on at which they failed; Allowed still returns at least
	// one token then. That must not depend on what others are asked, nor on how often this one is asked the same.
	Err() error
	// Fresh returns a constraint of the same texts at their beginning. It has states, and an error, of its own.
	Fresh() interface {
		Next(state int, token int32) int
		Allowed(state int) []uint64
		Err() error
	}
}

// forbidden is the state after a token that is not allowed.
const forbidden = -1

// constraintErr returns why a constraint has failed, or nil.
func constraintErr(c Constraint) error {
	if f, ok := c.(interface{ Err() error }); ok {
		return f.Err()
	}
	return nil
}

// forced returns the token that is the only one allowed in a state.
func forced(c Constraint, state int) (token int32, ok bool) {
	for i, word := range c.Allowed(state) {
		if word == 0 {
			continue
		}
		if ok || word&(word-1) != 0 {
			return 0, false
		}
		token, ok = int32(64*i+bits.TrailingZeros64(word)), true
	}
	return token, ok
}

// restrict takes away the logits of the tokens that are not allowed in a state.
func restrict(c Constraint, state int, logits []float32) {
	never := float32(math.Inf(-1))
	allowed := c.Allowed(state)
	for i := 0; i < len(logits); i += 64 {
		word := uint64(0)
		if i/64 < len(allowed) {
			word = allowed[i/64]
		}
		part := logits[i:min(i+64, len(logits))]
		if word == math.MaxUint64 {
			continue
		}
		if word == 0 {
			for j := range part {
				part[j] = never
			}
			continue
		}
		for j := range part {
			if word>>j&1 == 0 {
				part[j] = never
			}
		}
	}
}

// guesses is the constraint that drafts follow, of a text that they do not end.
type guesses struct {
	constraint Constraint // nil before the first pass
	state      int        // after the tokens that were followed
	followed   int
}

// at returns the constraint of the drafts after a text, and its state there, given the constraint of the text and that one's state.
func (g *guesses) at(c Constraint, state int, text []int32) (Constraint, int) {
	f, ok := c.(FallibleConstraint)
	if !ok {
		return c, state
	}
	if g.constraint == nil || constraintErr(g.constraint) != nil {
		*g = guesses{constraint: f.Fresh()}
	}
	for ; g.followed < len(text) && g.state >= 0; g.followed++ {
		g.state = g.constraint.Next(g.state, text[g.followed])
	}
	return g.constraint, g.state
}

// constrain makes the tree follow a constraint from the state after its root's token on. The constraint may be nil.
func (t *Tree) constrain(c Constraint, state int) {
	t.constraint = c
	t.states = append(t.states[:0], state)
}

// failed reports whether the constraint of drafts has failed in this pass: then it is not known what may follow.
func (t *Tree) failed() bool { return constraintErr(t.constraint) != nil }

// allows reports whether a token may follow a node, as far as that is known. After one that is not allowed itself, it does not matter.
func (t *Tree) allows(node int, token int32) bool {
	if t.constraint == nil || t.failed() {
		return t.constraint == nil
	}
	return t.states[node] < 0 || t.constraint.Next(t.states[node], token) >= 0
}

// restrict takes away the logits of the tokens that may not follow a node, and reports whether it is known which they are.
func (t *Tree) restrict(node int, logits []float32) bool {
	if t.constraint != nil && t.states[node] >= 0 {
		restrict(t.constraint, t.states[node], logits)
	}
	return !t.failed()
}

// OfferForced offers the token that must follow a node, where the request's [Constraint] allows only one, and reports whether there is one: it
// costs no draft, and the target will take it if it takes the node.
func (t *Tree) OfferForced(node int) (offered bool, err error) {
	token, ok := t.forced(node)
	if !ok {
		return false, nil
	}
	return true, t.Offer(node, FromConstraint, []int32{token}, []float32{1})
}

// forced returns the token that must follow a node, if it is known that there is only one.
func (t *Tree) forced(node int) (token int32, ok bool) {
	if t.constraint == nil || t.states[node] < 0 {
		return 0, false
	}
	token, ok = forced(t.constraint, t.states[node])
	return token, ok && !t.failed()
}

// addForced adds the tokens that must follow the tree's leaves, as far as there is room: they cost no draft. None follows the root, else it would be in
// the sequence.
func (t *Tree) addForced() error {
	if t.constraint == nil {
		return nil
	}
	for node := 1; node < t.Len(); node++ {
		if t.first[node] >= 0 || t.Full(node) {
			continue
		}
		if token, ok := t.forced(node); ok {
			if _, err := t.Add(node, token, 1); err != nil {
				return err
			}
		}
	}
	return nil
}
