package fileerr

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bytes of a file's content that an error shows: of one name or value, and of a whole sentence around several.
const (
	maxName = 100
	maxText = 400
)

// Name returns a name or value from a file as an error shows it: what a terminal would act upon is escaped, and what is too long to
// be read is cut.
func Name(s string) string { return clean(s, maxName) }

// Quote returns a name or value from a file in quotation marks, cut like [Name].
func Quote(s string) string {
	if kept := cut(s, maxName); len(kept) < len(s) {
		return fmt.Sprintf("%s… (%d bytes)", strconv.Quote(kept), len(s))
	}
	return strconv.Quote(s)
}

// Text returns a sentence that may hold content of a file, escaped and cut like [Name] but longer.
func Text(s string) string { return clean(s, maxText) }

func clean(s string, limit int) string {
	kept := cut(s, limit)
	var b strings.Builder
	for rest := kept; rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			b.WriteString(strings.Trim(strconv.Quote(rest[:n]), `"`))
		} else {
			b.WriteString(rest[:n])
		}
		rest = rest[n:]
	}
	if len(kept) < len(s) {
		fmt.Fprintf(&b, "… (%d bytes)", len(s))
	}
	return b.String()
}

// cut returns the first limit bytes of s, or somewhat less so as not to end inside a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for n := limit; n > limit-utf8.UTFMax; n-- {
		if utf8.RuneStart(s[n]) {
			return s[:n]
		}
	}
	return s[:limit]
}
