package grammar

import (
	"cmp"
	"slices"
	"unicode"
)

// runeSet is a set of characters: spans in ascending order that do not touch.
type runeSet []runeSpan

type runeSpan struct{ lo, hi rune }

// Sets that patterns have names for (ECMA-262, section 22.2.2.9), and those that "." leaves out.
var (
	anyRune        = runeSet{{0, unicode.MaxRune}}
	digits         = runeSet{{'0', '9'}}
	wordCharacters = runeSet{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}
	whiteSpace     = runeSet{
		{'\t', '\r'}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
	}
	lineEnds = runeSet{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}
	// plainRunes are the characters that a string of JSON has as they are, but for two that "." is not.
	plainRunes = runeSet{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}, {0x2028, 0x2029}, {0xD800, 0xDFFF}}.complement()
	letters    = setOf(unicode.L)
)

// setOf returns the characters of a table.
func setOf(table *unicode.RangeTable) runeSet {
	var s runeSet
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			s = append(s, runeSpan{lo, hi})
			return
		}
		for r := lo; r <= hi; r += stride {
			s = append(s, runeSpan{r, r})
		}
	}
	for _, r := range table.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range table.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return s.sorted()
}

// sorted returns the set of some spans in any order.
func (s runeSet) sorted() runeSet {
	s = slices.Clone(s)
	slices.SortFunc(s, func(a, b runeSpan) int { return cmp.Compare(a.lo, b.lo) })
	var out runeSet
	for _, r := range s {
		if n := len(out); n > 0 && r.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, r.hi)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// complement returns all other characters.
func (s runeSet) complement() runeSet {
	var out runeSet
	next := rune(0)
	for _, r := range s {
		if r.lo > next {
			out = append(out, runeSpan{next, r.lo - 1})
		}
		next = r.hi + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, runeSpan{next, unicode.MaxRune})
	}
	return out
}

// single returns the character of a set that has but one.
func (s runeSet) single() (rune, bool) {
	if len(s) != 1 || s[0].lo != s[0].hi {
		return 0, false
	}
	return s[0].lo, true
}

// has reports whether a character is in the set.
func (s runeSet) has(r rune) bool {
	_, found := slices.BinarySearchFunc(s, r, func(span runeSpan, r rune) int {
		switch {
		case span.hi < r:
			return -1
		case span.lo > r:
			return 1
		}
		return 0
	})
	return found
}

// covers reports whether all of t is in s.
func (s runeSet) covers(t runeSet) bool {
	for _, r := range t {
		for len(s) > 0 && s[0].hi < r.lo {
			s = s[1:]
		}
		if len(s) == 0 || r.lo < s[0].lo || s[0].hi < r.hi {
			return false
		}
	}
	return true
}

// size returns the number of characters.
func (s runeSet) size() (n int) {
	for _, r := range s {
		n += int(r.hi-r.lo) + 1
	}
	return n
}

// lacks returns the characters of t that are not in s, if there are at most some.
func (s runeSet) lacks(t runeSet, most int) (lacking []rune, few bool) {
	for _, r := range t {
		for c := r.lo; c <= r.hi; c++ {
			for len(s) > 0 && s[0].hi < c {
				s = s[1:]
			}
			if len(s) > 0 && s[0].lo <= c {
				c = s[0].hi
				continue
			}
			if len(lacking) == most {
				return nil, false
			}
			lacking = append(lacking, c)
		}
	}
	return lacking, true
}
