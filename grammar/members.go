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
func (b *builder) object(from int32, properties []property, others func(from int32) int32, count counts) int32 {
	name := func(name string) string { return quoted(name) + b.layout.colon }
	return b.members(from, notation{"{", "}", b.layout.comma, name}, properties, others, count)
}

// notation is how members are written.
type notation struct {
	begin, end, comma string
	name              func(string) string // a name, with what is between it and the value
}

// members takes members like object.
//
// A node before a name takes that of the first property that is left, or leads to the node of the next one. See [names].
func (b *builder) members(from int32, as notation, properties []property, others func(from int32) int32, count counts) int32 {
	last := max(count.least, count.most, 1) // without a limit, this number of members stands for more, too
	left := 0                               // the properties from this one on may be missing
	for i, p := range properties {
		if p.required {
			left = i + 1
		}
	}
	inside, end := b.open(from, as.begin), b.node() // after the opening bracket, and before the closing one
	if count.least == 0 && left == 0 {
		b.skip(inside, end)
	}
	// row returns the nodes before the names of the properties from one on, or of others, by the number of the member: from 1 to last.
	row := func(i int) []int32 {
		size := last
		switch {
		case i < len(properties):
			size = min(i+1, last)
		case others == nil:
			return nil
		}
		nodes := make([]int32, size+1)
		for n := range size {
			nodes[n+1] = b.node()
		}
		return nodes
	}
	before := row(0)
	if before != nil && count.most != 0 {
		b.skip(inside, before[1])
	}
	// follow goes on after a member.
	follow := func(n int, later int32, closes bool, before []int32) {
		if closes && n >= count.least && (count.most < 0 || n <= count.most) {
			b.skip(later, end)
		}
		if n < last {
			n++
		} else if count.most >= 0 {
			return
		}
		if before != nil {
			b.commaTo(later, as.comma, before[n])
		}
	}
	for i := 0; i < len(properties) && b.work.err == nil; i++ {
		p := properties[i]
		next := row(i + 1)
		name := b.keep(as.name(p.name))
		take := b.often(p.value, len(before) > 2)
		for n := 1; n < len(before); n++ {
			value := b.node()
			b.fix(before[n], name, value)
			if !p.required && next != nil {
				b.skip(before[n], next[n])
			}
			follow(n, take(b.blank(value)), i+1 >= left, next)
		}
		before = next
	}
	if others != nil {
		take := b.often(others, last > 1)
		for n := max(count.least, 1); n <= last; n++ {
			follow(n, take(before[n]), true, before)
		}
	}
	return b.close(end, as.end)
}

// often returns what takes the same as another function, which is called once if it is needed more than once.
func (b *builder) often(take func(from int32) int32, more bool) func(from int32) int32 {
	if !more {
		return take
	}
	rule := b.node()
	b.end(take(rule))
	return func(from int32) int32 {
		to := b.node()
		b.call(from, rule, to)
		return to
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
