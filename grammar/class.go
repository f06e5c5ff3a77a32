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
	states, counts := []int16{0}, []int8{0} // by depth, up to the present branch
	for i := 1; i < len(v.trie); {
		b := &v.trie[i]
		state, count := table[states[b.depth-1]][b.last], counts[b.depth-1]
		if state == 0 {
			count++
		}
		if state == dead || count > mostCharacters {
			for ; i < int(b.after); i++ {
				c.longest[i] = outside
			}
			continue
		}
		states, counts = append(states[:b.depth], state), append(counts[:b.depth], count)
		switch {
		case b.token < 0:
		case state == 0:
			c.longest[i] = count
			c.tokens[count][b.token/64] |= 1 << (b.token % 64)
		default:
			c.longest[i] = outside
		}
		i++
	}
	for i := len(v.trie) - 1; i >= 0; i-- {
		after := v.trie[i].after
		for below := int32(i) + 1; below < after && c.longest[i] != outside; below = v.trie[below].after {
			c.longest[i] = max(c.longest[i], c.longest[below])
		}
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

// class returns the tokens that can follow at a node, not within a character, as they spell only characters of the node's set, or of one that
// it covers: all up to a number of characters. It returns nil if that is not worth while.
func (g *Grammar) class(f frame) (c *class, run int8) {
	a := &g.automaton
	set := a.nodes[f.node].set
	switch {
	case set == noSet || f.within != 0:
		return nil, 0
	case g.covers(set, plainSet):
		set, c = plainSet, g.vocabulary.plain
	default:
		if c = g.classes[set]; c == nil {
			if a.sets[set].size() <= fewCharacters || len(g.classes) == mostClasses {
				return nil, 0
			}
			c = g.vocabulary.within(a.tables[set])
			g.classes[set] = c
		}
	}
	return c, a.run(f.node, func(other int32) bool { return g.covers(other, set) })
}

// covers reports whether a set of the automaton has all characters of another one.
func (g *Grammar) covers(set, other int32) bool {
	if set == other {
		return true
	}
	pair := [2]int32{set, other}
	covers, ok := g.covered[pair]
	if !ok {
		covers = g.automaton.sets[set].covers(g.automaton.sets[other])
		g.covered[pair] = covers
	}
	return covers
}
