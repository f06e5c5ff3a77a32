package grammar

// way leads to a node: from another one, and of a call, if the node or the rule that it takes too is useful.
type way struct {
	from  int32
	other int32 // or noNode
}

// prune finds the ways from which no text comes to an end, where a model would get stuck, and leaves them out. It reports whether a rule has a text.
func (g *graph) prune(rule int32) bool {
	before := make(pool[way], 0, len(g.nodes)+len(g.edges)+len(g.empty)+2*len(g.calls))
	lists := make([]int32, len(g.nodes)) // of the ways to each node
	useful := make([]bool, len(g.nodes)) // the end of its rule can be reached
	add := func(to, from, other int32) { lists[to] = before.with(lists[to], way{from, other}) }
	var found []int32
	mark := func(n int32) {
		if !useful[n] {
			useful[n] = true
			found = append(found, n)
		}
	}
	for i := range g.nodes {
		v, n := &g.nodes[i], int32(i)
		ways := len(before)
		for e := range g.edges.all(v.edges) {
			add(e.to, n, noNode)
		}
		for to := range g.empty.all(v.empty) {
			add(to, n, noNode)
		}
		for c := range g.calls.all(v.calls) {
			add(c.to, n, c.rule)
			add(c.rule, n, c.to)
		}
		if v.more() {
			add(v.after, n, noNode)
		}
		if v.final {
			mark(n)
		}
		if !g.work.do(linkSteps * (len(before) - ways)) {
			return false
		}
	}
	for len(found) > 0 {
		n := found[len(found)-1]
		found = found[:len(found)-1]
		for w := range before.all(lists[n]) {
			if w.other == noNode || useful[w.other] {
				mark(w.from)
			}
		}
	}
	g.useful = useful
	return useful[rule]
}
