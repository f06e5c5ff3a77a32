// Package terminal keeps text that models and files bring from commanding the terminal that shows it.
package terminal

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Text returns s with control characters as text, in the form that JSON has for them: "\u001b" for an escape. Those are all of C0 but line
// feed and tab, DEL, all of C1, and what reorders the text around it: embeddings, overrides and isolates of the bidirectional algorithm.
// Marks of direction, which scripts from right to left need, stay. A byte that is no UTF-8 becomes "\x9b" or alike, as some terminals take
// it for a control.
func Text(s string) string {
	if !strings.ContainsFunc(s, shown) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		_, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case shown(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Strip returns s without the characters that [Text] shows as text.
func Strip(s string) string {
	return strings.Map(func(r rune) rune {
		if shown(r) {
			return -1
		}
		return r
	}, s)
}

// shown reports whether r is shown as text.
func shown(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r < ' ' || r >= 0x7f && r < 0xa0:
		return true
	}
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// Writer writes to Out what [Text] returns. A character must not be divided between two calls of Write.
type Writer struct{ Out io.Writer }

// Write implements [io.Writer].
func (w Writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.Out, Text(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
