package gaincost

// automaton is the suffix automaton of a text that grows at its end: it has a state for each set of places where a substring can end, so that
// one walk over a context finds the longest end of it that is in the text, how often it came, and what followed. Adding a token takes constant time on
// average, and memory is bounded: when the text has window tokens, the older half is forgotten. A token takes at most 2 states and 3 edges, 120
// bytes with the table of edges, and usually half of that.
//
// Source: Blumer, Blumer, Haussler, Ehrenfeucht, Chen and Seiferas, "The smallest automaton recognizing the subwords of a text", Theoretical
// Computer Science 40 (1985). Hu et al., "SAM Decoding" (arXiv 2411.10666), draft with it.
type automaton struct {
	window int
	text   []int32 // endOfText after each sequence but the last
	states []state // the first is the root, of the empty string
	edges  []edge
	slots  []int32 // hash table of edges, by state and token: index plus 1, or 0
	last   int32   // state of the whole text
}

// state stands for strings that end at the same places of the text. Each is the end of the longest of them.
type state struct {
	length int32 // of the longest
	link   int32 // the state of the longest of its ends that has more places; -1 for the root
	edges  int32 // the latest edge from here, or -1
	places int32
}

// edge leads from the strings of a state to those with one more token.
type edge struct{ from, token, to, next int32 }

// endOfText stands after a sequence, so that nothing is looked up across two of them.
const endOfText = -1

// maxEnds is how many ends of the text, one state each, have their places counted when a token is added. In text that repeats itself over and
// over there are more; the shortest are then counted too seldom, but longer ones are looked up before them.
const maxEnds = 64

// reset empties the automaton.
func (a *automaton) reset() {
	a.text, a.states, a.edges, a.last = a.text[:0], append(a.states[:0], state{link: -1, edges: -1}), a.edges[:0], 0
	clear(a.slots)
}

// append adds a token to the text.
func (a *automaton) append(token int32) {
	if len(a.text) >= a.window {
		newer := a.text[len(a.text)-a.window/2:]
		a.reset()
		for _, t := range newer { // which overlap a.text, ahead of what is written
			a.extend(t)
		}
	}
	a.extend(token)
}

func (a *automaton) extend(token int32) {
	a.text = append(a.text, token)
	whole := a.add(state{length: int32(len(a.text)), edges: -1})
	p := a.last
	for ; p >= 0 && a.find(p, token) < 0; p = a.states[p].link {
		a.connect(p, token, whole)
	}
	if a.last = whole; p >= 0 {
		a.states[whole].link = a.split(p, token)
	}
	for s, n := whole, 0; s > 0 && n < maxEnds; s, n = a.states[s].link, n+1 {
		a.states[s].places++
	}
}

// split returns the state of the longest string of p with token after it, which becomes one of its own if it was not.
func (a *automaton) split(p, token int32) int32 {
	e := a.find(p, token)
	q, length := a.edges[e].to, a.states[p].length+1
	if a.states[q].length == length {
		return q
	}
	shorter := a.states[q]
	shorter.length, shorter.edges = length, -1
	s := a.add(shorter)
	for out := a.states[q].edges; out >= 0; out = a.edges[out].next {
		a.connect(s, a.edges[out].token, a.edges[out].to)
	}
	a.states[q].link = s
	for ; p >= 0; p = a.states[p].link {
		if e = a.find(p, token); e < 0 || a.edges[e].to != q {
			break
		}
		a.edges[e].to = s
	}
	return s
}

func (a *automaton) add(s state) int32 {
	a.states = append(a.states, s)
	return int32(len(a.states) - 1)
}

// connect adds an edge.
func (a *automaton) connect(from, token, to int32) {
	if 3*len(a.edges) >= 2*len(a.slots) {
		a.slots = make([]int32, max(1<<10, 2*len(a.slots)))
		for i := range a.edges {
			a.place(int32(i))
		}
	}
	a.edges = append(a.edges, edge{from, token, to, a.states[from].edges})
	a.states[from].edges = int32(len(a.edges) - 1)
	a.place(a.states[from].edges)
}

// place puts an edge into the hash table.
func (a *automaton) place(e int32) {
	slot := a.slot(a.edges[e].from, a.edges[e].token)
	for a.slots[slot] != 0 {
		slot = (slot + 1) & (len(a.slots) - 1)
	}
	a.slots[slot] = e + 1
}

// find returns the edge from a state with a token, or -1.
func (a *automaton) find(from, token int32) int32 {
	if len(a.slots) == 0 {
		return -1
	}
	for slot := a.slot(from, token); ; slot = (slot + 1) & (len(a.slots) - 1) {
		e := a.slots[slot] - 1
		if e < 0 || a.edges[e].from == from && a.edges[e].token == token {
			return e
		}
	}
}

func (a *automaton) slot(from, token int32) int {
	return int((uint64(uint32(from))<<32|uint64(uint32(token)))*0x9e3779b97f4a7c15>>32) & (len(a.slots) - 1)
}

// match is the longest end of a context that is in the text: its state and its length.
type match struct{ state, length int32 }

// end returns the match of the text itself: the longest end of it that came before.
func (a *automaton) end() match {
	s := max(0, a.states[a.last].link)
	return match{s, a.states[s].length}
}

// after returns the match of a context that goes on with a token.
func (a *automaton) after(m match, token int32) match {
	for {
		if e := a.find(m.state, token); e >= 0 {
			return match{a.edges[e].to, m.length + 1}
		}
		if m.state == 0 {
			return match{}
		}
		m.state = a.states[m.state].link
		m.length = a.states[m.state].length
	}
}
