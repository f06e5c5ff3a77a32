package tokenizer

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// normalizer is the steps that change a text before it is split.
type normalizer []func(string) string

// apply returns the normalised form of s.
func (n normalizer) apply(s string) string {
	for _, step := range n {
		s = step(s)
	}
	return s
}

// replaceAll returns a step that replaces one text by another.
func replaceAll(old, new string) func(string) string {
	return func(s string) string { return strings.ReplaceAll(s, old, new) }
}

// collapseSpaces makes one space of several.
func collapseSpaces(s string) string {
	if !strings.Contains(s, "  ") {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if s[i] != ' ' || i == 0 || s[i-1] != ' ' {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// unicodeForms are the normalisation forms by their names in tokenizer.json.
var unicodeForms = map[string]func(string) string{
	"NFC":  normalize,
	"NFD":  norm.NFD.String,
	"NFKC": norm.NFKC.String,
	"NFKD": norm.NFKD.String,
}
