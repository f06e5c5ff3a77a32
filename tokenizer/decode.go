package tokenizer

import (
	"bytes"
	"unicode/utf8"
)

// Decode returns the text of ids, special tokens included, as valid UTF-8: of a sequence of bytes that is none, each maximal
// part that could have begun a character becomes U+FFFD. Ids that stand for nothing are left out. The ids are a whole text: where the
// tokenizer puts a space before a text, one is taken away. See [Stream] for leaving out special tokens.
func (t *Tokenizer) Decode(ids []int32) string {
	size := 0
	for _, id := range ids {
		size += len(t.Token(id))
	}
	raw := make([]byte, 0, size)
	for _, id := range ids {
		raw = append(raw, t.Token(id)...)
	}
	if t.pieces != nil && t.pieces.prefixed {
		raw = bytes.TrimPrefix(raw, []byte(" "))
	}
	if utf8.Valid(raw) {
		return string(raw)
	}
	text, rest := appendText(nil, raw)
	return string(append(text, flushText(rest)...))
}

// Stream decodes tokens one by one, as the continuation of a text. The concatenation of everything it returns is what [Tokenizer.Decode]
// returns for all the tokens, but that a space at the beginning stays. A Stream is for one goroutine.
type Stream struct {
	// SkipSpecial leaves control tokens out of the text, but for the tags of thoughts, which [Thoughts] looks for. Of a model that writes in channels it leaves
	// headers out and writes the tags. Set it before the first call of Next.
	SkipSpecial bool

	t        *Tokenizer
	channels *channels // nil if the model has none

	pending []byte // the beginning of a character, at most three bytes between calls
	text    []byte
}

// NewStream returns a Stream at the beginning of a text.
func (t *Tokenizer) NewStream() *Stream {
	s := &Stream{t: t}
	if t.HasChannels() {
		s.channels = &channels{}
	}
	return s
}

// Next returns the text that token id completes: whole characters, or nothing while the last one is incomplete. Bytes that
// can no longer become a character come out as U+FFFD at once, and so do those before a control token that is left out.
func (s *Stream) Next(id int32) string {
	token := s.t.Token(id)
	if s.SkipSpecial && s.t.IsSpecial(id) && token != thinkStart && token != thinkEnd {
		text := s.Flush()
		if s.channels == nil {
			return text
		}
		if text != "" {
			text = s.channels.word(text)
		}
		return text + s.channels.control(token)
	}
	s.pending = append(s.pending, token...)
	text, rest := appendText(s.text[:0], s.pending)
	s.text = text
	s.pending = append(s.pending[:0], rest...)
	if s.channels != nil && s.SkipSpecial {
		return s.channels.word(string(text))
	}
	return string(text)
}

// Flush ends the text: it returns U+FFFD for an incomplete character at the end, else nothing. The Stream can be used for
// another text then.
func (s *Stream) Flush() string {
	text := flushText(s.pending)
	s.pending = s.pending[:0]
	return text
}

// appendText appends the characters of raw to dst, up to an incomplete one at the end, which it returns as rest.
func appendText(dst, raw []byte) (text, rest []byte) {
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		if r != utf8.RuneError || n > 1 {
			dst = append(dst, raw[:n]...)
			raw = raw[n:]
			continue
		}
		if !utf8.FullRune(raw) {
			return dst, raw
		}
		dst = utf8.AppendRune(dst, utf8.RuneError)
		raw = raw[maximalPart(raw):]
	}
	return dst, nil
}

// maximalPart returns how many bytes of raw, which begins with no character, could have begun one; at least 1. See "U+FFFD
// Substitution of Maximal Subparts" in chapter 3.9 of the Unicode standard.
func maximalPart(raw []byte) int {
	n := min(3, len(raw))
	for n > 1 && utf8.FullRune(raw[:n]) {
		n--
	}
	return n
}

// flushText returns what an incomplete character turns into at the end of a text.
func flushText(rest []byte) string {
	if len(rest) == 0 {
		return ""
	}
	return string(utf8.RuneError)
}
