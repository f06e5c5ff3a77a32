package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// metaspace is the character that SentencePiece writes for a space. Inside this package the tokens and the text have spaces: a text with
// the character itself gives the same tokens as one with a space, as it does there.
const metaspace = "▁"

// pieces says how text becomes the tokens of a vocabulary that is made of characters, as SentencePiece makes them.
type pieces struct {
	byteFallback bool  // a character that is no token becomes its bytes
	unknown      int32 // else it becomes this token; −1 where there is none
	fuseUnknown  bool  // several unknown tokens in a row are one
	prefix       prefixRule
	prefixed     bool // a text begins with a space that is not part of it
}

// prefixRule says before which parts of a text, between added tokens, a space is put.
type prefixRule uint8

const (
	noPrefix      prefixRule = iota
	prefixMissing            // before each that begins with none
	prefixFirst              // before the beginning of the text, if that is none
	prefixEach               // before each
	prefixWords              // before each word, in place of the white space around it, unless the word begins with a metaspace
)

// start returns s with the space that the rule puts before it; inside is whether something of the text came before.
func (p *pieces) start(s string, inside bool) string {
	prefix := false
	switch p.prefix {
	case prefixWords:
		return spacedWords(s)
	case prefixMissing:
		prefix = !strings.HasPrefix(s, " ")
	case prefixFirst:
		prefix = !inside && !strings.HasPrefix(s, " ")
	case prefixEach:
		prefix = true
	}
	if !prefix || s == "" {
		return s
	}
	return " " + s
}

// spacedWords puts one space before each word of s, in place of the white space around it; a metaspace is such a space already.
func spacedWords(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 1)
	for word := range strings.FieldsFuncSeq(s, isSpace) {
		if !strings.HasPrefix(word, metaspace) {
			b.WriteByte(' ')
		}
		b.WriteString(strings.ReplaceAll(word, metaspace, " "))
	}
	return b.String()
}

// spell returns the text of a token.
func (p *pieces) spell(token string) string { return strings.ReplaceAll(token, metaspace, " ") }

// prefixSpace puts a space before a text that is not empty.
func prefixSpace(s string) string {
	if s == "" {
		return s
	}
	return " " + s
}

// byteToken returns the byte that a token such as "<0x0A>" stands for.
func byteToken(token string) (b byte, ok bool) {
	if len(token) != len("<0x00>") || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	high, low := strings.IndexByte(hexDigits, token[3]), strings.IndexByte(hexDigits, token[4])
	return byte(high<<4 | low&15), high >= 0 && low >= 0
}

const hexDigits = "0123456789ABCDEF"

// setTokens fills in the tokens, their index and the single bytes from the texts of all tokens. usable reports whether text is made of
// the token with an id.
func (d *definition) setTokens(texts []string, usable func(id int) bool) {
	d.tokens = make([]string, len(texts))
	d.index = make(map[string]int32, len(texts))
	for b := range d.bytes {
		d.bytes[b] = -1
	}
	for id, text := range texts {
		if b, ok := byteToken(text); ok && d.pieces.byteFallback {
			d.tokens[id] = string([]byte{b})
			d.bytes[b] = int32(id)
			continue
		}
		d.tokens[id] = d.pieces.spell(text)
		// A token with a real space in it is not reached: text has none when it is split.
		if _, known := d.index[d.tokens[id]]; !known && text != "" && usable(id) && !strings.Contains(text, " ") {
			d.index[d.tokens[id]] = int32(id)
		}
	}
}

// fallsBack reports whether the bytes of a character that is no token are tokens.
func (t *Tokenizer) fallsBack(character string) bool {
	for i := range len(character) {
		if !t.pieces.byteFallback || t.bytes[character[i]] < 0 {
			return false
		}
	}
	return true
}

// seams is a splitter that cuts where no token reaches over: a text can be cut between two bytes that are nowhere side by side in a
// token, and each part be tokenised on its own. Bit b of joined[a] says that byte b follows byte a in some token.
type seams struct{ joined [256][4]uint64 }

// newSeams returns the splitter for the tokens of an index.
func newSeams(index map[string]int32) *seams {
	s := &seams{}
	for token := range index {
		for i := 1; i < len(token); i++ {
			a, b := token[i-1], token[i]
			s.joined[a][b>>6] |= 1 << (b & 63)
		}
	}
	return s
}

func (s *seams) next(text string, _ *int) int {
	for i := 1; i < len(text); i++ {
		a, b := text[i-1], text[i]
		if s.joined[a][b>>6]>>(b&63)&1 == 0 && utf8.RuneStart(b) {
			return i
		}
	}
	return len(text)
}

// splitSpaces begins a piece at every space.
func splitSpaces(s string) int {
	if i := strings.IndexByte(s[1:], ' '); i >= 0 {
		return 1 + i
	}
	return len(s)
}
