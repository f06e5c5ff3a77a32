package grammar

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// machine runs an automaton over bytes. A state is the set of all places where the text so far may have led to. A place is a frame: a node of
// a rule, and the stack of frames on which the rule goes back when it ends. Each frame, stack and state is kept once and never changes: to
// fork or to go back costs nothing, and what follows a state is computed once.
//
// The frames of a state have different nodes: where two ways lead to one node, its stack has both ways back (Tomita, "An Efficient
// Augmented-Context-Free Parsing Algorithm", 1987). So a state is never larger than the automaton, however many ways have led to it.
//
// It starts at the node of its choice, with nothing below it on the stack: a state is done if the rule of that node may have
// ended.
type machine struct {
	automaton *automaton
	work      *work
	stacks    blocks[stack] // 0 is the empty stack
	stackIDs  map[frame]int32
	latest    []int32          // by node, the stack of a frame that was pushed last, if it is there
	joinedIDs map[string]int32 // of stacks with several ways
	joins     map[[2]int32]int32
	states    blocks[state] // 0 is none
	stateIDs  map[string]int32
	bytes     int // of memory, about

	// Of the state that is being put together:
	reached []reached
	at      []int32 // where the last frame of a node is in reached, if it is there
	queue   []int32 // of reached
	done    bool
	tops    []int32
	key     []byte
}

// frame is the top of a stack: a node of a rule, and the stack on which the rule goes back when it ends. Between the bytes of a character
// that the node takes, within is the row of its set's table, within its text the number of bytes before, and within its names a place; otherwise it is 0.
type frame struct{ node, below, within int32 }

// stack is a frame; or several ways back, each a stack of one frame, or the empty one.
type stack struct {
	frame frame
	ways  []int32 // by node; nil if there is one only
}

type reached struct {
	frame
	queued bool
	other  int32 // the one before of the same node, or -1
}

type state struct {
	tops []int32 // stacks whose node takes bytes
	done bool
	// What follows the first byte that was asked for, and, once there is another one, each byte: 0 = not computed, else state, or dead.
	first byte
	to    int32
	next  *[256]int32
	// What Grammar.ask finds, once it was asked.
	asked   bool
	classes *classes
	run     uint8
}

const dead = -1

func newMachine(a *automaton, w *work) *machine {
	m := &machine{
		automaton: a, work: w, at: make([]int32, len(a.nodes)), latest: make([]int32, len(a.nodes)), bytes: 8 * len(a.nodes),
		stackIDs: map[frame]int32{}, joinedIDs: map[string]int32{}, joins: map[[2]int32]int32{}, stateIDs: map[string]int32{},
	}
	m.stacks.add(stack{})
	m.states.add(state{})
	return m
}

// reset makes the machine as good as new, for other work.
func (m *machine) reset(w *work) {
	m.work, m.bytes = w, 8*len(m.automaton.nodes)
	if m.stacks.length+m.states.length > 1<<10 { // to clear a large map takes as long as to fill it
		m.stackIDs, m.joinedIDs, m.joins, m.stateIDs = map[frame]int32{}, map[string]int32{}, map[[2]int32]int32{}, map[string]int32{}
	}
	clear(m.stackIDs)
	clear(m.joinedIDs)
	clear(m.joins)
	clear(m.stateIDs)
	m.stacks.cut()
	m.states.cut()
}

// start returns the state at a node, with nothing below it.
func (m *machine) start(node int32) int32 {
	m.reach(frame{node: node})
	return m.close()
}

// push returns the stack of a frame.
func (m *machine) push(f frame) int32 {
	if id := m.latest[f.node]; id != 0 && int(id) < m.stacks.length && m.stacks.at(id).frame == f {
		return id
	}
	id, ok := m.stackIDs[f]
	if !ok {
		id = m.keep(stack{frame: f})
		m.stackIDs[f] = id
	}
	m.latest[f.node] = id
	return id
}

func (m *machine) keep(s stack) int32 {
	m.work.do(pushSteps)
	m.bytes += 100 + 4*len(s.ways)
	return m.stacks.add(s)
}

// ways returns the ways back that a stack has.
func (m *machine) ways(s int32) []int32 {
	if ways := m.stacks.at(s).ways; ways != nil {
		return ways
	}
	return []int32{s}
}

// join returns the stack that has the ways of both stacks.
func (m *machine) join(a, b int32) int32 {
	if a == b {
		return a
	}
	pair := [2]int32{min(a, b), max(a, b)}
	if id, ok := m.joins[pair]; ok {
		return id
	}
	var ways []int32
	from, other := m.ways(a), m.ways(b)
	m.work.do(2*(len(from)+len(other)) + 2*pushSteps)
	if m.work.err != nil {
		return a
	}
	for len(from) > 0 && len(other) > 0 {
		f, o := m.stacks.at(from[0]).frame, m.stacks.at(other[0]).frame
		switch order := cmp.Or(cmp.Compare(f.node, o.node), cmp.Compare(f.within, o.within)); {
		case order < 0:
			ways, from = append(ways, from[0]), from[1:]
		case order > 0:
			ways, other = append(ways, other[0]), other[1:]
		default:
			if from[0] != other[0] {
				f.below = m.join(f.below, o.below)
				ways = append(ways, m.push(f))
			} else {
				ways = append(ways, from[0])
			}
			from, other = from[1:], other[1:]
		}
	}
	ways = append(append(ways, from...), other...)
	id := ways[0]
	if len(ways) > 1 {
		m.key = appendKey(m.key[:0], ways)
		var ok bool
		if id, ok = m.joinedIDs[string(m.key)]; !ok {
			id = m.keep(stack{ways: ways})
			m.joinedIDs[string(m.key)] = id
		}
	}
	m.joins[pair] = id
	m.bytes += 24
	return id
}

func appendKey(key []byte, ids []int32) []byte {
	for _, id := range ids {
		key = binary.LittleEndian.AppendUint32(key, uint32(id))
	}
	return key
}

// reach adds a frame to the state that is being put together.
func (m *machine) reach(f frame) {
	m.work.do(reachSteps)
	last := m.at[f.node]
	if int(last) >= len(m.reached) || m.reached[last].node != f.node {
		last = -1
	}
	i := last
	for i >= 0 && m.reached[i].within != f.within {
		m.work.steps++
		i = m.reached[i].other
	}
	if i < 0 {
		i = int32(len(m.reached))
		m.at[f.node] = i
		m.reached = append(m.reached, reached{f, true, last})
		m.queue = append(m.queue, i)
		return
	}
	r := &m.reached[i]
	below := m.join(r.below, f.below)
	if below != r.below && !r.queued {
		r.queued = true
		m.queue = append(m.queue, i)
	}
	r.below = below
}

// resumed adds what a stack goes back to.
func (m *machine) resumed(s int32) {
	for _, way := range m.ways(s) {
		if way == 0 {
			m.done = true
		} else {
			m.reach(m.stacks.at(way).frame)
		}
	}
}

// close returns the state of what was reached, and all that is reached from there without a byte; dead if there is nothing.
func (m *machine) close() int32 {
	a := m.automaton
	for i := 0; i < len(m.queue) && m.work.err == nil; i++ {
		m.reached[m.queue[i]].queued = false
		f := m.reached[m.queue[i]].frame
		if f.within != 0 {
			continue
		}
		for _, to := range a.emptyOf(f.node) {
			m.reach(frame{node: to, below: f.below})
		}
		for _, c := range a.callsOf(f.node) {
			below := f.below
			if c.to != noNode {
				below = m.push(frame{node: c.to, below: f.below})
			}
			m.reach(frame{node: c.rule, below: below})
		}
		if a.nodes[f.node].final {
			m.resumed(f.below)
		}
	}
	m.tops = m.tops[:0]
	for _, r := range m.reached {
		if a.takes(r.node) {
			m.tops = append(m.tops, m.push(r.frame))
		}
	}
	done := m.done
	m.reached, m.queue, m.done = m.reached[:0], m.queue[:0], false
	if m.work.err != nil {
		return dead
	}
	return m.state(m.tops, done)
}

// state returns the state of some tops, which it sorts.
func (m *machine) state(tops []int32, done bool) int32 {
	if len(tops) == 0 && !done {
		return dead
	}
	slices.Sort(tops)
	m.key = appendKey(m.key[:0], tops)
	if done {
		m.key = append(m.key, 1)
	}
	id, ok := m.stateIDs[string(m.key)]
	if !ok {
		m.work.do(stateSteps)
		m.bytes += 160 + 8*len(tops)
		id = m.states.add(state{tops: slices.Clone(tops), done: done})
		m.stateIDs[string(m.key)] = id
	}
	return id
}

// step returns the state after a byte, or dead.
func (m *machine) step(from int32, b byte) int32 {
	s := m.states.at(from)
	switch {
	case s.next != nil && s.next[b] != 0:
		return s.next[b]
	case s.next == nil && s.to != 0 && s.first == b:
		return s.to
	}
	to := m.follow(from, b)
	if m.work.err != nil {
		return dead
	}
	s = m.states.at(from) // which may have moved
	if s.to == 0 {
		s.first, s.to = b, to
		return to
	}
	if s.next == nil {
		m.work.do(stateSteps)
		m.bytes += 1024
		s.next = new([256]int32)
		s.next[s.first] = s.to
	}
	s.next[b] = to
	return to
}

func (m *machine) follow(from int32, b byte) int32 {
	a := m.automaton
	m.work.do(len(m.states.at(from).tops))
	for _, s := range m.states.at(from).tops {
		f := m.stacks.at(s).frame
		if f.within == 0 {
			for _, e := range a.edgesOf(f.node) {
				if e.lo <= b && b <= e.hi {
					m.reach(frame{node: e.to, below: f.below})
				}
			}
		}
		switch n, to := a.after(f, b); {
		case to == 0:
			m.reach(frame{node: n, below: f.below})
		case to > 0:
			m.reach(frame{f.node, f.below, to})
		}
	}
	return m.close()
}

// spot is where a walk is: in a state, or, if that is 0, at a frame whose node is simple, for which no state needs to be made.
type spot struct {
	state int32
	frame frame
}

// spotOf returns the spot of a state.
func (m *machine) spotOf(state int32) spot {
	if s := m.states.at(state); !s.done && len(s.tops) == 1 {
		if f := m.stacks.at(s.tops[0]).frame; m.automaton.simple(f.node) {
			return spot{0, f}
		}
	}
	return spot{state: state}
}

// stepSimple returns the spot after a byte that a simple node takes; its state is dead if there is none.
func (m *machine) stepSimple(f frame, b byte) spot {
	a := m.automaton
	next, within := a.after(f, b)
	found := within != dead
	if f.within == 0 {
		edges := a.edgesOf(f.node)
		m.work.steps += len(edges) / edgesStep
		for i, e := range edges {
			if e.lo > b || b > e.hi {
				continue
			}
			if found { // there are several ways
				if within > 0 {
					m.reach(frame{f.node, f.below, within})
				} else {
					m.reach(frame{node: next, below: f.below})
				}
				for _, e := range edges[i:] {
					if e.lo <= b && b <= e.hi {
						m.reach(frame{node: e.to, below: f.below})
					}
				}
				return spot{state: m.close()}
			}
			next, within, found = e.to, 0, true
		}
	}
	switch {
	case !found:
		return spot{state: dead}
	case within > 0:
		return spot{0, frame{f.node, f.below, within}}
	case a.simple(next):
		return spot{0, frame{node: next, below: f.below}}
	}
	m.reach(frame{node: next, below: f.below})
	return spot{state: m.close()}
}

// after returns what follows a byte of what a node takes: how far that has come, or 0 and the node to which it leads, or dead.
func (a *automaton) after(f frame, b byte) (node, within int32) {
	n := &a.nodes[f.node]
	switch {
	case n.set != noSet:
		return n.after, int32(a.sets[n.set].table[f.within][b])
	case n.root != 0:
		return a.afterName(n, f.within, b)
	case n.text.begin == n.text.end || a.bytes[n.text.begin+f.within] != b:
		return 0, dead
	case n.text.begin+f.within+1 == n.text.end:
		return n.after, 0
	}
	return n.after, f.within + 1
}

// only returns the byte with which the text goes on from a state, if it can't be another one, nor be over.
func (m *machine) only(from int32) (b byte, ok bool) {
	s := m.states.at(from)
	if s.done {
		return 0, false
	}
	a := m.automaton
	for _, top := range s.tops {
		f := m.stacks.at(top).frame
		m.work.do(1)
		if f.within == 0 {
			for _, e := range a.edgesOf(f.node) {
				if e.lo != e.hi || ok && e.lo != b {
					return 0, false
				}
				b, ok = e.lo, true
			}
		}
		switch n := &a.nodes[f.node]; {
		case n.text.begin != n.text.end:
			if c := a.bytes[n.text.begin+f.within]; ok && c != b {
				return 0, false
			} else {
				b, ok = c, true
			}
		case n.root != 0:
			below, _ := a.below(n, f.within)
			for _, p := range below {
				if p.rank > n.most {
					continue
				}
				if ok && p.last != b {
					return 0, false
				}
				b, ok = p.last, true
			}
		case n.set != noSet:
			for c, to := range a.sets[n.set].table[f.within] {
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
func (m *machine) resume(stack int32) int32 {
	m.resumed(stack)
	return m.close()
}
