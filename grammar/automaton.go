package grammar

import "slices"

// automaton is a set of rules over bytes. A rule is a start node and what can be reached from it; it ends in a final node. An
// edge takes a byte, or nothing, or a whole text of another rule, which may be its own: that makes it a pushdown automaton.
// It is nondeterministic; see [machine].
type automaton struct {
	nodes []node
	sets  []runeSet // that nodes take; the first is none, the second plainRunes
	// tables are how a set's characters are spelled, where a node takes them so; see [spelling.table].
	tables [][][256]int16
}

const (
	noSet    = 0
	plainSet = 1
)

type node struct {
	edges []edge
	calls []call
	empty []int32 // nodes that are reached by nothing
	final bool
	set   int32 // each character of which leads to after, or noSet
	after int32
	// spelled says that the node takes these characters as the set's table spells them, and has no edges: a pattern has thousands of nodes that
	// take the same large set.
	spelled bool
}

// edge takes one byte from lo to hi.
type edge struct {
	lo, hi byte
	to     int32
}

// call takes a text of the rule that starts at rule.
type call struct{ rule, to int32 }

func (a *automaton) node() int32 {
	if len(a.nodes) == cap(a.nodes) { // append grows large slices by a quarter, and a large schema has many nodes
		a.nodes = slices.Grow(a.nodes, len(a.nodes)+1)
	}
	a.nodes = append(a.nodes, node{})
	return int32(len(a.nodes) - 1)
}

func (a *automaton) span(from int32, lo, hi byte, to int32) {
	a.nodes[from].edges = append(a.nodes[from].edges, edge{lo, hi, to})
}

// oneOf takes one of some bytes.
func (a *automaton) oneOf(from int32, bytes string, to int32) {
	for i := range len(bytes) {
		a.span(from, bytes[i], bytes[i], to)
	}
}

func (a *automaton) skip(from, to int32) { a.nodes[from].empty = append(a.nodes[from].empty, to) }

func (a *automaton) call(from, rule, to int32) {
	a.nodes[from].calls = append(a.nodes[from].calls, call{rule, to})
}

func (a *automaton) end(n int32) { a.nodes[n].final = true }

// text takes a fixed text and returns the node after it.
func (a *automaton) text(from int32, text string) int32 {
	for i := range len(text) {
		to := a.node()
		a.span(from, text[i], text[i], to)
		from = to
	}
	return from
}

// run returns how many characters of a set can follow one another at a node, whichever they are; mostCharacters stands for more. covers
// reports whether a node's set has all of them.
func (a *automaton) run(node int32, covers func(set int32) bool) int8 {
	nodes := []int32{node}
	for n := range int8(mostCharacters) {
		var next []int32
		for i := 0; i < len(nodes); i++ {
			if at := &a.nodes[nodes[i]]; at.set != noSet && !slices.Contains(next, at.after) && covers(at.set) {
				next = append(next, at.after)
			}
			if n == 0 { // only this node counts
				break
			}
			for _, to := range a.nodes[nodes[i]].empty {
				if !slices.Contains(nodes, to) {
					nodes = append(nodes, to)
				}
			}
		}
		if len(next) == 0 {
			return n
		}
		nodes = next
	}
	return mostCharacters
}

// leftRecursive reports whether some rule can call itself before it has taken a byte, which would never end.
func (a *automaton) leftRecursive() bool {
	const active, done = 1, 2
	seen := make([]byte, len(a.nodes))
	var visit func(n int32) bool
	visit = func(n int32) bool {
		if seen[n] != 0 {
			return seen[n] == active
		}
		seen[n] = active
		for _, to := range a.nodes[n].empty {
			if visit(to) {
				return true
			}
		}
		for _, c := range a.nodes[n].calls {
			if visit(c.rule) || a.nodes[c.rule].final && visit(c.to) {
				return true
			}
		}
		seen[n] = done
		return false
	}
	for n := range a.nodes {
		if visit(int32(n)) {
			return true
		}
	}
	return false
}
