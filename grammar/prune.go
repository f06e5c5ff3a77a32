package grammar

import "slices"

// link is a way to a node, in a list of all ways to it.
type link struct {
	from, next int32
	other      int32 // of a call, the node or the rule that it takes too; else none
}

// links are lists of ways, by the node to which they lead.
type links struct {
	first []int32
	all   []link
}

func newLinks(nodes int) *links { return &links{make([]int32, nodes), make([]link, 1, nodes)} }

func (l *links) add(to, from, other int32) {
	l.all = append(l.all, link{from, l.first[to], other})
	l.first[to] = int32(len(l.all) - 1)
}

// prune removes the ways from which no text comes to an end, where a model would get stuck. It reports whether a rule has a text.
func (g *graph) prune(rule int32) bool {
	const none = -1
	before := newLinks(len(g.nodes))
	useful := make([]bool, len(g.nodes)) // the end of its rule can be reached
	var work []int32
	mark := func(n int32) {
		if !useful[n] {
			useful[n] = true
			work = append(work, n)
		}
	}
	for i := range g.nodes {
		n, at := &g.nodes[i], int32(i)
		for _, e := range n.edges {
			before.add(e.to, at, none)
		}
		for _, to := range n.empty {
			before.add(to, at, none)
		}
		for _, c := range n.calls {
			before.add(c.to, at, c.rule)
			before.add(c.rule, at, c.to)
		}
		if n.set != noSet {
			before.add(n.after, at, none)
		}
		if n.final {
			mark(at)
		}
	}
	for len(work) > 0 {
		n := work[len(work)-1]
		work = work[:len(work)-1]
		for i := before.first[n]; i != 0; i = before.all[i].next {
			if l := before.all[i]; l.other == none || useful[l.other] {
				mark(l.from)
			}
		}
	}
	for i := range g.nodes {
		n := &g.nodes[i]
		n.edges = slices.DeleteFunc(n.edges, func(e edge) bool { return !useful[e.to] })
		n.empty = slices.DeleteFunc(n.empty, func(to int32) bool { return !useful[to] })
		n.calls = slices.DeleteFunc(n.calls, func(c call) bool { return !useful[c.rule] || !useful[c.to] })
		if n.set != noSet && !useful[n.after] {
			n.set = noSet
		}
	}
	return useful[rule]
}
