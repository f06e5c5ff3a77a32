package grammar

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Vocabulary is what the tokens of a model spell. It is safe for concurrent use.
type Vocabulary struct {
	size  int
	end   []int32 // tokens that end a text
	text  []string
	trie  []branch // in depth-first order, children by byte; the first is the root
	after []int32  // by branch, the first one that is not below it: of most, walks need no more
	order []int32  // tokens in the order of the trie
	first []int32  // by branch, the index in order of the first token that ends there or later
	depth int32    // of the trie
	blank int32    // branch of the token that is a blank

	plain, letters *classes // of plainRunes and letters
}

// branch is a node of the trie of all tokens.
type branch struct {
	token int32  // that ends here, or -1
	depth uint16 // bytes up to here
	last  byte   // the last of them
}

// noText is a byte that no text has.
const noText = 0xFF

// maxTokens, and maxText bytes of one, are far more than any model has.
const (
	maxTokens = 1 << 24
	maxText   = 1<<16 - 1
)

// NewVocabulary returns the vocabulary of size tokens. spell returns the bytes of one, and "" for tokens that stand for no text,
// which will not be allowed, nor will those of 64 KiB or more. A control token may be spelled with the byte 0xFF, which no text has, before its name: only a [Literal] that has the same
// allows it. end are the tokens that end a text; there must be at least one.
func NewVocabulary(size int, spell func(token int32) string, end []int32) (*Vocabulary, error) {
	if size < 0 || size > maxTokens {
		return nil, fmt.Errorf("grammar: vocabulary of %d tokens, outside 0 to %d", size, maxTokens)
	}
	if spell == nil {
		return nil, errors.New("grammar: vocabulary: no function that spells a token")
	}
	v := &Vocabulary{size: size, end: slices.Clone(end), text: make([]string, size)}
	if len(end) == 0 {
		return nil, errors.New("grammar: vocabulary: no token ends a text")
	}
	for _, token := range end {
		if token < 0 || int(token) >= size {
			return nil, fmt.Errorf("grammar: vocabulary: token %d, which ends texts, is not one of %d", token, size)
		}
	}
	order := make([]int32, 0, size)
	var single [256]bool
	for token := range int32(size) {
		if slices.Contains(end, token) {
			continue
		}
		text := spell(token)
		if text == "" || len(text) > maxText {
			continue
		}
		v.text[token] = text
		order = append(order, token)
		if len(text) == 1 {
			single[text[0]] = true
		}
	}
	single[noText] = true
	if b := slices.Index(single[:], false); b >= 0 {
		return nil, fmt.Errorf("grammar: vocabulary: no token for the single byte 0x%02X, without which some texts could not be spelled", b)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(v.text[a], v.text[b]) })
	v.grow(order)
	v.blank = v.child(0, ' ')
	v.plain, v.letters = v.classes(plainRunes.table()), v.classes(letters.table())
	return v, nil
}

// Size returns the number of tokens.
func (v *Vocabulary) Size() int { return v.size }

// grow makes the trie of tokens in the order of their texts. Of several with one text, the first stands for all.
func (v *Vocabulary) grow(order []int32) {
	v.trie, v.after = append(v.trie, branch{token: -1}), append(v.after, 0)
	var open []int32 // branches from the root to the latest
	open = append(open, 0)
	before := ""
	for _, token := range order {
		text := v.text[token]
		shared := 0
		for shared < min(len(before), len(text)) && before[shared] == text[shared] {
			shared++
		}
		v.shut(open[shared+1:])
		open = open[:shared+1]
		for i := shared; i < len(text); i++ {
			open, v.after = append(open, int32(len(v.trie))), append(v.after, 0)
			v.trie = append(v.trie, branch{token: -1, depth: uint16(i + 1), last: text[i]})
			v.depth = max(v.depth, int32(i+1))
		}
		if b := &v.trie[open[len(open)-1]]; b.token < 0 {
			b.token = token
		} else {
			v.text[token] = ""
		}
		before = text
	}
	v.shut(open)
	v.first = make([]int32, len(v.trie)+1)
	for i, b := range v.trie {
		v.first[i] = int32(len(v.order))
		if b.token >= 0 {
			v.order = append(v.order, b.token)
		}
	}
	v.first[len(v.trie)] = int32(len(v.order))
}

// below returns the tokens that end below a branch.
func (v *Vocabulary) below(branch int32) []int32 {
	return v.order[v.first[branch+1]:v.first[v.after[branch]]]
}

// shut ends branches at the trie's present end.
func (v *Vocabulary) shut(branches []int32) {
	for _, b := range branches {
		v.after[b] = int32(len(v.trie))
	}
}

// child returns the branch below at that takes a byte, or -1.
func (v *Vocabulary) child(at int32, b byte) int32 {
	for i := at + 1; i < v.after[at]; i = v.after[i] {
		if v.trie[i].last == b {
			return i
		}
	}
	return -1
}

// walk visits the branches below a branch, at which m is at a spot, as far as m takes them, until visit returns false, which also learns whether
// the rule may have ended. It leaves out those that are on the way only to tokens that are known: below there, and, as blank says of a spot,
// after a blank. Where open, if not nil, says of a state of the machine that all tokens below a branch can follow, which it then visits itself, it takes none
// of their bytes. It borrows spots, which it returns for the next walk.
func (v *Vocabulary) walk(m *machine, below int32, from spot, known []settled, blank func(spot) []settled, open func(state, branch int32) bool, spots []spot, visit func(at int32, done bool) bool) []spot {
	base, end, blankEnd := v.trie[below].depth, v.after[below], v.after[v.blank]
	spots = append(spots[:0], from)
	all := known
	for i := below + 1; i < end; {
		if !m.work.do(1 + len(known)/4) {
			break
		}
		if i == blankEnd {
			known = all
		}
		if len(known) > 0 && has(known, i) {
			i = v.after[i]
			continue
		}
		b := &v.trie[i]
		at := spots[b.depth-base-1]
		if at.state != 0 {
			at.state = m.step(at.state, b.last)
		} else {
			at = m.stepSimple(at.frame, b.last)
		}
		after := v.after[i]
		if at.state == dead {
			i = after
			continue
		}
		if !visit(i, at.state != 0 && m.states.at(at.state).done) {
			break
		}
		if after == i+1 {
			i++
			continue
		}
		if open != nil && at.state != 0 && open(at.state, i) {
			m.work.steps += int(after-i) / openBranches
			i = after
			continue
		}
		spots = append(spots[:b.depth-base], at)
		if i == v.blank && blank != nil {
			known = append(known[:len(known):len(known)], blank(at)...)
		}
		i++
	}
	return spots
}
