package grammar

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"
)

// reduction makes the automaton of a graph: of what can be reached from the start, with equal nodes as one, and without those that only lead on
// to another. Equal branches of a schema, of which there may be thousands, are then one branch.
//
// Nodes are equal if they are alike and lead to equal nodes. They are compared when all they lead to is known; on a cycle nothing is, but for
// a node that leads to itself.
type reduction struct {
	*graph
	automaton automaton
	made      []vertex            // nodes of the automaton
	number    []int32             // of a node in made; 0 = none yet
	active    []bool              // a node of which not all that it leads to is known
	known     map[[2]uint64]int32 // by the hash of all that counts
	seeds     [2]maphash.Seed
	key       []byte
}

// itself stands for the node itself in what is compared.
const itself = -1

// reduce returns the automaton of a rule, and its start.
func (g *graph) reduce(start int32) (*automaton, int32) {
	r := &reduction{graph: g, made: make([]vertex, 1, len(g.nodes)/2+1), number: make([]int32, len(g.nodes)), active: make([]bool, len(g.nodes)), known: make(map[[2]uint64]int32, len(g.nodes)/2)}
	r.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	start = r.visit(start)
	a := &r.automaton
	a.sets = g.sets
	a.nodes = make([]node, 0, len(r.made)+1)
	for i := range r.made {
		v := &r.made[i]
		a.nodes = append(a.nodes, node{int32(len(a.edges)), int32(len(a.calls)), int32(len(a.empty)), v.set, v.after, v.final})
		a.edges, a.calls, a.empty = append(a.edges, v.edges...), append(a.calls, v.calls...), append(a.empty, v.empty...)
	}
	a.nodes = append(a.nodes, node{edges: int32(len(a.edges)), calls: int32(len(a.calls)), empty: int32(len(a.empty))})
	a.edges, a.calls, a.empty = slices.Clip(a.edges), slices.Clip(a.calls), slices.Clip(a.empty)
	return a, start
}

// visit returns the number of a node in the automaton.
func (r *reduction) visit(n int32) int32 {
	if r.number[n] != 0 {
		return r.number[n]
	}
	if r.active[n] { // a cycle
		r.number[n] = r.make()
		return r.number[n]
	}
	v := &r.nodes[n]
	if len(v.empty) == 1 && !v.final && v.set == noSet && len(v.edges)+len(v.calls) == 0 {
		r.number[n] = r.visit(v.empty[0])
		return r.number[n]
	}
	r.work.do(nodeSteps)
	r.active[n] = true
	visit := func(to int32) int32 {
		if to == n {
			return itself
		}
		return r.visit(to)
	}
	w := vertex{edges: make([]edge, 0, len(v.edges)), final: v.final, set: v.set}
	if v.set != noSet {
		w.after = visit(v.after)
	}
	for _, e := range v.edges {
		w.edges = append(w.edges, edge{e.lo, e.hi, visit(e.to)})
	}
	for _, to := range v.empty {
		w.empty = append(w.empty, visit(to))
	}
	for _, c := range v.calls {
		to := visit(c.to)
		if to != itself && r.made[to].ends() {
			to = noNode
		}
		w.calls = append(w.calls, call{visit(c.rule), to})
	}
	r.active[n] = false
	w.sort()
	r.key = w.appendKey(r.key[:0])
	if r.number[n] == 0 {
		hash := [2]uint64{maphash.Bytes(r.seeds[0], r.key), maphash.Bytes(r.seeds[1], r.key)}
		if same, ok := r.known[hash]; ok {
			r.number[n] = same
			return same
		}
		r.number[n] = r.make()
		r.known[hash] = r.number[n]
	}
	w.resolve(r.number[n])
	r.made[r.number[n]] = w
	return r.number[n]
}

func (r *reduction) make() int32 {
	r.made = append(r.made, vertex{})
	return int32(len(r.made) - 1)
}

// ends reports whether the rule ends at a node, and nowhere else after it.
func (v *vertex) ends() bool {
	return v.final && v.set == noSet && len(v.edges)+len(v.calls)+len(v.empty) == 0
}

// sort brings what leads away from a node into an order, each once, and joins edges that are next to each other.
func (v *vertex) sort() {
	slices.SortFunc(v.edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.to, b.to), cmp.Compare(a.lo, b.lo), cmp.Compare(a.hi, b.hi))
	})
	joined := v.edges[:0]
	for _, e := range v.edges {
		if n := len(joined); n > 0 && joined[n-1].to == e.to && int(e.lo) <= int(joined[n-1].hi)+1 {
			joined[n-1].hi = max(joined[n-1].hi, e.hi)
		} else {
			joined = append(joined, e)
		}
	}
	v.edges = joined
	slices.Sort(v.empty)
	v.empty = slices.Compact(v.empty)
	slices.SortFunc(v.calls, func(a, b call) int { return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.to, b.to)) })
	v.calls = slices.Compact(v.calls)
}

func (v *vertex) appendKey(key []byte) []byte {
	number := func(n int32) { key = binary.LittleEndian.AppendUint32(key, uint32(n)) }
	number(v.set)
	number(v.after)
	number(int32(len(v.edges)))
	for _, e := range v.edges {
		key = append(key, e.lo, e.hi)
		number(e.to)
	}
	number(int32(len(v.empty)))
	for _, to := range v.empty {
		number(to)
	}
	for _, c := range v.calls {
		number(c.rule)
		number(c.to)
	}
	if v.final {
		key = append(key, 1)
	}
	return key
}

// resolve puts a node's number where itself stands.
func (v *vertex) resolve(n int32) {
	own := func(to *int32) {
		if *to == itself {
			*to = n
		}
	}
	own(&v.after)
	for i := range v.edges {
		own(&v.edges[i].to)
	}
	for i := range v.empty {
		own(&v.empty[i])
	}
	for i := range v.calls {
		own(&v.calls[i].rule)
		own(&v.calls[i].to)
	}
}
