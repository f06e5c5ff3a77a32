package grammar

import (
	"maps"
	"slices"
)

// choices makes rules with many branches deterministic, as far as that is not too much work: what several branches begin with is one way. Else a
// matcher would follow thousands of them at once. (The construction is that of subsets, from Rabin and Scott, "Finite automata and their decision
// problems", 1959. Rules that branches call, and sets of characters, are taken like bytes: those that differ stay apart.)
type choices struct {
	*graph
	known   map[string]int32 // nodes by those for which they stand
	rests   map[text]int32   // nodes that take a text alone
	waiting []merged         // to be filled
	limit   int              // steps of the work after which the branches that are left stay apart
	key     []byte

	seen  []int32 // by node, the last round in which it was found
	round int32
	after [256][]int32 // nodes after a byte
}

// merged is a node that stands for others.
type merged struct {
	node int32
	of   []int32
}

// text is what a node takes, and the node after it.
type text struct {
	kept
	after int32
}

// merge makes a node stand for those to which it leads without anything else.
func (c *choices) merge(node int32) {
	var of []int32
	for to := range c.empty.all(c.nodes[node].empty) {
		of = append(of, to)
	}
	c.nodes[node].empty = 0
	c.waiting = append(c.waiting, merged{node, of})
	for len(c.waiting) > 0 && c.work.err == nil {
		next := c.waiting[len(c.waiting)-1]
		c.waiting = c.waiting[:len(c.waiting)-1]
		if c.work.steps < c.limit {
			c.fill(next)
			continue
		}
		for _, to := range next.of {
			c.skip(next.node, to)
		}
	}
}

// one returns a node that stands for some.
func (c *choices) one(of []int32) int32 {
	slices.Sort(of)
	of = slices.Compact(of)
	if len(of) == 1 {
		return of[0]
	}
	c.work.do(mergedSteps)
	c.key = appendKey(c.key[:0], of)
	n, ok := c.known[string(c.key)]
	if !ok {
		n = c.node()
		c.known[string(c.key)] = n
		c.waiting = append(c.waiting, merged{n, slices.Clone(of)})
	}
	return n
}

// fill gives a node what leads away from those for which it stands.
func (c *choices) fill(m merged) {
	all := c.closure(m.of)
	var texts []text
	others := false
	sets, calls := map[int32][]int32{}, map[int32][]int32{} // nodes after them
	for _, n := range all {
		v := &c.nodes[n]
		if v.text.begin != v.text.end {
			texts = append(texts, text{v.text, v.after})
		}
		if v.set != noSet {
			sets[v.set] = append(sets[v.set], v.after)
		}
		for e := range c.edges.all(v.edges) {
			for b := int(e.lo); b <= int(e.hi); b++ {
				c.after[b] = append(c.after[b], e.to)
			}
			c.work.do(int(e.hi-e.lo) + 1)
		}
		for call := range c.calls.all(v.calls) {
			calls[call.rule] = append(calls[call.rule], call.to)
		}
		others = others || v.edges != 0 || v.set != noSet || v.calls != 0 || v.final
		if v.final {
			c.end(m.node)
		}
	}
	if !others && len(texts) > 0 {
		c.texts(m.node, texts)
		return
	}
	for _, t := range texts {
		b := c.graph.bytes[t.begin]
		c.after[b] = append(c.after[b], c.rest(t, 1))
	}
	var before []int32
	to := int32(noNode)
	for b := range c.after {
		of := c.after[b]
		if len(of) == 0 {
			continue
		}
		if !slices.Equal(of, before) {
			before = append(before[:0], of...)
			to = c.one(of)
		}
		c.span(m.node, byte(b), byte(b), to)
		c.after[b] = of[:0]
	}
	for i, set := range slices.Sorted(maps.Keys(sets)) {
		n := m.node
		if i > 0 {
			n = c.node()
			c.skip(m.node, n)
		}
		after := c.one(sets[set])
		c.nodes[n].set, c.nodes[n].after = set, after
	}
	for _, rule := range slices.Sorted(maps.Keys(calls)) {
		c.call(m.node, rule, c.one(calls[rule]))
	}
}

// closure returns what some nodes lead to without anything else, and themselves.
func (c *choices) closure(of []int32) []int32 {
	for len(c.seen) < len(c.nodes) {
		c.seen = append(roomy(c.work, c.seen, 1), 0)
	}
	c.round++
	var all []int32
	add := func(n int32) {
		if c.seen[n] != c.round {
			c.seen[n] = c.round
			all = append(all, n)
		}
	}
	for _, n := range of {
		add(n)
	}
	for i := 0; i < len(all) && c.work.do(mergedSteps); i++ {
		for to := range c.empty.all(c.nodes[all[i]].empty) {
			add(to)
		}
	}
	return all
}

// texts makes a node take one of some texts: first that with which all begin.
func (c *choices) texts(node int32, all []text) {
	common := len(c.graph.bytes)
	first := c.graph.bytes[all[0].begin:all[0].end]
	for _, t := range all {
		common = min(common, shared(first, c.graph.bytes[t.begin:t.end]))
	}
	c.work.do(len(all) * (1 + common/textBytes))
	if common == 0 {
		after := map[byte][]int32{}
		for _, t := range all {
			b := c.graph.bytes[t.begin]
			after[b] = append(after[b], c.rest(t, 1))
		}
		for _, b := range slices.Sorted(maps.Keys(after)) {
			c.span(node, b, b, c.one(after[b]))
		}
		return
	}
	var rests []int32
	for _, t := range all {
		rests = append(rests, c.rest(t, int32(common)))
	}
	c.fix(node, kept{all[0].begin, all[0].begin + int32(common)}, c.one(rests))
}

// rest returns a node that takes a text after some bytes of it.
func (c *choices) rest(t text, from int32) int32 {
	t.begin += from
	if t.begin == t.end {
		return t.after
	}
	n, ok := c.rests[t]
	if !ok {
		n = c.node()
		c.fix(n, t.kept, t.after)
		c.rests[t] = n
	}
	return n
}
