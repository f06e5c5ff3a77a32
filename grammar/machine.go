package grammar

import (
	"encoding/binary"
	"slices"
)

// machine runs an automaton over bytes. A state is the set of all places where the text so far may have led to; place and the
// way back from there are a stack, of which each is kept once and never changes. So is each state: to fork or to go back costs
// nothing, and what follows a state is computed once.
//
// It starts at the node of its choice, with nothing below it on the stack: a state is done if the rule of that node may have
// ended.
type machine struct {
	automaton *automaton
	stacks    []frame // 0 is the empty stack
	stackIDs  map[frame]int32
	states    []state // 0 is none
	stateIDs  map[string]int32

	work, tops []int32 // scratch
	key        []byte
}

// frame is the top of a stack: a node of a rule, and the stack on which the rule goes back when it ends. Between the bytes of a character
// that the node takes, within is the row of its set's table, otherwise 0.
type frame struct {
	node, below int32
	within      int16
}

type state struct {
	tops []int32 // stacks whose node has edges
	done bool
	next *[256]int32 // 0 = not computed, else state, or dead
}

const dead = -1

func newMachine(a *automaton) *machine {
	return &machine{automaton: a, stacks: make([]frame, 1), stackIDs: map[frame]int32{}, states: make([]state, 1), stateIDs: map[string]int32{}}
}

// start returns the state at a node, with nothing below it.
func (m *machine) start(node int32) int32 {
	return m.close(append(m.work[:0], m.push(frame{node: node})))
}

func (m *machine) push(f frame) int32 {
	id, ok := m.stackIDs[f]
	if !ok {
		id = int32(len(m.stacks))
		m.stacks = append(m.stacks, f)
		m.stackIDs[f] = id
	}
	return id
}

// close returns the state of some stacks, and all that are reached from them without a byte; dead if there are none.
func (m *machine) close(stacks []int32) int32 {
	tops, done := m.tops[:0], false
	for i := 0; i < len(stacks); i++ {
		s := stacks[i]
		if s == 0 {
			done = true
			continue
		}
		f := m.stacks[s]
		n := &m.automaton.nodes[f.node]
		if len(n.edges) > 0 || n.spelled {
			tops = append(tops, s)
		}
		if f.within != 0 {
			continue
		}
		reach := func(s int32) {
			if !slices.Contains(stacks, s) {
				stacks = append(stacks, s)
			}
		}
		for _, to := range n.empty {
			reach(m.push(frame{node: to, below: f.below}))
		}
		for _, c := range n.calls {
			reach(m.push(frame{node: c.rule, below: m.push(frame{node: c.to, below: f.below})}))
		}
		if n.final {
			reach(f.below)
		}
	}
	m.work, m.tops = stacks, tops
	return m.state(tops, done)
}

// state returns the state of some tops, which it sorts.
func (m *machine) state(tops []int32, done bool) int32 {
	if len(tops) == 0 && !done {
		return dead
	}
	slices.Sort(tops)
	m.key = m.key[:0]
	for _, s := range tops {
		m.key = binary.LittleEndian.AppendUint32(m.key, uint32(s))
	}
	if done {
		m.key = append(m.key, 1)
	}
	id, ok := m.stateIDs[string(m.key)]
	if !ok {
		id = int32(len(m.states))
		m.states = append(m.states, state{tops: slices.Clone(tops), done: done})
		m.stateIDs[string(m.key)] = id
	}
	return id
}

// step returns the state after a byte, or dead.
func (m *machine) step(from int32, b byte) int32 {
	next := m.states[from].next
	if next == nil {
		next = new([256]int32)
		m.states[from].next = next
	}
	if next[b] == 0 {
		next[b] = m.follow(from, b)
	}
	return next[b]
}

func (m *machine) follow(from int32, b byte) int32 {
	stacks := m.work[:0]
	reach := func(f frame) {
		if to := m.push(f); !slices.Contains(stacks, to) {
			stacks = append(stacks, to)
		}
	}
	for _, s := range m.states[from].tops {
		f := m.stacks[s]
		n := &m.automaton.nodes[f.node]
		for _, e := range n.edges {
			if e.lo <= b && b <= e.hi {
				reach(frame{node: e.to, below: f.below})
			}
		}
		if n.spelled {
			switch to := m.automaton.tables[n.set][f.within][b]; to {
			case dead:
			case 0:
				reach(frame{node: n.after, below: f.below})
			default:
				reach(frame{f.node, f.below, to})
			}
		}
	}
	return m.close(stacks)
}

// only returns the byte with which the text goes on from a state, if it can't be another one, nor be over.
func (m *machine) only(from int32) (b byte, ok bool) {
	s := &m.states[from]
	if s.done {
		return 0, false
	}
	for _, top := range s.tops {
		f := m.stacks[top]
		n := &m.automaton.nodes[f.node]
		for _, e := range n.edges {
			if e.lo != e.hi || ok && e.lo != b {
				return 0, false
			}
			b, ok = e.lo, true
		}
		if n.spelled {
			for c, to := range m.automaton.tables[n.set][f.within] {
				if to == dead {
					continue
				}
				if ok && byte(c) != b {
					return 0, false
				}
				b, ok = byte(c), true
			}
		}
	}
	return b, ok
}

// alone returns the state of a frame without what is reached from it without a byte.
func (m *machine) alone(f frame) int32 {
	m.tops = append(m.tops[:0], m.push(f))
	return m.state(m.tops, false)
}

// resume returns the state of a stack to which a rule has gone back.
func (m *machine) resume(stack int32) int32 { return m.close(append(m.work[:0], stack)) }
