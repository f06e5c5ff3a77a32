package grammar

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"sync"
)

// Grammar is a set of texts, over the tokens of a [Vocabulary]. It is safe for concurrent use, and learns while it is used.
type Grammar struct {
	vocabulary *Vocabulary
	automaton  *automaton
	start      int32
	classes    map[int32]*classes // by set of the automaton

	mu      sync.Mutex // guards what follows
	learned *learned
}

// learned is what a grammar keeps of what it was asked.
type learned struct {
	inside  *machine
	known   map[frame]*continuations // with nothing below
	covered map[[2]int32]bool        // what covers answers
	bytes   int                      // of memory, about, without inside
	spots   []spot                   // scratch
}

// mostLearned bounds the bytes of what a grammar keeps: beyond it, the grammar forgets all.
const mostLearned = 32 << 20

func (g *Grammar) forget() {
	g.learned = &learned{inside: newMachine(g.automaton, nil), known: map[frame]*continuations{}, covered: map[[2]int32]bool{}}
}

// Size returns the bytes of memory that the grammar takes, about. While the grammar is used, they become at most 32 MiB more, and a few for what
// a single mask takes.
func (g *Grammar) Size() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.automaton.size() + len(g.classes)*g.vocabulary.plain.size() + g.learned.bytes + g.learned.inside.bytes
}

// continuations are the tokens that can follow at a node, as far as that does not depend on where its rule goes back to.
type continuations struct {
	class  []uint64 // tokens of a class, all of which stay within the rule; nil if there is none
	tokens []int32  // others that end within the rule, or where it ends; nil if they are many
	bits   []uint64 // the same
	beyond []int32  // branches at which the rule may have ended, and below which there are longer tokens
	steps  int      // that it took to find them
}

// manyTokens is the number from which on tokens are better kept as bits.
const manyTokens = 256

// at returns the continuations at a node. To find them takes a walk over all tokens that begin as the grammar wants it there: for a string most,
// if there were not those of a class, which are known beforehand. It is done once for a node, but counts each time, as for a grammar that is new: what a
// text may be must not depend on others. It returns nil if w has done much already: then one walk for all nodes that are left is better.
func (g *Grammar) at(f frame, w *work) *continuations {
	f.below = 0
	if w.steps > len(g.vocabulary.trie)/8 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if c, ok := g.learned.known[f]; ok {
		w.do(c.steps)
		return c
	}
	if g.learned.bytes+g.learned.inside.bytes > mostLearned {
		g.forget()
	}
	l := g.learned
	l.inside.reset(w)
	c := &continuations{steps: -w.steps}
	v := g.vocabulary
	var known []settled
	if class, run := g.class(f, 0, w); class != nil {
		c.class = class.tokens[run]
		known = []settled{{class, extent(run), g.taken(f.node, class)}}
	}
	blank := func(at spot) []settled {
		known := g.known(l.inside, at, v.blank)
		for _, k := range known {
			c.add(v, k.class.tokens[k.run])
		}
		return known
	}
	// Only this node counts, not what is reached from it without a byte, which has continuations of its own.
	from := l.inside.spotOf(l.inside.alone(f))
	var tokens []int32
	take := func(more ...int32) {
		if c.bits == nil && len(tokens)+len(more) < manyTokens {
			tokens = append(tokens, more...)
			return
		}
		if c.bits == nil {
			c.add(v, nil)
		}
		for _, token := range more {
			c.bits[token/64] |= 1 << (token % 64)
		}
	}
	open := func(state, branch int32) bool {
		s := l.inside.states.at(state)
		if !s.asked {
			g.ask(l.inside, s)
		}
		if !s.open(branch) {
			return false
		}
		take(v.below(branch)...)
		return true
	}
	l.spots = v.walk(l.inside, 0, from, known, blank, open, l.spots, func(at int32, done bool) bool {
		b := &v.trie[at]
		if b.token >= 0 {
			take(b.token)
		}
		if done && v.after[at] > at+1 {
			c.beyond = append(c.beyond, at)
		}
		return true
	})
	if c.bits != nil {
		take(tokens...)
	} else {
		c.tokens = tokens
	}
	c.steps += w.steps
	if w.do(0) {
		l.known[f] = c
		l.bytes += 200 + 8*len(c.bits) + 4*len(c.tokens) + 4*len(c.beyond)
	}
	return c
}

// add adds to the bits.
func (c *continuations) add(v *Vocabulary, tokens []uint64) {
	if c.bits == nil {
		c.bits = make([]uint64, (v.size+63)/64)
	}
	unite(c.bits, tokens)
}

// Matcher follows a text of a [Grammar], token by token, from any state that it has seen: states are numbers that stay valid,
// so that the paths of a tree can be followed at once. State 0 is the beginning. It is not safe for concurrent use; its memory
// grows with the number of different states, about a kilobyte each.
//
// What one call does is bounded. When it takes too much, or the context is done, [Matcher.Err] says so, and only tokens that end a text are
// allowed from then on. What is too much depends on what this matcher was asked before, and on nothing else.
//
// Where a grammar leaves no choice as to how the text goes on, the same text could still be cut into tokens in many ways. Then
// the longest token is the only one that is allowed: a token is forced.
type Matcher struct {
	grammar *Grammar
	machine *machine
	work    *work
	states  []place
	ids     map[int32]int

	masks  map[int][]uint64
	free   [][]uint64 // masks that are no longer kept
	end    []uint64   // the mask of the tokens that end a text
	only   []uint64   // the mask of the last forced token; nil before the first
	last   int32      // that token
	walked []spot
}

// place is a state of the matcher.
type place struct {
	state  int32 // of the machine; 0 after a token that ended the text
	forced int32 // token, or one of the below
}

const (
	choice    = -1 // more than one token is allowed
	undecided = -2
)

// Matcher returns a matcher at the beginning, for one text: when ctx is done, it ends.
func (g *Grammar) Matcher(ctx context.Context) *Matcher {
	return g.matcher(newMatch(ctx, g.vocabulary.lateSteps()))
}

func (g *Grammar) matcher(w *work) *Matcher {
	m := &Matcher{grammar: g, machine: newMachine(g.automaton, w), work: w, ids: map[int32]int{}, masks: map[int][]uint64{}}
	m.end = m.mask()
	for _, token := range g.vocabulary.end {
		m.end[token/64] |= 1 << (token % 64)
	}
	m.place(m.machine.start(g.start))
	return m
}

// Fresh returns another matcher of the grammar, at the beginning and with the same context: see spec.FallibleConstraint.
func (m *Matcher) Fresh() interface {
	Next(state int, token int32) int
	Allowed(state int) []uint64
	Err() error
} {
	return m.grammar.matcher(newMatch(m.work.ctx, m.work.limit))
}

// triedTokens are those of the text with which a grammar is tried.
const triedTokens = 4

// try follows a text of some tokens, and fails if that takes too much work: where it shows at once, it is better said before there is a text.
func (g *Grammar) try(w *work) error {
	m := g.matcher(newMatch(w.ctx, g.vocabulary.matchSteps()))
	for state, n := 0, 0; n < triedTokens && state >= 0; n++ {
		mask := m.Allowed(state)
		if m.Err() != nil || !w.do(m.work.steps) {
			return cmp.Or(m.Err(), w.err)
		}
		token := -1
		for i, word := range mask { // the last one is seldom one of the few of which all texts begin
			if word != 0 {
				token = 64*i + bits.Len64(word) - 1
			}
		}
		state = m.Next(state, int32(token))
		if m.Err() != nil || !w.do(m.work.steps) {
			return cmp.Or(m.Err(), w.err)
		}
	}
	return nil
}

// mask returns an empty mask.
func (m *Matcher) mask() []uint64 {
	if n := len(m.free); n > 0 {
		mask := m.free[n-1]
		m.free = m.free[:n-1]
		clear(mask)
		return mask
	}
	return make([]uint64, (m.grammar.vocabulary.size+63)/64)
}

// place returns the number of a state.
func (m *Matcher) place(state int32) int {
	id, ok := m.ids[state]
	if !ok {
		id = len(m.states)
		m.states = append(m.states, place{state, undecided})
		m.ids[state] = id
	}
	return id
}

// Err returns why the matcher ended before the text did: an error that wraps [ErrTooLarge], or the context's. It returns nil if it did not.
func (m *Matcher) Err() error { return m.work.err }

// mostMatched bounds the bytes of the states of a matcher.
const mostMatched = 256 << 20

// failed begins a call, and reports whether the matcher has ended.
func (m *Matcher) failed() bool {
	m.work.begin()
	if m.work.do(1) && m.machine.bytes > mostMatched {
		m.work.err = fmt.Errorf("grammar: %w: the states of the text take more than %d MiB", ErrTooLarge, mostMatched>>20)
	}
	return m.work.err != nil
}

// Next returns the state after a token, and a negative number if the token is not allowed.
func (m *Matcher) Next(state int, token int32) int {
	v := m.grammar.vocabulary
	if m.failed() || token < 0 || int(token) >= v.size {
		return dead
	}
	at := m.states[state].state
	if slices.Contains(v.end, token) {
		if at != 0 && !m.machine.states.at(at).done {
			return dead
		}
		return m.place(0)
	}
	if at == 0 || v.text[token] == "" {
		return dead
	}
	if forced := m.forced(state); forced >= 0 && forced != token {
		return dead
	}
	for i := range len(v.text[token]) {
		if at = m.machine.step(at, v.text[token][i]); at == dead {
			return dead
		}
	}
	return m.place(at)
}

// Follow returns the state after a text, into whichever tokens it is cut, and a negative number if it is not allowed.
func (m *Matcher) Follow(state int, text string) int {
	if m.failed() {
		return dead
	}
	at := m.states[state].state
	if at == 0 {
		return dead
	}
	for i := range len(text) {
		if at = m.machine.step(at, text[i]); at == dead {
			return dead
		}
	}
	return m.place(at)
}

// forced returns the only token that is allowed in a state, or choice.
func (m *Matcher) forced(state int) int32 {
	p := m.states[state]
	if p.forced == undecided {
		p.forced = m.force(p.state)
		if m.work.err != nil {
			return choice
		}
		m.states[state] = p
	}
	return p.forced
}

func (m *Matcher) force(at int32) int32 {
	v := m.grammar.vocabulary
	longest, branch := int32(choice), int32(0)
	if at == 0 {
		return choice
	}
	for {
		b, ok := m.machine.only(at)
		if !ok {
			break
		}
		if branch = v.child(branch, b); branch < 0 {
			return longest
		}
		if token := v.trie[branch].token; token >= 0 {
			longest = token
		}
		if at = m.machine.step(at, b); at == dead { // too much work
			return choice
		}
	}
	if branch == 0 {
		return choice
	}
	// From here on there is a choice. If a token goes on beyond this point, it is one already now.
	m.walked = v.walk(m.machine, branch, m.machine.spotOf(at), nil, nil, nil, m.walked, func(at int32, _ bool) bool {
		if v.trie[at].token >= 0 {
			longest = choice
		}
		return longest >= 0
	})
	return longest
}

// keptMasks bounds the memory for masks.
const keptMasks = 64

// Allowed returns the tokens that are allowed in a state, at least one: bit t%64 of word t/64 stands for token t. The slice is
// valid until the next call, and must not be changed.
func (m *Matcher) Allowed(state int) []uint64 {
	if m.failed() {
		return m.end
	}
	if mask, ok := m.masks[state]; ok {
		return mask
	}
	at := m.states[state].state
	if at == 0 {
		return m.end
	}
	if forced := m.forced(state); forced >= 0 {
		return m.alone(forced)
	}
	if len(m.masks) == keptMasks {
		for _, mask := range m.masks {
			m.free = append(m.free, mask)
		}
		clear(m.masks)
	}
	mask := m.allowed(at)
	if m.work.err != nil {
		return m.end
	}
	m.masks[state] = mask
	return mask
}

// alone returns the mask of one token.
func (m *Matcher) alone(token int32) []uint64 {
	if m.only == nil {
		m.only = m.mask()
	}
	m.only[m.last/64] = 0
	m.only[token/64] = 1 << (token % 64)
	m.last = token
	return m.only
}

// allowed puts together the mask of a state of the machine.
func (m *Matcher) allowed(at int32) []uint64 {
	mask := m.mask()
	if m.machine.states.at(at).done {
		copy(mask, m.end)
	}
	v := m.grammar.vocabulary
	add := func(at int32, _ bool) bool {
		if token := v.trie[at].token; token >= 0 {
			mask[token/64] |= 1 << (token % 64)
		}
		return true
	}
	open := func(state, branch int32) bool {
		s := m.machine.states.at(state)
		if !s.asked {
			m.grammar.mu.Lock()
			m.grammar.ask(m.machine, s)
			m.grammar.mu.Unlock()
		}
		if !s.open(branch) {
			return false
		}
		for _, token := range v.below(branch) {
			mask[token/64] |= 1 << (token % 64)
		}
		return true
	}
	// over walks over the tokens below a branch.
	over := func(branch int32, from spot) {
		blank := func(at spot) []settled { return m.known(mask, at, v.blank) }
		m.walked = v.walk(m.machine, branch, from, m.known(mask, from, branch), blank, open, m.walked, add)
	}
	tops := m.machine.states.at(at).tops
	for i, top := range tops {
		m.work.do(len(mask) / 16)
		f := m.machine.stacks.at(top).frame
		c := m.grammar.at(f, m.work)
		if c == nil {
			over(0, m.machine.spotOf(m.machine.state(slices.Clone(tops[i:]), false)))
			break
		}
		unite(mask, c.class)
		unite(mask, c.bits)
		for _, token := range c.tokens {
			mask[token/64] |= 1 << (token % 64)
		}
		if f.below == 0 || len(c.beyond) == 0 {
			continue
		}
		back := m.machine.resume(f.below)
		if back == dead {
			continue
		}
		for _, branch := range c.beyond {
			over(branch, m.machine.spotOf(back))
		}
	}
	return mask
}

// known adds the tokens below a branch that are known at a spot to a mask, and returns them.
func (m *Matcher) known(mask []uint64, at spot, branch int32) []settled {
	if branch != 0 && branch != m.grammar.vocabulary.blank {
		return nil
	}
	m.grammar.mu.Lock()
	defer m.grammar.mu.Unlock()
	known := m.grammar.known(m.machine, at, branch)
	for _, k := range known {
		unite(mask, k.class.tokens[k.run])
	}
	return known
}

// unite adds what is in another mask.
func unite(mask, other []uint64) {
	for i, word := range other {
		mask[i] |= word
	}
}
