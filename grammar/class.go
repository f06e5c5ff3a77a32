package grammar

import (
	"slices"
	"unicode/utf8"
)

// class are the tokens below a branch of the trie that spell, from there on, characters of one set only.
type class struct {
	// tokens are masks, by the most characters that a token may have from there on.
	tokens [mostCharacters + 1][]uint64
	root   int32 // the branch
	// extents are, by branch from the root on, what the tokens there and below have of the class.
	extents []extent
	table   [][256]int16 // that spells the set
}

// classes are those of one set.
type classes struct {
	all *class
	// blank is the one of the tokens that begin with a blank, which are about half of all, after that.
	blank *class
	// rest is, by branch, the most characters with which a token goes on after it, and mostCharacters + 1 if one has others than those of the set, or more.
	rest []uint8
}

// from returns the class below a branch, or nil.
func (c *classes) from(branch int32) *class {
	switch branch {
	case c.all.root:
		return c.all
	case c.blank.root:
		return c.blank
	}
	return nil
}

const (
	// mostCharacters is the number of characters up to which tokens are told apart. Longer ones are few.
	mostCharacters = 32
)

// extent tells of some tokens how many characters of a class they begin with, at most; and with which bytes they go on that the class does not
// have there, one bit for some bytes each.
type extent uint16

const (
	characterBits        = 6
	outside       extent = mostCharacters + 1 // characters are too many
	// unplain stands for bytes that end a string, begin an escape or are in none, and for the end of a token within a character.
	unplain  extent = 1 << characterBits
	anyByte  extent = 1<<16 - 1<<characterBits
	byteBits        = 16 - characterBits - 1
)

// leaving returns the bit of a byte with which a token leaves a class, in a row of its table.
func leaving(row int16, b byte) extent {
	if b < ' ' || b == '"' || b == '\\' || row != 0 && b < utf8.RuneSelf {
		return unplain
	}
	return unplain << (1 + b%byteBits)
}

// and returns the extent of all tokens of two extents.
func (e extent) and(other extent) extent {
	const characters = unplain - 1
	return max(e&characters, other&characters) | (e|other)&^characters
}

// settled are tokens of which a walk knows beforehand whether they can follow: those that begin with at most some characters of a class, and are
// over then or go on with a byte that nothing takes.
type settled struct {
	class *class
	run   extent
	taken extent // the bytes beyond the class that something takes
}

// has reports whether all tokens at a branch and below are among some that are known.
func has(known []settled, branch int32) bool {
	for i := range known {
		k := &known[i]
		if e := k.class.extents[branch-k.class.root]; e&(unplain-1) <= k.run && e&k.taken == 0 {
			return true
		}
	}
	return false
}

// classes returns those of a set that table spells.
func (v *Vocabulary) classes(table [][256]int16) *classes {
	return &classes{v.within(table, 0), v.within(table, v.blank), v.rest(table)}
}

// rest returns that of the classes of a set that table spells.
func (v *Vocabulary) rest(table [][256]int16) []uint8 {
	rest := make([]uint8, len(v.trie))
	var after func(at int32, state int16) uint8
	after = func(at int32, state int16) (most uint8) {
		for i := at + 1; i < v.after[at] && most <= mostCharacters; i = v.after[i] {
			switch to := table[state][v.trie[i].last]; {
			case to == 0:
				most = max(most, rest[i]+1)
			case to == dead || v.trie[i].token >= 0:
				return mostCharacters + 1
			default:
				most = max(most, after(i, to))
			}
		}
		return min(most, mostCharacters+1)
	}
	for at := int32(len(v.trie) - 1); at >= 0; at-- {
		rest[at] = after(at, 0)
	}
	return rest
}

// within returns the class, below a branch, of a set that table spells.
func (v *Vocabulary) within(table [][256]int16, root int32) *class {
	type place struct {
		state, count int16
		branch       int32
		extent       extent // of the tokens here and below, so far
	}
	base := int32(v.trie[root].depth)
	c := &class{root: root, extents: make([]extent, v.after[root]-root), table: table}
	words := (v.size + 63) / 64
	bits := make([]uint64, words*len(c.tokens))
	for n := range c.tokens {
		c.tokens[n] = bits[n*words : (n+1)*words : (n+1)*words]
	}
	path := make([]place, v.depth-base+1) // by depth, up to the present branch
	depth := int32(0)
	// leave ends the places below a depth.
	leave := func(to int32) {
		for ; depth > to; depth-- {
			p, above := &path[depth], &path[depth-1]
			c.extents[p.branch-root] = p.extent
			above.extent = above.extent.and(p.extent)
		}
	}
	for i := root + 1; i < v.after[root]; {
		b := &v.trie[i]
		leave(int32(b.depth) - base - 1)
		before := &path[depth]
		at := place{state: table[before.state][b.last], count: before.count, branch: i}
		if at.state == 0 {
			at.count++
		}
		if at.state == dead || at.count > mostCharacters {
			e := outside
			if at.state == dead {
				e = extent(before.count) | leaving(before.state, b.last)
			}
			before.extent = before.extent.and(e)
			for below := c.extents[i-root : v.after[i]-root]; len(below) > 0; below = below[1:] {
				below[0] = e
			}
			i = v.after[i]
			continue
		}
		if b.token >= 0 {
			at.extent = extent(at.count)
			if at.state == 0 {
				c.tokens[at.count][b.token/64] |= 1 << (b.token % 64)
			} else {
				at.extent |= unplain
			}
		}
		depth++
		path[depth] = at
		i++
	}
	leave(0)
	c.extents[0] = path[0].extent
	for n := 1; n < len(c.tokens); n++ {
		unite(c.tokens[n], c.tokens[n-1])
	}
	return c
}

// Limits of the classes that a grammar has of its own.
const (
	// fewCharacters are in few tokens, of which no class needs to be made.
	fewCharacters = 16
	// mostClasses bounds the sets that have them, and so their memory: about three megabytes each, for 128,000 tokens.
	mostClasses = 16
)

// size returns the bytes of memory that the classes of a set take.
func (c *classes) size() int {
	return 2*(len(c.all.extents)+len(c.blank.extents)) + len(c.rest) + 2*8*len(c.all.tokens)*len(c.all.tokens[0])
}

// classify makes the classes of the automaton's large sets, as far as half of the work that there may be is not done.
func (g *Grammar) classify(w *work) {
	g.classes = map[int32]*classes{}
	a := g.automaton
	for set := firstSet; set < len(a.sets) && len(g.classes) < mostClasses && w.steps < w.limit/2; set++ {
		if !a.sets[set].raw && ofItsOwn(a.sets[set].runes) && w.do(classesSteps*len(g.vocabulary.trie)/2) {
			g.classes[int32(set)] = g.vocabulary.classes(a.sets[set].table)
		}
	}
}

// ofItsOwn reports whether a set should have a class of its own: if it has many characters beyond those of a class of the vocabulary.
func ofItsOwn(set runeSet) bool {
	beyond := set.size()
	switch {
	case set.covers(plainRunes):
		beyond = 0
	case set.covers(letters) && !set.has(' '): // with which half of all tokens begin
		beyond -= letters.size()
	}
	return beyond > fewCharacters
}

// class returns the tokens below a branch that can follow at a node, not within a character, as they spell only characters of the node's set, or
// of one that it covers: all up to a number of characters. It returns nil if there is no class.
func (g *Grammar) class(f frame, branch int32, w *work) (c *class, run int8) {
	if f.within != 0 {
		return nil, 0
	}
	of, run := g.classesOf(f.node, w)
	if of == nil {
		return nil, 0
	}
	return of.from(branch), run
}

// classesOf returns those of a node's set, or of one that it covers, and how many characters can follow; nil if there are none.
func (g *Grammar) classesOf(node int32, w *work) (of *classes, run int8) {
	set := g.automaton.nodes[node].set
	if set == noSet {
		return nil, 0
	}
	w.steps += knownSteps
	of = g.classes[set]
	switch {
	case of != nil:
	case g.covers(set, plainSet):
		set, of = plainSet, g.vocabulary.plain
	case g.covers(set, letterSet):
		set, of = letterSet, g.vocabulary.letters
	default:
		return nil, 0
	}
	return of, g.run([]int32{node}, set, w)
}

// run returns how many characters of a set can follow some nodes, whichever they are.
func (g *Grammar) run(nodes []int32, set int32, w *work) int8 {
	return g.automaton.run(nodes, func(other int32) ([]rune, bool) {
		if set == plainSet {
			return g.automaton.sets[other].lacks, g.automaton.sets[other].nearlyPlain
		}
		return nil, g.covers(other, set)
	}, w)
}

// open reports whether all tokens below a branch can follow a state of a machine, as far as classes tell.
func (s *state) open(branch int32) bool { return s.classes.rest[branch] <= s.run }

// ask finds the classes of which the most characters can follow a state of a machine, whichever they are: those of plain characters if none can.
func (g *Grammar) ask(m *machine, s *state) {
	s.asked = true
	var nodes []int32
	for _, top := range s.tops[:min(len(s.tops), mostAsked)] {
		if f := m.stacks.at(top).frame; f.within == 0 {
			nodes = append(nodes, f.node)
		}
	}
	s.classes, s.run = g.vocabulary.plain, uint8(g.run(nodes, plainSet, m.work))
	for _, n := range nodes {
		if s.run == mostCharacters {
			break
		}
		if c, run := g.classesOf(n, m.work); uint8(run) > s.run {
			s.classes, s.run = c, uint8(run)
		}
	}
}

// mostAsked is the number of frames of which a class is looked for.
const mostAsked = 16

// known returns the tokens below a branch that are known at a spot of a machine, by the classes of the frames that come first.
func (g *Grammar) known(m *machine, at spot, branch int32) (known []settled) {
	tops := m.states.at(at.state).tops // none for a simple node, which has no set
	for _, top := range tops[:min(len(tops), mostAsked)] {
		class, run := g.class(m.stacks.at(top).frame, branch, m.work)
		if class == nil {
			continue
		}
		i := slices.IndexFunc(known, func(k settled) bool { return k.class == class })
		if i < 0 {
			known = append(known, settled{class, extent(run), anyByte})
		} else {
			known[i].run = max(known[i].run, extent(run))
		}
	}
	for i := range known {
		known[i].taken = g.takenBy(m, tops, known[i].class)
	}
	return known
}

// takenBy returns the bytes at which a token that has begun with characters of a class need not be dead at any of some frames.
func (g *Grammar) takenBy(m *machine, tops []int32, c *class) (bytes extent) {
	if len(tops) > mostAsked {
		return anyByte
	}
	for _, top := range tops {
		f := m.stacks.at(top).frame
		if f.within != 0 || !m.work.do(knownSteps) {
			return anyByte
		}
		bytes |= g.taken(f.node, c)
	}
	return bytes
}

// covers reports whether a set of the automaton has all characters of another one.
func (g *Grammar) covers(set, other int32) bool {
	if set == other {
		return true
	}
	pair := [2]int32{set, other}
	covers, ok := g.learned.covered[pair]
	if !ok {
		covers = g.automaton.sets[set].runes.covers(g.automaton.sets[other].runes)
		g.learned.covered[pair] = covers
		g.learned.bytes += 16
	}
	return covers
}

// mostTaking is the number of nodes up to which taken looks.
const mostTaking = 64

// taken returns the bytes at which a token that has begun with characters of a class need not be dead, from a node on: those that something
// takes which can be reached by such characters.
func (g *Grammar) taken(node int32, c *class) (bytes extent) {
	a := g.automaton
	nodes := []int32{node}
	reach := func(to int32) {
		if !slices.Contains(nodes, to) {
			nodes = append(nodes, to)
		}
	}
	// take is asked about each byte of what a node takes, and reports whether that is a character of the class.
	take := func(b byte) bool {
		to := c.table[0][b]
		switch {
		case to == dead:
			bytes |= leaving(0, b)
		case to > 0: // what else takes that character may have others of several bytes too
			bytes = anyByte
		}
		return to == 0
	}
	for i := 0; i < len(nodes); i++ {
		n := &a.nodes[nodes[i]]
		if n.final || n.root != 0 || len(a.callsOf(nodes[i])) > 0 || len(nodes) > mostTaking || bytes == anyByte {
			return anyByte
		}
		for _, to := range a.emptyOf(nodes[i]) {
			reach(to)
		}
		for _, e := range a.edgesOf(nodes[i]) {
			for b := int(e.lo); b <= int(e.hi); b++ {
				if take(byte(b)) {
					reach(e.to)
				}
			}
		}
		switch {
		case n.set != noSet:
			reach(n.after)
			for b, to := range a.sets[n.set].table[0] {
				if to != dead && &a.sets[n.set].table[0] != &c.table[0] {
					take(byte(b))
				}
			}
		case n.text.begin != n.text.end:
			text := a.bytes[n.text.begin:n.text.end]
			for len(text) > 0 && take(text[0]) {
				text = text[1:]
			}
			if len(text) == 0 {
				reach(n.after)
			}
		}
	}
	return bytes | unplain
}
