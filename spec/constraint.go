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
// A constraint may have a method Err() error as well. Once that returns an error, the generation ends with it, and what Next and Allowed
// return is not used; but Allowed still returns at least one token.
type Constraint interface {
	// Next returns the state after a token, and a negative number if the token is not allowed.
	Next(state int, token int32) int
	// Allowed returns the tokens that are allowed in a state, at least one: bit t%64 of word t/64 stands for token t, and
	// missing words for none. The slice is valid until the next call.
	Allowed(state int) []uint64
}

// failing is a [Constraint] that can fail in the middle of a text.
type failing interface {
	// Err returns why what Next and Allowed have said does not count any more.
	Err() error
}

// forbidden is the state after a token that is not allowed.
const forbidden = -1

// constraintErr returns why a constraint has failed, or nil.
func constraintErr(c Constraint) error {
	if f, ok := c.(failing); ok {
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

// constrain makes the tree follow a constraint from the state after its root's token on. The constraint may be nil.
func (t *Tree) constrain(c Constraint, state int) {
	t.constraint = c
	t.states = append(t.states[:0], state)
}

// allows reports whether a token may follow a node. After one that is not allowed itself, it does not matter.
func (t *Tree) allows(node int, token int32) bool {
	return t.constraint == nil || t.states[node] < 0 || t.constraint.Next(t.states[node], token) >= 0
}

// restrict takes away the logits of the tokens that may not follow a node.
func (t *Tree) restrict(node int, logits []float32) {
	if t.constraint != nil && t.states[node] >= 0 {
		restrict(t.constraint, t.states[node], logits)
	}
}

// OfferForced offers the token that must follow a node, where the request's [Constraint] allows only one, and reports whether there is one: it
// costs no draft, and the target will take it if it takes the node. When the constraint has failed, OfferForced returns its error.
func (t *Tree) OfferForced(node int) (offered bool, err error) {
	token, ok := t.forced(node)
	if err := constraintErr(t.constraint); err != nil || !ok {
		return false, err
	}
	return true, t.Offer(node, FromConstraint, []int32{token}, []float32{1})
}

// forced returns the token that must follow a node, if there is only one.
func (t *Tree) forced(node int) (token int32, ok bool) {
	if t.constraint == nil || t.states[node] < 0 {
		return 0, false
	}
	return forced(t.constraint, t.states[node])
}

// addForced adds the tokens that must follow the tree's leaves, as far as there is room: they cost no draft.
func (t *Tree) addForced() error {
	if t.constraint == nil {
		return nil
	}
	for node := 0; node < t.Len(); node++ {
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
