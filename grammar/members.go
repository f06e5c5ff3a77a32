package grammar

import (
	"math"
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
// After each property, the names that may come next are two trees: one of the next few, and one of all later ones, which is another one only after
// each manyNames. Both share what they can with those after other properties.
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
	next, beyond, closes := int32(noNode), int32(noNode), true // the names that may come next, and whether none need come
	var few []text                                             // those of next
	for i := len(properties); i >= 0 && b.work.err == nil; i-- {
		if i < len(properties) {
			if properties[i].required {
				next, beyond, other, closes, few = noNode, noNode, noNode, false, nil
			}
			if len(few) == manyNames {
				fresh := int32(len(b.nodes))
				for _, name := range few {
					beyond = b.insert(beyond, name.kept, name.after, fresh)
				}
				next, few = noNode, few[:0]
			}
			few = append(few, text{b.keep(quoted(properties[i].name) + b.layout.colon), values[i]})
			next = b.insert(next, few[len(few)-1].kept, values[i], math.MaxInt32)
		}
		if closes && (i > 0 || count.least == 0) {
			b.skip(later[i], end)
		}
		if next == noNode && beyond == noNode && other == noNode {
			continue
		}
		before := later[i]
		if i > 0 {
			before = b.comma(before)
		}
		for _, to := range []int32{next, beyond, other} {
			if to != noNode {
				b.skip(before, to)
			}
		}
	}
	return b.close(end, "}")
}

// manyNames are those of a tree of which there is one for each property.
const manyNames = 128

// insert returns a tree of texts with one more, that leads to a node. The tree stays as it was, but for nodes from fresh on. No text is the beginning
// of another one. A node of the tree takes a text, or one of some bytes.
func (b *builder) insert(tree int32, text kept, to, fresh int32) int32 {
	if tree == noNode || b.work.err != nil {
		return b.only(text, to)
	}
	old := b.nodes[tree]
	c, rest := b.bytes[text.begin], kept{text.begin + 1, text.end}
	if old.text.begin == old.text.end {
		with := tree
		if tree < fresh {
			with = b.node()
			for e := range b.edges.all(old.edges) {
				b.span(with, e.lo, e.hi, e.to)
				b.work.do(edgeSteps)
			}
		}
		for at := b.nodes[with].edges; at != 0 && b.work.do(edgeSteps); at = b.edges[at].next {
			if b.edges[at].of.lo == c {
				below := b.insert(b.edges[at].of.to, rest, to, fresh)
				b.edges[at].of.to = below
				return with
			}
		}
		b.span(with, c, c, b.only(rest, to))
		return with
	}
	common := int32(shared(b.bytes[text.begin:text.end], b.bytes[old.text.begin:old.text.end]))
	place, left := text.begin+common, old.text.begin+common
	below := old.after
	if left == old.text.end {
		below = b.insert(below, kept{place, text.end}, to, fresh)
	} else {
		fork := b.node()
		b.span(fork, b.bytes[left], b.bytes[left], b.only(kept{left + 1, old.text.end}, below))
		below = b.insert(fork, kept{place, text.end}, to, fork)
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
