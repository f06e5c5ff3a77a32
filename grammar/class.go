package grammar

import (
	"slices"
	"unicode/utf8"
)

// class are the tokens that spell characters of one set only.
type class struct {
	// tokens are masks, by the most characters that a token may have.
	tokens [mostCharacters + 1][]uint64
	// extents are, by branch of the trie, what the tokens there and below have of the class.
	extents []extent
	table   [][256]int16 // that spells the set
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
		if e := k.class.extents[branch]; e&(unplain-1) <= k.run && e&k.taken == 0 {
			return true
		}
	}
	return false
}

// within returns the class of a set that table spells.
func (v *Vocabulary) within(table [][256]int16) *class {
	c := &class{extents: make([]extent, len(v.trie)), table: table}
	for n := range c.tokens {
		c.tokens[n] = make([]uint64, (v.size+63)/64)
	}
	type place struct {
		state, count int16
		branch       int32
	}
	path := make([]place, v.depth+1) // by depth, up to the present branch
	// reach says of the branch at a depth, and of those above it, that there is a token of such an extent.
	reach := func(depth int32, e extent) {
		for ; depth >= 0; depth-- {
			at := &c.extents[path[depth].branch]
			if at.and(e) == *at {
				break
			}
			*at = at.and(e)
		}
	}
	for i := int32(1); int(i) < len(v.trie); {
		b := &v.trie[i]
		before := path[b.depth-1]
		at := before
		if at.state = table[at.state][b.last]; at.state == 0 {
			at.count++
		}
		if at.state == dead || at.count > mostCharacters {
			e := outside
			if at.state == dead {
				e = extent(before.count) | leaving(before.state, b.last)
			}
			reach(b.depth-1, e)
			for ; i < b.after; i++ {
				c.extents[i] = e
			}
			continue
		}
		at.branch = i
		path[b.depth] = at
		switch {
		case b.token < 0:
		case at.state == 0:
			reach(b.depth, extent(at.count))
			c.tokens[at.count][b.token/64] |= 1 << (b.token % 64)
		default:
			reach(b.depth, extent(at.count)|unplain)
		}
		i++
	}
	for n := 1; n < len(c.tokens); n++ {
		for i, word := range c.tokens[n-1] {
			c.tokens[n][i] |= word
		}
	}
	return c
}

// Limits of the classes that a grammar has of its own.
const (
	// fewCharacters are in few tokens, of which no class needs to be made.
	fewCharacters = 16
	// mostClasses bounds their memory: about two megabytes each, for 128,000 tokens.
	mostClasses = 16
)

// size returns the bytes of memory that a class takes.
func (c *class) size() int { return 2*len(c.extents) + 8*len(c.tokens)*len(c.tokens[0]) }

// classify makes the classes of the automaton's large sets, as far as half of the work that there may be is not done.
func (g *Grammar) classify(w *work) {
	g.classes = map[int32]*class{}
	a := g.automaton
	for set := firstSet; set < len(a.sets) && len(g.classes) < mostClasses && w.steps < w.limit/2; set++ {
		if runes := a.sets[set].runes; runes.size() > fewCharacters && !runes.covers(plainRunes) && w.do(len(g.vocabulary.trie)/classBranches) {
			g.classes[int32(set)] = g.vocabulary.within(a.sets[set].table)
		}
	}
}

// class returns the tokens that can follow at a node, not within a character, as they spell only characters of the node's set, or of one that
// it covers: all up to a number of characters. It returns nil if there is no class.
func (g *Grammar) class(f frame) (c *class, run int8) {
	set := g.automaton.nodes[f.node].set
	switch {
	case set == noSet || f.within != 0:
		return nil, 0
	case g.covers(set, plainSet):
		set, c = plainSet, g.vocabulary.plain
	default:
		if c = g.classes[set]; c == nil {
			return nil, 0
		}
	}
	return c, g.automaton.run(f.node, func(other int32) bool { return g.covers(other, set) })
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

// taken returns the bytes at which a token that has begun with characters of a class need not be dead, from a node with a set of these on: those
// that something takes which can be reached by such characters.
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
		if n.final || n.root != 0 || len(a.callsOf(nodes[i])) > 0 || len(nodes) > mostRunning || bytes == anyByte {
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
