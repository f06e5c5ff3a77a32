package grammar

// class are the tokens that spell characters of one set only.
type class struct {
	// tokens are masks, by the most characters that a token may have.
	tokens [mostCharacters + 1][]uint64
	// longest is, by branch of the trie, the most characters of the tokens there and below, all of which are in the class; or outside.
	longest []int8
}

const (
	// mostCharacters is the number of characters up to which tokens are told apart. Longer ones are few.
	mostCharacters = 32
	outside        = mostCharacters + 1
)

// within returns the class of a set that table spells.
func (v *Vocabulary) within(table [][256]int16) *class {
	c := &class{longest: make([]int8, len(v.trie))}
	for n := range c.tokens {
		c.tokens[n] = make([]uint64, (v.size+63)/64)
	}
	type place struct {
		state, count int16
		branch       int32
	}
	path := make([]place, v.depth+1) // by depth, up to the present branch
	// reach says of the branch at a depth, and of those above it, that there is a token of so many characters.
	reach := func(depth int32, count int8) {
		for ; depth >= 0 && c.longest[path[depth].branch] < count; depth-- {
			c.longest[path[depth].branch] = count
		}
	}
	for i := int32(1); int(i) < len(v.trie); {
		b := &v.trie[i]
		at := path[b.depth-1]
		if at.state = table[at.state][b.last]; at.state == 0 {
			at.count++
		}
		if at.state == dead || at.count > mostCharacters {
			reach(b.depth-1, outside)
			for ; i < b.after; i++ {
				c.longest[i] = outside
			}
			continue
		}
		at.branch = i
		path[b.depth] = at
		switch {
		case b.token < 0:
		case at.state == 0:
			reach(b.depth, int8(at.count))
			c.tokens[at.count][b.token/64] |= 1 << (b.token % 64)
		default:
			reach(b.depth, outside)
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
func (c *class) size() int { return len(c.longest) + 8*len(c.tokens)*len(c.tokens[0]) }

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
