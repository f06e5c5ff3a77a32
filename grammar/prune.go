package grammar

import "slices"

// prune finds the ways from which no text comes to an end, where a model would get stuck, and leaves them out. It reports whether a rule has a text.
func (g *graph) prune(rule int32) bool {
	g.reached = g.order(rule)
	useful := make([]bool, len(g.nodes)) // the end of its rule can be reached
	left := slices.Clone(g.reached)
	for g.work.do(linkSteps * len(left)) {
		// All that a node leads to comes before it, but for ways back: the first round finds nearly all.
		n := 0
		for _, at := range left {
			if useful[at] = g.ends(at, useful); !useful[at] {
				left[n] = at
				n++
			}
		}
		if n == len(left) {
			break
		}
		if left = left[:n]; n == 0 {
			break
		}
	}
	if len(left) > 0 {
		g.useful = useful
	}
	return useful[rule]
}

// ends reports whether the end of its rule can be reached from a node, by those from which that is known.
func (g *graph) ends(n int32, useful []bool) bool {
	v := &g.nodes[n]
	if v.final || v.more() && useful[v.after] {
		return true
	}
	for e := range g.edges.all(v.edges) {
		if useful[e.to] {
			return true
		}
	}
	for to := range g.empty.all(v.empty) {
		if useful[to] {
			return true
		}
	}
	for c := range g.calls.all(v.calls) {
		if useful[c.rule] && useful[c.to] {
			return true
		}
	}
	return false
}
