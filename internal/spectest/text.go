package spectest

import (
	"strings"
	"unicode/utf8"
)

// wholeCharacters returns the length of b without an incomplete character at its end.
func wholeCharacters(b []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(b); back++ {
		at := len(b) - back
		if utf8.RuneStart(b[at]) {
			if !utf8.FullRune(b[at:]) {
				return at
			}
			break
		}
	}
	return len(b)
}

func toValid(text string) string { return strings.ToValidUTF8(text, "�") }

// NaiveStop returns the text before the first stop string to be complete, the longest of those that end together.
func NaiveStop(text string, stops []string) (before string, found bool) {
	for end := 1; end <= len(text); end++ {
		longest := 0
		for _, stop := range stops {
			if strings.HasSuffix(text[:end], stop) {
				longest = max(longest, len(stop))
			}
		}
		if longest > 0 {
			return text[:end-longest], true
		}
	}
	return text, false
}

// Letters spells token 0 as a, token 1 as b, and so on.
type Letters struct{}

// Next returns the letter of a token.
func (Letters) Next(token int32) string { return string(rune('a' + token)) }

// Flush returns nothing: no letter is incomplete.
func (Letters) Flush() string { return "" }
