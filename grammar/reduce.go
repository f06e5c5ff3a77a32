package grammar

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
)

// reduction makes the automaton of a graph: of what can be reached from the start, with equal nodes as one, and without those that only lead on
// to another. Equal branches of a schema, of which there may be thousands, are then one branch.
//
// Nodes are equal if they are alike and lead to equal nodes. They are compared when all they lead to is known; on a cycle nothing is, but for
// a node that leads to itself.
type reduction struct {
	*graph
	made     []reduced // nodes of the automaton
	edges    []edge    // of these, in the order in which they were completed, as are
	calls    []call    // and
	empty    []int32   //
	number   []int32   // of a node in made; 0 = none yet
	known    []hashed  // by the low bits of the hash of all that counts, or after that; at most half of them have a node
	prefixes []prefix  // of trees of names
	seed     maphash.Seed
	key      []byte
	sorted   []uint64
}

// reduced is a node of the automaton: what leads away from it lies between two places.
type reduced struct {
	edges, calls, empty [2]int32
	taken
	names
	final bool
}

// hashed is a node of the automaton and the hash of all that counts; node is 0 if there is none.
type hashed struct {
	hash uint32
	node int32
}

// itself stands for the node itself in what is compared.
const itself = -1

// reduce returns the automaton of a rule, and its start.
func (g *graph) reduce(start int32) (*automaton, int32) {
	order := g.reached
	if order == nil || g.useful != nil {
		order = g.order(start)
	}
	r := &reduction{
		graph: g, number: make([]int32, len(g.nodes)), seed: maphash.MakeSeed(),
		made: make([]reduced, 1, len(order)/2+1), known: make([]hashed, 2<<bits.Len(uint(len(order)))), edges: make([]edge, 0, len(order)/2+1),
	}
	for _, n := range order {
		if !g.work.do(equalSteps) {
			break
		}
		r.add(n)
	}
	start = r.numberOf(start)
	r.index()
	return r.automaton(), start
}

// order returns the nodes that can be reached from one, each after all that it leads to, unless that leads back to it.
func (g *graph) order(start int32) []int32 {
	seen := make([]bool, len(g.nodes))
	order := make([]int32, 0, len(g.nodes))
	for open := []int32{start}; len(open) > 0; {
		n := open[len(open)-1]
		open = open[:len(open)-1]
		switch {
		case n < 0: // all that it leads to is done
			order = append(order, ^n)
		case !seen[n]:
			seen[n] = true
			open = append(open, ^n)
			for to := range g.to(n) {
				if !seen[to] {
					open = append(open, to)
				}
			}
		}
	}
	return order
}

// onward returns the node to which a node leads without anything else.
func (r *reduction) onward(n int32) (to int32, ok bool) {
	v := &r.nodes[n]
	if v.final || v.empty == 0 || v.edges != 0 || v.calls != 0 || v.more() {
		return 0, false
	}
	for next := range r.graph.empty.all(v.empty) {
		if r.leads(next) {
			if ok {
				return 0, false
			}
			to, ok = next, true
		}
	}
	return to, ok
}

// numberOf returns the number of a node in the automaton. One that is not known yet, as it is on a cycle, is made ahead.
func (r *reduction) numberOf(n int32) int32 {
	end := n
	for r.number[end] == 0 {
		to, ok := r.onward(end)
		if !ok {
			r.number[end] = r.make()
			break
		}
		end = to
	}
	for n != end {
		r.number[n] = r.number[end]
		n, _ = r.onward(n)
	}
	return r.number[end]
}

func (r *reduction) make() int32 {
	r.made = append(roomy(r.work, r.made, 1), reduced{})
	return int32(len(r.made) - 1)
}

// add makes a node of the automaton, or finds the one that is equal.
func (r *reduction) add(n int32) {
	if _, ok := r.onward(n); ok {
		r.numberOf(n)
		return
	}
	v := &r.nodes[n]
	number := func(to int32) int32 {
		if to == n {
			return itself
		}
		return r.numberOf(to)
	}
	edges, calls, empty := len(r.edges), len(r.calls), len(r.empty)
	for e := range r.graph.edges.all(v.edges) {
		if r.leads(e.to) {
			r.edges = append(r.edges, edge{e.lo, e.hi, number(e.to)})
		}
	}
	for c := range r.graph.calls.all(v.calls) {
		if r.leads(c.rule) && r.leads(c.to) {
			to := number(c.to)
			if to != itself && r.made[to].ends() {
				to = noNode
			}
			r.calls = append(r.calls, call{number(c.rule), to})
		}
	}
	for to := range r.graph.empty.all(v.empty) {
		if r.leads(to) {
			r.empty = append(r.empty, number(to))
		}
	}
	r.work.do(linkSteps * (len(r.edges) - edges + len(r.calls) - calls + len(r.empty) - empty))
	r.edges, r.calls, r.empty = r.joined(edges), sortedCalls(r.calls, calls), sortedNodes(r.empty, empty)
	p := reduced{
		edges: [2]int32{int32(edges), int32(len(r.edges))}, calls: [2]int32{int32(calls), int32(len(r.calls))}, empty: [2]int32{int32(empty), int32(len(r.empty))},
		final: v.final,
	}
	if r.takes(n) {
		p.taken = taken{v.set, v.text, number(v.after)}
	}
	if r.number[n] == 0 {
		same := r.same(p)
		if same.node != 0 {
			r.number[n] = same.node
			r.edges, r.calls, r.empty = r.edges[:edges], r.calls[:calls], r.empty[:empty]
			return
		}
		r.number[n] = r.make()
		same.node = r.number[n]
	}
	r.made[r.number[n]] = p
}

// ends reports whether the rule ends at a node, and nowhere else after it.
func (p *reduced) ends() bool {
	return p.final && !p.more() && p.edges[0] == p.edges[1] && p.calls[0] == p.calls[1] && p.empty[0] == p.empty[1]
}

func (r *reduction) textOf(p reduced) []byte   { return r.bytes[p.text.begin:p.text.end] }
func (r *reduction) edgesOf(p reduced) []edge  { return r.edges[p.edges[0]:p.edges[1]] }
func (r *reduction) callsOf(p reduced) []call  { return r.calls[p.calls[0]:p.calls[1]] }
func (r *reduction) emptyOf(p reduced) []int32 { return r.empty[p.empty[0]:p.empty[1]] }

// same returns where the node stands, or should stand, that is equal to another one.
func (r *reduction) same(p reduced) *hashed {
	hash := r.hash(p)
	for i := int(hash); ; i++ {
		h := &r.known[i&(len(r.known)-1)]
		if h.node == 0 || h.hash == hash && r.equal(p, r.made[h.node]) {
			h.hash = hash
			return h
		}
	}
}

// equal reports whether two nodes are alike.
func (r *reduction) equal(p, q reduced) bool {
	return p.set == q.set && p.after == q.after && p.final == q.final && bytes.Equal(r.textOf(p), r.textOf(q)) &&
		slices.Equal(r.edgesOf(p), r.edgesOf(q)) && slices.Equal(r.callsOf(p), r.callsOf(q)) && slices.Equal(r.emptyOf(p), r.emptyOf(q))
}

func (r *reduction) hash(p reduced) uint32 {
	key := r.key[:0]
	number := func(n int32) { key = binary.LittleEndian.AppendUint32(key, uint32(n)) }
	number(p.set)
	number(p.after)
	number(p.text.end - p.text.begin)
	key = append(key, r.textOf(p)...)
	number(p.edges[1] - p.edges[0])
	for _, e := range r.edgesOf(p) {
		key = append(key, e.lo, e.hi)
		number(e.to)
	}
	number(p.empty[1] - p.empty[0])
	for _, to := range r.emptyOf(p) {
		number(to)
	}
	for _, c := range r.callsOf(p) {
		number(c.rule)
		number(c.to)
	}
	if p.final {
		key = append(key, 1)
	}
	r.key = key
	return uint32(maphash.Bytes(r.seed, key))
}

// joined brings the edges from a place on into an order, each once, and joins those that are next to each other.
func (r *reduction) joined(from int) []edge {
	if len(r.edges)-from < 2 {
		return r.edges
	}
	r.sorted = r.sorted[:0]
	for _, e := range r.edges[from:] {
		r.sorted = append(r.sorted, uint64(uint32(e.to))<<16|uint64(e.lo)<<8|uint64(e.hi))
	}
	slices.Sort(r.sorted)
	out := r.edges[:from]
	for _, key := range r.sorted {
		e := edge{byte(key >> 8), byte(key), int32(key >> 16)}
		if len(out) == from {
			out = append(out, e)
		} else if last := &out[len(out)-1]; last.to == e.to && int(e.lo) <= int(last.hi)+1 {
			last.hi = max(last.hi, e.hi)
		} else {
			out = append(out, e)
		}
	}
	return out
}

// sortedCalls and sortedNodes bring what is there from a place on into an order, each once.
func sortedCalls(calls []call, from int) []call {
	if len(calls)-from < 2 {
		return calls
	}
	slices.SortFunc(calls[from:], func(a, b call) int { return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.to, b.to)) })
	return calls[:from+len(slices.Compact(calls[from:]))]
}

func sortedNodes(nodes []int32, from int) []int32 {
	if len(nodes)-from < 2 {
		return nodes
	}
	slices.Sort(nodes[from:])
	return nodes[:from+len(slices.Compact(nodes[from:]))]
}

// automaton puts the nodes into their order.
func (r *reduction) automaton() *automaton {
	a := &automaton{
		sets: r.sets, bytes: r.bytes, prefixes: r.prefixes, nodes: make([]node, 0, len(r.made)+1),
		edges: make([]edge, 0, len(r.edges)), calls: make([]call, 0, len(r.calls)), empty: make([]int32, 0, len(r.empty)),
	}
	for i, p := range r.made {
		own := func(to int32) int32 {
			if to == itself {
				return int32(i)
			}
			return to
		}
		a.nodes = append(a.nodes, node{int32(len(a.edges)), int32(len(a.calls)), int32(len(a.empty)), taken{p.set, p.text, own(p.after)}, p.names, p.final})
		for _, e := range r.edgesOf(p) {
			a.edges = append(a.edges, edge{e.lo, e.hi, own(e.to)})
		}
		for _, c := range r.callsOf(p) {
			a.calls = append(a.calls, call{own(c.rule), own(c.to)})
		}
		for _, to := range r.emptyOf(p) {
			a.empty = append(a.empty, own(to))
		}
	}
	a.nodes = append(a.nodes, node{edges: int32(len(a.edges)), calls: int32(len(a.calls)), empty: int32(len(a.empty))})
	return a
}
