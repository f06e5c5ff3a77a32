package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// joiner is U+034F COMBINING GRAPHEME JOINER, which package norm puts into runs of more than 30 combining marks.
const joiner = "\u034F"

// normalize returns the NFC form of s; bytes that are not UTF-8 stay.
func normalize(s string) string {
	out := norm.NFC.String(s)
	if strings.Count(out, joiner) != strings.Count(s, joiner) {
		return compose(decompose(s))
	}
	return out
}

// unit is a character, or a byte that is none, with its canonical combining class.
type unit struct {
	text string
	ccc  uint8
}

// decompose returns the canonical decomposition of s with combining marks in canonical order.
func decompose(s string) []unit {
	units := make([]unit, 0, len(s))
	for s != "" {
		_, n := utf8.DecodeRuneInString(s)
		for parts := norm.NFD.String(s[:n]); parts != ""; {
			_, size := utf8.DecodeRuneInString(parts)
			units = append(units, unit{parts[:size], norm.NFD.PropertiesString(parts[:size]).CCC()})
			parts = parts[size:]
		}
		s = s[n:]
	}
	for from := 0; from < len(units); from++ {
		to := from
		for to < len(units) && units[to].ccc != 0 {
			to++
		}
		slices.SortStableFunc(units[from:to], func(a, b unit) int { return int(a.ccc) - int(b.ccc) })
		from = to
	}
	return units
}

// compose is the canonical composition algorithm (Unicode standard, chapter 3.11, D117) without the limit on combining
// marks that package norm sets.
func compose(units []unit) string {
	out := units[:0]
	starter := -1
	for _, u := range units {
		if starter >= 0 {
			last := out[len(out)-1]
			if starter == len(out)-1 || last.ccc != 0 && last.ccc < u.ccc {
				if joined := norm.NFC.String(out[starter].text + u.text); utf8.RuneCountInString(joined) == 1 {
					out[starter].text = joined
					continue
				}
			}
		}
		if u.ccc == 0 {
			starter = len(out)
		}
		out = append(out, u)
	}
	var b strings.Builder
	for _, u := range out {
		b.WriteString(u.text)
	}
	return b.String()
}
