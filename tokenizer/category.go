package tokenizer

import (
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"
)

// category is the general category of a character, in which white space among the control characters has its own.
type category uint8

// The categories that have a meaning of their own; the others follow in the order of categoryNames.
const (
	noCategory   category = iota // control, format, private and unassigned characters, and bytes that are none
	controlSpace                 // U+0009 to U+000D, U+0085
	firstNamed
)

// categoryNames are the other categories.
var categoryNames = []string{"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No",
	"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp"}

// categorySet is a set of categories, a bit each.
type categorySet uint32

func (s categorySet) has(c category) bool { return s>>c&1 != 0 }

// Sets that patterns and scanners use.
var (
	letters = mustCategories("L")
	numbers = mustCategories("N")
	spaces  = mustCategories("Z") | 1<<controlSpace
	words   = letters | mustCategories("M") | mustCategories("Nd") | mustCategories("Pc")
)

// categoriesNamed returns the set of a category, such as "Lu", or of all with a first letter, such as "L".
func categoriesNamed(name string) (set categorySet, ok bool) {
	for i, n := range categoryNames {
		if n == name || n[:1] == name {
			set |= 1 << (int(firstNamed) + i)
		}
	}
	return set, set != 0
}

func mustCategories(name string) categorySet {
	set, _ := categoriesNamed(name)
	return set
}

// categoryPage has the categories of 256 characters in a row.
type categoryPage [256]category

// categoryPages returns the categories of all characters; equal pages are one.
var categoryPages = sync.OnceValue(func() *[(unicode.MaxRune + 1) / 256]*categoryPage {
	all := make([]categoryPage, (unicode.MaxRune+1)/256)
	set := func(first, last rune, c category) {
		for r := first; r <= last; r++ {
			all[r>>8][r&255] = c
		}
	}
	for i, name := range categoryNames {
		c := firstNamed + category(i)
		table := unicode.Categories[name]
		for _, r := range table.R16 {
			for x := uint32(r.Lo); x <= uint32(r.Hi); x += uint32(r.Stride) {
				set(rune(x), rune(x), c)
			}
		}
		for _, r := range table.R32 {
			for x := r.Lo; x <= r.Hi; x += r.Stride {
				set(rune(x), rune(x), c)
			}
		}
	}
	for _, r := range newCharacters {
		set(r.first, r.last, firstNamed+category(slices.Index(categoryNames, r.category)))
	}
	set('\t', '\r', controlSpace)
	set(0x85, 0x85, controlSpace)

	var pages [(unicode.MaxRune + 1) / 256]*categoryPage
	seen := map[categoryPage]*categoryPage{}
	for i, page := range all {
		shared, ok := seen[page]
		if !ok {
			shared = &categoryPage{}
			*shared = page
			seen[page] = shared
		}
		pages[i] = shared
	}
	return &pages
})

// categoryOf returns the category of r.
func categoryOf(r rune) category {
	if r < 0 || r > unicode.MaxRune {
		return noCategory
	}
	return categoryPages()[r>>8][r&255]
}

// categoryAt returns the category, the code point and the length of the first character of s: (noCategory, utf8.RuneError, 1) for a
// byte that is not UTF-8, and a length of 0 at the end.
func categoryAt(s string) (c category, r rune, n int) {
	r, n = utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n <= 1 {
		return noCategory, r, n
	}
	return categoryOf(r), r, n
}

// isSpace reports whether r is white space.
func isSpace(r rune) bool { return spaces.has(categoryOf(r)) }
