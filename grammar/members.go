package grammar

import (
	"slices"
	"unicode/utf8"
)

// property is a member of an object.
type property struct {
	name     string
	required bool
	value    func(from int32) int32
}

// object takes an object of the given properties, in their order, and then of others, which others takes with their names; it is nil if there are
// none. count is how many there may be. Others may have the same name: for the least number, they count as one.
//
// After each property, the names that may come next are a tree of their own; it shares what it can with that after the next one.
func (b *builder) object(from int32, properties []property, others func(from int32) int32, count counts) int32 {
	if count.least > 1 || count.most >= 0 {
		return b.counted(from, properties, others, count)
	}
	inside, end := b.open(from, "{"), b.node() // after the opening bracket, and before the closing one
	values, later := make([]int32, len(properties)), make([]int32, len(properties)+1)
	later[0] = inside
	for i, p := range properties {
		values[i], later[i+1] = b.node(), b.node()
		b.skip(p.value(b.blank(values[i])), later[i+1])
	}
	other := int32(noNode) // before another member, while there may be one
	if others != nil {
		other = b.node()
		after := b.node()
		b.skip(others(other), after)
		b.skip(b.comma(after), other)
		b.skip(after, end)
	}
	next, closes := int32(noNode), true // the names that may come next, and whether none need come
	for i := len(properties); i >= 0 && b.work.err == nil; i-- {
		if i < len(properties) {
			if properties[i].required {
				next, other, closes = noNode, noNode, false
			}
			next = b.insert(next, b.keep(quoted(properties[i].name)+b.layout.colon), values[i])
		}
		if closes && (i > 0 || count.least == 0) {
			b.skip(later[i], end)
		}
		if next == noNode && other == noNode {
			continue
		}
		before := later[i]
		if i > 0 {
			before = b.comma(before)
		}
		for _, to := range []int32{next, other} {
			if to != noNode {
				b.skip(before, to)
			}
		}
	}
	return b.close(end, "}")
}

// insert returns a tree of texts with one more, that leads to a node. The tree stays as it was. No text is the beginning of another one. A node of the
// tree takes a text, or one of some bytes.
func (b *builder) insert(tree int32, text kept, to int32) int32 {
	if b.work.err != nil {
		return to
	}
	old := b.nodes[tree]
	if tree == noNode {
		return b.only(text, to)
	}
	if old.text.begin == old.text.end {
		c := b.bytes[text.begin]
		below, edges := b.without(old.edges, c)
		below = b.insert(below, kept{text.begin + 1, text.end}, to)
		with := b.node()
		b.nodes[with].edges = b.edges.with(edges, edge{c, c, below})
		return with
	}
	common := int32(shared(b.bytes[text.begin:text.end], b.bytes[old.text.begin:old.text.end]))
	place, rest := text.begin+common, old.text.begin+common
	below := old.after
	if rest == old.text.end {
		below = b.insert(below, kept{place, text.end}, to)
	} else {
		below = b.only(kept{rest + 1, old.text.end}, below)
		fork := b.node()
		b.span(fork, b.bytes[rest], b.bytes[rest], below)
		c := b.bytes[place]
		b.span(fork, c, c, b.only(kept{place + 1, text.end}, to))
		below = fork
	}
	return b.only(kept{text.begin, place}, below)
}

// only returns a node that takes a text alone, and leads to another one.
func (b *builder) only(text kept, to int32) int32 {
	if text.begin == text.end {
		return to
	}
	n := b.node()
	b.fix(n, text, to)
	return n
}

// without returns a list of edges without the one that takes a byte, and the node to which that leads.
func (b *builder) without(edges int32, c byte) (to, rest int32) {
	passed := make([]edge, 0, 64)
	for at := edges; at != 0 && b.work.do(1); at = b.edges[at].next {
		e := b.edges[at].of
		if e.lo != c {
			passed = append(passed, e)
			continue
		}
		rest = b.edges[at].next
		for _, e := range passed {
			rest = b.edges.with(rest, e)
		}
		return e.to, rest
	}
	return noNode, edges
}

// counted takes an object like object, of at least some members, or at most some.
func (b *builder) counted(from int32, properties []property, others func(from int32) int32, count counts) int32 {
	// before has the nodes before the next member, by the number of those written. Unless there is a limit, the last one stands for more, too.
	before := make([]int32, max(count.least, count.most, 1)+1)
	for n := range before {
		before[n] = b.node()
	}
	b.skip(b.open(from, "{"), before[0])
	next := func(n int) int {
		if n+1 < len(before) || count.most >= 0 {
			return n + 1
		}
		return n
	}
	for _, p := range properties {
		after := make([]int32, len(before))
		for n := range after {
			after[n] = b.node()
			if !p.required {
				b.skip(before[n], after[n])
			}
		}
		take := b.member(func(from int32) int32 { return p.value(b.colon(b.text(from, quoted(p.name)))) }, len(before))
		for n := 0; next(n) < len(before); n++ {
			take(n, before[n], after[next(n)])
			if next(n) == n {
				break
			}
		}
		before = after
	}
	end := b.node()
	for n, node := range before {
		if n >= count.least && (count.most < 0 || n <= count.most) {
			b.skip(node, end)
		}
	}
	if others != nil {
		take := b.member(others, len(before))
		after := make([]int32, len(before))
		for n := range after {
			if after[n] = b.node(); count.most < 0 || n <= count.most {
				b.skip(after[n], end)
			}
		}
		for n := 0; next(n) < len(before); n++ {
			if n+1 >= count.least {
				take(n, before[n], after[next(n)])
			}
			if n > 0 {
				take(n, after[n], after[next(n)])
			}
			if next(n) == n {
				break
			}
		}
	}
	return b.close(end, "}")
}

// member returns what takes a member after n others, which is written once: as a rule, unless it leads to one place only.
func (b *builder) member(member func(from int32) int32, places int) func(n int, from, to int32) {
	rule := b.node()
	end := member(rule)
	if places > 2 {
		b.end(end)
	}
	return func(n int, from, to int32) {
		if n > 0 {
			from = b.comma(from)
		}
		if places > 2 {
			b.call(from, rule, to)
			return
		}
		b.skip(from, rule)
		b.skip(end, to)
	}
}

// otherName takes the rest of a string, after its opening quote, that is none of names, which end with their quote. If there
// are names, it has no escapes, which could spell one of them, and does not begin as a name does up to a character that is
// escaped or beyond ASCII.
func (b *builder) otherName(from int32, names []string) int32 {
	to, free := b.node(), b.node()
	b.span(free, '"', '"', to)
	b.character(free, free, len(names) == 0)
	if len(names) == 0 {
		b.skip(from, free)
		return to
	}
	start := b.node()
	b.spellCharacter(start, free, false)
	b.span(start, '"', '"', to)
	names = slices.Clone(names)
	slices.Sort(names)
	b.otherwise(from, slices.Collect(b.edges.all(b.nodes[start].edges)), names, 0)
	return to
}

// otherwise takes what edges take, unless it is the rest of a name from a place on, to which all names are the same. Names are in order.
func (b *builder) otherwise(from int32, edges []edge, names []string, at int) {
	var taken [256]bool
	for len(names) > 0 && b.work.do(len(edges)) {
		c := names[0][at]
		n := 1
		for n < len(names) && names[n][at] == c {
			n++
		}
		taken[c] = true
		if c != '"' && c != '\\' && c < utf8.RuneSelf {
			next := b.node()
			b.span(from, c, c, next)
			b.otherwise(next, edges, names[:n], at+1)
		}
		names = names[n:]
	}
	for _, e := range edges {
		lo := int(e.lo)
		for c := lo; c <= int(e.hi)+1; c++ {
			if c <= int(e.hi) && !taken[c] {
				continue
			}
			if lo < c {
				b.span(from, byte(lo), byte(c-1), e.to)
			}
			lo = c + 1
		}
	}
}
