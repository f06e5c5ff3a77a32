package grammar

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// spelling is how a string of JSON spells the characters of a set, escaped only where they must be: the bytes that can come next, and what can
// follow each.
type spelling struct{ edges []spelledByte }

type spelledByte struct {
	lo, hi byte
	next   *spelling // if nil, the character is complete
}

// byteSpans are the spans of the bytes of a character, one after the other: lo and hi by turns.
type byteSpans string

// spell returns the spelling of a set.
func spell(set runeSet) *spelling {
	var all []byteSpans
	exactly := func(text string) {
		var spans []byte
		for i := range len(text) {
			spans = append(spans, text[i], text[i])
		}
		all = append(all, byteSpans(spans))
	}
	for _, r := range set {
		for c := r.lo; c <= min(r.hi, '\\'); c++ {
			if i := strings.IndexRune("\b\f\n\r\t\"\\", c); i >= 0 {
				exactly(`\` + `bfnrt"\`[i:i+1])
			} else if c < ' ' {
				exactly(fmt.Sprintf(`\u%04x`, c))
			}
		}
	}
	for _, raw := range append([]runeSpan{{' ', '!'}, {'#', '['}, {']', 0x7F}}, multibyte...) {
		all = appendSpan(all, set, raw)
	}
	return fold(all, map[string]*spelling{})
}

// multibyte are the characters of two bytes, of three and of four.
var multibyte = []runeSpan{{0x80, 0x7FF}, {0x800, 0xD7FF}, {0xE000, 0xFFFF}, {0x10000, utf8.MaxRune}}

// encode returns the spelling of a set in which no character is escaped.
func encode(set runeSet) *spelling {
	var all []byteSpans
	for _, span := range append([]runeSpan{{0, 0x7F}}, multibyte...) {
		all = appendSpan(all, set, span)
	}
	return fold(all, map[string]*spelling{})
}

// appendSpan appends the forms of the characters of a set that are in a span, which have as many bytes in UTF-8.
func appendSpan(all []byteSpans, set runeSet, span runeSpan) []byteSpans {
	for _, r := range set {
		if lo, hi := max(r.lo, span.lo), min(r.hi, span.hi); lo <= hi {
			all = appendEncoded(all, lo, hi)
		}
	}
	return all
}

// appendEncoded appends the forms of the characters from lo to hi, which have as many bytes in UTF-8.
func appendEncoded(all []byteSpans, lo, hi rune) []byteSpans {
	// Where only one byte differs, or those after it take all values, the spans of bytes are independent of each other.
	for bits := 6; bits <= 18 && lo >= utf8.RuneSelf; bits += 6 {
		low := rune(1)<<bits - 1
		switch {
		case lo&^low == hi&^low:
			bits = 18
		case lo&low != 0:
			return appendEncoded(appendEncoded(all, lo, lo|low), lo|low+1, hi)
		case hi&low != low:
			return appendEncoded(appendEncoded(all, lo, hi&^low-1), hi&^low, hi)
		}
	}
	first, last := utf8.AppendRune(nil, lo), utf8.AppendRune(nil, hi)
	var spans []byte
	for i := range first {
		spans = append(spans, first[i], last[i])
	}
	return append(all, byteSpans(spans))
}

// fold brings spans into the form in which a byte leads to one place only. Equal places are one; known has them.
func fold(all []byteSpans, known map[string]*spelling) *spelling {
	slices.Sort(all)
	var key strings.Builder
	var bounds []int
	for _, spans := range all {
		fmt.Fprintf(&key, "%d %s", len(spans), spans)
		bounds = append(bounds, int(spans[0]), int(spans[1])+1)
	}
	if s, ok := known[key.String()]; ok {
		return s
	}
	s := &spelling{}
	known[key.String()] = s
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	for i := 0; i < len(bounds)-1; i++ {
		var rest []byteSpans
		complete := false
		for _, spans := range all {
			if int(spans[0]) <= bounds[i] && bounds[i] <= int(spans[1]) {
				complete = len(spans) == 2
				rest = append(rest, spans[2:])
			}
		}
		switch {
		case complete:
			s.edges = append(s.edges, spelledByte{byte(bounds[i]), byte(bounds[i+1] - 1), nil})
		case rest != nil:
			s.edges = append(s.edges, spelledByte{byte(bounds[i]), byte(bounds[i+1] - 1), fold(rest, known)})
		}
	}
	return s
}

// table returns what follows each byte while characters follow one another: 0 where one is complete, as at the beginning, or dead.
func (s *spelling) table() [][256]int16 {
	table := make([][256]int16, 1)
	ids := map[*spelling]int16{s: 0}
	for queue := []*spelling{s}; len(queue) > 0; queue = queue[1:] {
		from := ids[queue[0]]
		for b := range table[from] {
			table[from][b] = dead
		}
		for _, e := range queue[0].edges {
			to := int16(0)
			if e.next != nil {
				var ok bool
				if to, ok = ids[e.next]; !ok {
					to = int16(len(table))
					ids[e.next] = to
					table = append(table, [256]int16{})
					queue = append(queue, e.next)
				}
			}
			for b := int(e.lo); b <= int(e.hi); b++ {
				table[from][b] = to
			}
		}
	}
	return table
}

// table returns that of the spelling of a set.
func (set runeSet) table() [][256]int16 { return spell(set).table() }

// take takes one character of a set, escaped where a string of JSON wants that, or as it is. Nothing else may begin at from with a character.
func (b *builder) take(from, to int32, set runeSet, raw bool) {
	b.work.do(len(b.sets))
	id := int32(slices.IndexFunc(b.sets, func(c characters) bool { return c.raw == raw && slices.Equal(c.runes, set) }))
	if id < 0 {
		id = int32(len(b.sets))
		spelled := spell(set)
		if raw {
			spelled = encode(set)
		}
		b.sets = append(b.sets, newCharacters(set, spelled.table(), raw))
		b.work.do(rowSteps*len(b.sets[id].table) + spanSteps*len(set))
	}
	b.nodes[from].set, b.nodes[from].after = id, to
}
