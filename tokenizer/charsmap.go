package tokenizer

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"
)

// charsmap is the table of replacements of a SentencePiece model: a double array (Aoe 1989, in the form of the library darts-clone) that
// maps texts to places in a blob of replacements, each of which ends with a zero byte.
type charsmap struct {
	units        []uint32
	replacements string
	keep         *trie // of what is never replaced
}

// parseCharsmap reads a table: the length of the double array in bytes as u32, little-endian, the array, and the replacements.
func parseCharsmap(data []byte) (*charsmap, error) {
	if len(data) < 4 {
		return nil, fmt.Errorf("%d bytes, too few for a table: %w", len(data), ErrInvalid)
	}
	size := binary.LittleEndian.Uint32(data)
	if uint64(size) > uint64(len(data)-4) || size%4 != 0 || size == 0 {
		return nil, fmt.Errorf("an array of %d bytes in a table of %d: %w", size, len(data), ErrInvalid)
	}
	m := &charsmap{units: make([]uint32, size/4), replacements: string(data[4+size:]), keep: newTrie()}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(data[4+4*i:])
	}
	return m, nil
}

// offset returns the place of a node's children, relative to the node.
func offset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

// longest returns the replacement of the longest text in the table with which s begins; n is the length of that text, 0 for none.
func (m *charsmap) longest(s string) (replacement string, n int) {
	const isLeaf, hasLeaf = 1 << 31, 1 << 8
	at := offset(m.units[0])
	for i := range len(s) {
		at ^= uint32(s[i])
		if int64(at) >= int64(len(m.units)) {
			break
		}
		unit := m.units[at]
		if unit&(isLeaf|0xFF) != uint32(s[i]) {
			break
		}
		at ^= offset(unit)
		if unit&hasLeaf == 0 || int64(at) >= int64(len(m.units)) {
			continue
		}
		if from := m.units[at] &^ isLeaf; int64(from) < int64(len(m.replacements)) {
			replacement, _, _ = strings.Cut(m.replacements[from:], "\x00")
			n = i + 1
		}
	}
	return replacement, n
}

// apply replaces, from the beginning of s, the longest texts that the table has.
func (m *charsmap) apply(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for s != "" {
		if m.keep.first[s[0]] {
			if kept, ok := m.keep.match(s, true); ok {
				b.WriteString(kept.text)
				s = s[len(kept.text):]
				continue
			}
		}
		replacement, n := m.longest(s)
		if n > 0 {
			b.WriteString(replacement)
		} else {
			_, n = utf8.DecodeRuneInString(s)
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}
