package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// trie finds added tokens in text: at each place the longest one. The work is at most maxAddedLen look-ups a byte, whatever
// the text is.
type trie struct {
	first [256]bool        // bytes with which a token begins
	edges map[uint64]int32 // node<<8 | byte → node
	found map[int32]added  // the token that ends at a node
}

func newTrie() *trie {
	return &trie{edges: map[uint64]int32{}, found: map[int32]added{}}
}

func edgeKey(node int32, b byte) uint64 { return uint64(node)<<8 | uint64(b) }

func (t *trie) insert(a added) {
	t.first[a.text[0]] = true
	node := int32(0)
	for i := range len(a.text) {
		key := edgeKey(node, a.text[i])
		next, ok := t.edges[key]
		if !ok {
			next = int32(len(t.edges) + 1)
			t.edges[key] = next
		}
		node = next
	}
	t.found[node] = a
}

// match returns the longest token with which s begins, control tokens only if control is set.
func (t *trie) match(s string, control bool) (a added, ok bool) {
	node := int32(0)
	for i := range len(s) {
		next, more := t.edges[edgeKey(node, s[i])]
		if !more {
			break
		}
		node = next
		if f, end := t.found[node]; end && (control || !f.control) {
			a, ok = f, true
		}
	}
	return a, ok
}

// spellsControl reports whether s begins with a control token.
func (t *trie) spellsControl(s string) bool {
	if !t.first[s[0]] {
		return false
	}
	a, ok := t.match(s, true)
	return ok && a.control
}

// cut calls token for the tokens found in s and text for what lies between them, in order; empty texts are left out.
// It may end before the end of s, as c says.
func (t *trie) cut(c *checks, s string, control bool, token func(id int32), text func(s string)) {
	start := 0
	for i := 0; i < len(s) && len(t.found) > 0 && c.look(1); {
		if !t.first[s[i]] {
			i++
			continue
		}
		a, ok := t.match(s[i:], control)
		if !ok {
			i++
			continue
		}
		from, to := i, i+len(a.text)
		i = to
		if a.word && (endsWithWord(s[:from]) || beginsWithWord(s[to:])) {
			continue
		}
		if a.left {
			from = max(start, len(strings.TrimRightFunc(s[:from], isSpace)))
		}
		if a.right {
			to = len(s) - len(strings.TrimLeftFunc(s[to:], isSpace))
		}
		if start < from {
			text(s[start:from])
		}
		token(a.id)
		start, i = to, max(i, to)
	}
	if start < len(s) && c.err == nil {
		text(s[start:])
	}
}

func endsWithWord(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && isWord(r)
}

func beginsWithWord(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && isWord(r)
}

// isWord reports whether r is a letter, a mark, a digit or an underscore.
func isWord(r rune) bool { return words.has(categoryOf(r)) }
