package tokenizer

import (
	"slices"
	"unicode/utf8"
)

// pattern is a compiled regular expression of a pre-tokenizer. It matches as Perl does: alternatives in their order, repetitions as long
// as they can be, and shorter where what follows does not match.
type pattern struct {
	alternatives []*node
	first        [][256]bool // by alternative: the bytes with which it can begin
}

// node is a part of a pattern. What follows it is its next; the last one's is nil.
type node struct {
	kind       nodeKind
	set        *charSet
	min, max   int  // repetitions of set
	possessive bool // the repetition is never made shorter
	inner      []*node
	negative   bool // of a lookahead
	next       *node
}

type nodeKind uint8

const (
	repeatNode    nodeKind = iota // characters of set
	choiceNode                    // one of inner; each of them ends with this node's next
	lookaheadNode                 // one of inner matches here, or with negative none does
	endNode                       // the end of the text
	emptyNode                     // nothing
)

// charSet is a set of characters.
type charSet struct {
	ascii      [utf8.RuneSelf]bool
	categories categorySet // of the other characters
	ranges     []runeRange // more of the other characters, in order
	negated    bool        // categories and ranges are what is not in the set
}

type runeRange struct{ first, last rune }

// at reports whether the first character of s is in the set, and its length.
func (c *charSet) at(s string) (n int, ok bool) {
	if s == "" {
		return 0, false
	}
	if s[0] < utf8.RuneSelf {
		return 1, c.ascii[s[0]]
	}
	kind, r, n := categoryAt(s)
	return n, (c.categories.has(kind) || c.inRanges(r)) != c.negated
}

func (c *charSet) inRanges(r rune) bool {
	_, found := slices.BinarySearchFunc(c.ranges, r, func(x runeRange, r rune) int {
		switch {
		case x.last < r:
			return -1
		case x.first > r:
			return 1
		}
		return 0
	})
	return found
}

// matcher runs a pattern over a text.
type matcher struct {
	text string
	work *int // characters that may still be looked at
}

// next returns the length of the first piece of s: what the pattern matches at its beginning, or else all before the first match. It
// takes what it looks at from work; when nothing is left of that, all of s is one piece.
func (p *pattern) next(s string, work *int) int {
	m := matcher{s, work}
	for i := 0; i < len(s) && *work > 0; {
		if end, ok := p.match(&m, i); ok {
			if i > 0 {
				return i
			}
			return end
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		i += n
	}
	return len(s)
}

// match returns the end of the match that begins at a place in the text.
func (p *pattern) match(m *matcher, at int) (end int, ok bool) {
	*m.work--
	b := m.text[at]
	for i, alternative := range p.alternatives {
		if !p.first[i][b] {
			continue
		}
		if end := m.run(alternative, at); end > at {
			return end, true
		}
	}
	return at, false
}

// run returns where a match of n and what follows it ends, −1 if there is none.
func (m *matcher) run(n *node, at int) int {
	for ; n != nil; n = n.next {
		switch n.kind {
		case repeatNode:
			if n.next == nil || n.min == n.max || n.possessive {
				if at = m.repeat(n, at); at < 0 {
					return -1
				}
				continue
			}
			return m.repeatThen(n, at)
		case choiceNode:
			return m.choose(n.inner, at)
		case lookaheadNode:
			if (m.choose(n.inner, at) >= 0) == n.negative {
				return -1
			}
		case endNode:
			if at < len(m.text) {
				return -1
			}
		}
	}
	return at
}

// choose returns where the first of the alternatives that matches ends.
func (m *matcher) choose(alternatives []*node, at int) int {
	for _, a := range alternatives {
		if end := m.run(a, at); end >= 0 {
			return end
		}
	}
	return -1
}

// repeat returns where the longest repetition of n ends.
func (m *matcher) repeat(n *node, at int) int {
	count := 0
	for count < n.max {
		size, ok := n.set.at(m.text[at:])
		if !ok {
			break
		}
		at += size
		count++
	}
	*m.work -= count + 1
	if count < n.min {
		return -1
	}
	return at
}

// repeatThen matches n as often as what follows allows.
func (m *matcher) repeatThen(n *node, at int) int {
	count, end := 0, at
	for count < n.max {
		size, ok := n.set.at(m.text[end:])
		if !ok {
			break
		}
		end += size
		count++
	}
	*m.work -= count + 1
	for ; count >= n.min; count-- {
		if found := m.run(n.next, end); found >= 0 {
			return found
		}
		if *m.work--; count == 0 || *m.work < 0 {
			return -1
		}
		_, size := utf8.DecodeLastRuneInString(m.text[at:end])
		end -= size
	}
	return -1
}
