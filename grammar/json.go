package grammar

import (
	"context"
	"math/bits"
	"slices"
	"sync"
)

// layout is how the parts of objects and arrays are set off, which JSON leaves open, and which words there are.
type layout struct {
	comma, colon string // what stands for these
	space        bool   // white space may follow brackets and commas, and precede brackets
	words
}

// words stand for the values that have names.
type words struct{ null, no, yes string }

var (
	jsonWords = words{"null", "false", "true"}
	// oneLine is the layout of most JSON in one line, such as Python's; it leaves the model no choice.
	oneLine = layout{comma: ", ", colon: ": ", words: jsonWords}
	// anyLayout lets the model choose line breaks and indentation.
	anyLayout = layout{comma: ",", colon: ":", space: true, words: jsonWords}
	// pythonLine is the layout of Python's literals.
	pythonLine = layout{comma: ", ", colon: ": ", words: words{"None", "False", "True"}}
)

// maxIndent is the number of spaces that may follow a line break, and maxDigits that of digits in each part of a number, and in
// the exponent 2: a model that gets stuck in one of them must not go on forever, and what is read as a 64-bit float must fit.
const (
	maxIndent = 40
	maxDigits = 15
)

// builder makes the rules of JSON.
type builder struct {
	*graph
	layout  layout
	anyRule int32 // of any value; 0 = not made yet
	gap     int32 // rule of white space; 0 = not made yet
}

// newBuilder returns a builder; its first node is in no rule.
func newBuilder(l layout, w *work) *builder {
	b := &builder{graph: &graph{work: w, sets: slices.Clone(commonSets())}, layout: l}
	b.node()
	return b
}

// blank takes white space where the layout has some.
func (b *builder) blank(from int32) int32 {
	if !b.layout.space {
		return from
	}
	if b.gap == 0 {
		b.gap = b.node()
		b.end(b.gap)
		last := b.node()
		b.end(last)
		b.span(b.gap, ' ', ' ', last)
		line := b.node()
		b.span(b.gap, '\n', '\n', line)
		for range maxIndent {
			b.end(line)
			next := b.node()
			b.span(line, ' ', ' ', next)
			line = next
		}
		b.end(line)
	}
	to := b.node()
	b.call(from, b.gap, to)
	return to
}

func (b *builder) open(from int32, bracket string) int32  { return b.blank(b.text(from, bracket)) }
func (b *builder) close(from int32, bracket string) int32 { return b.text(b.blank(from), bracket) }
func (b *builder) comma(from int32) int32                 { return b.blank(b.text(from, b.layout.comma)) }

// commaTo takes a comma before a node, with white space where the layout has some.
func (b *builder) commaTo(from int32, comma string, to int32) {
	if b.layout.space {
		b.skip(b.blank(b.text(from, comma)), to)
		return
	}
	b.literal(from, comma, to)
}

func (b *builder) colon(from int32) int32 { return b.blank(b.text(from, b.layout.colon)) }

// any takes any JSON value.
func (b *builder) any(from int32) int32 {
	if b.anyRule == 0 {
		b.anyRule = b.node()
		to := b.node()
		b.end(to)
		for _, end := range []int32{
			b.text(b.anyRule, b.layout.null), b.text(b.anyRule, b.layout.yes), b.text(b.anyRule, b.layout.no),
			b.number(b.anyRule, false), b.string(b.anyRule, 0, -1),
			b.array(b.anyRule, nil, b.any, counts{0, -1}), b.object(b.anyRule, nil, b.anyMember, counts{0, -1}),
		} {
			b.skip(end, to)
		}
	}
	to := b.node()
	b.call(from, b.anyRule, to)
	return to
}

// number takes a number, or an integer in its usual form.
func (b *builder) number(from int32, integer bool) int32 {
	to := b.node()
	positive := b.node()
	b.skip(from, positive)
	b.span(from, '-', '-', positive)
	whole := b.node() // the digits before the point are complete
	b.span(positive, '0', '0', whole)
	digit := b.node()
	b.span(positive, '1', '9', digit)
	b.digits(digit, maxDigits-1, whole)
	b.skip(whole, to)
	if integer {
		return to
	}
	fraction, exponent := b.node(), b.node()
	b.skip(whole, exponent)
	b.span(whole, '.', '.', fraction)
	b.digit(fraction, maxDigits, exponent)
	power := b.node()
	b.oneOf(exponent, "eE", power)
	sign := b.node()
	b.skip(power, sign)
	b.oneOf(power, "+-", sign)
	b.digit(sign, 2, to)
	b.skip(exponent, to)
	return to
}

// digits takes up to most digits.
func (b *builder) digits(from int32, most int, to int32) {
	b.skip(from, to)
	for range most {
		next := b.node()
		b.span(from, '0', '9', next)
		b.skip(next, to)
		from = next
	}
}

// digit takes at least one digit, and up to most.
func (b *builder) digit(from int32, most int, to int32) {
	first := b.node()
	b.span(from, '0', '9', first)
	b.digits(first, most-1, to)
}

// either takes one of some texts. What they begin with in common is one way.
func (b *builder) either(from int32, texts []string) int32 {
	texts = slices.Clone(texts)
	slices.Sort(texts)
	start, to := b.node(), b.node()
	b.skip(from, start)
	b.branch(start, slices.Compact(texts), to)
	return to
}

// branch makes a node that has nothing else take one of some texts, which are in order, each once.
func (b *builder) branch(from int32, texts []string, to int32) {
	first, last := texts[0], texts[len(texts)-1]
	common := shared(first, last)
	if b.work.err != nil || len(texts) == 1 {
		b.fix(from, b.keep(first), to)
		return
	}
	if common > 0 {
		next := b.node()
		b.fix(from, b.keep(first[:common]), next)
		from = next
	}
	if len(first) == common {
		b.skip(from, to)
		texts = texts[1:]
	}
	for len(texts) > 0 {
		c, n := texts[0][common], 0
		for n < len(texts) && texts[n][common] == c {
			texts[n] = texts[n][common+1:]
			n++
		}
		next := to
		if n > 1 || texts[0] != "" {
			next = b.node()
			b.branch(next, texts[:n], to)
		}
		b.span(from, c, c, next)
		texts = texts[n:]
	}
}

// shared returns the number of bytes with which both texts begin.
func shared[T string | []byte](a, b T) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// string takes a string of at least least characters, and at most most unless that is negative.
func (b *builder) string(from int32, least, most int) int32 {
	body := b.text(from, `"`)
	for range least {
		next := b.node()
		b.character(body, next, true)
		body = next
	}
	to := b.node()
	b.span(body, '"', '"', to)
	if most < 0 {
		b.character(body, body, true)
	}
	for range most - least {
		next := b.node()
		b.character(body, next, true)
		b.span(next, '"', '"', to)
		body = next
	}
	return to
}

// character takes one character of a string, escaped or not.
func (b *builder) character(from, to int32, escapes bool) {
	set := int32(rawSet)
	if escapes {
		set = stringSet
	}
	b.nodes[from].set, b.nodes[from].after = set, to
}

// commonSets are the sets that all automata have.
var commonSets = sync.OnceValue(func() []characters {
	table := func(escapes bool) [][256]int16 {
		b := &builder{graph: &graph{work: newWork(context.Background(), compileSteps)}}
		from, to := b.node(), b.node()
		b.spellCharacter(from, to, escapes)
		return b.table(from, to)
	}
	return []characters{noSet: {}, plainSet: newCharacters(plainRunes, plainRunes.table(), false), stringSet: newCharacters(plainRunes, table(true), false),
		rawSet: newCharacters(plainRunes, table(false), false), letterSet: newCharacters(letters, letters.table(), false),
	}
})

// spellCharacter takes one character of a string, escaped or not, by its bytes.
func (b *builder) spellCharacter(from, to int32, escapes bool) {
	b.span(from, 0x20, '"'-1, to)
	b.span(from, '"'+1, '\\'-1, to)
	b.span(from, '\\'+1, 0x7F, to)
	b.beyondASCII(from, to)
	if !escapes {
		return
	}
	escape := b.node()
	b.span(from, '\\', '\\', escape)
	b.oneOf(escape, `"\/bfnrt`, to)
	unicode := b.node()
	b.span(escape, 'u', 'u', unicode)
	// A surrogate stands only as a pair.
	first, surrogate := b.node(), b.node()
	b.oneOf(unicode, "0123456789abcefABCEF", first)
	b.oneOf(unicode, "dD", surrogate)
	second := b.hex(first)
	b.span(surrogate, '0', '7', second)
	b.hexTo(b.hex(second), to)
	high := b.node()
	b.oneOf(surrogate, "89abAB", high)
	pair, low, last := b.node(), b.node(), b.node()
	b.span(b.hex(b.hex(high)), '\\', '\\', pair)
	b.span(pair, 'u', 'u', low)
	d := b.node()
	b.oneOf(low, "dD", d)
	b.oneOf(d, "cdefCDEF", last)
	b.hexTo(b.hex(last), to)
}

// hex takes a hexadecimal digit.
func (b *builder) hex(from int32) int32 {
	to := b.node()
	b.hexTo(from, to)
	return to
}

func (b *builder) hexTo(from, to int32) {
	b.span(from, '0', '9', to)
	b.span(from, 'a', 'f', to)
	b.span(from, 'A', 'F', to)
}

// beyondASCII takes one character of more than one byte: table 3-7 of the Unicode standard.
func (b *builder) beyondASCII(from, to int32) {
	last := b.node()
	b.span(last, 0x80, 0xBF, to)
	b.span(from, 0xC2, 0xDF, last)
	middle := b.node()
	b.span(middle, 0x80, 0xBF, last)
	before := b.node()
	b.span(before, 0x80, 0xBF, middle)
	for _, r := range []struct {
		lo, hi   byte // first byte
		from, to byte // second byte
		after    int32
	}{
		{0xE0, 0xE0, 0xA0, 0xBF, last}, {0xE1, 0xEC, 0x80, 0xBF, last}, {0xED, 0xED, 0x80, 0x9F, last}, {0xEE, 0xEF, 0x80, 0xBF, last},
		{0xF0, 0xF0, 0x90, 0xBF, middle}, {0xF1, 0xF3, 0x80, 0xBF, middle}, {0xF4, 0xF4, 0x80, 0x8F, middle},
	} {
		second := b.node()
		b.span(from, r.lo, r.hi, second)
		b.span(second, r.from, r.to, r.after)
	}
}

// array takes an array of some first items, and then of others. count is how many there may be in all.
func (b *builder) array(from int32, first []func(from int32) int32, item func(from int32) int32, count counts) int32 {
	last := b.open(from, "[")
	end := b.node()   // before the closing bracket
	rule := int32(-1) // of the other items, however often they come
	for n := 0; ; n++ {
		if n >= count.least {
			b.skip(last, end)
		}
		if n == count.most {
			break
		}
		before := last
		if n > 0 {
			before = b.comma(last)
		}
		if n < len(first) {
			last = first[n](before)
			continue
		}
		if rule < 0 {
			rule = b.node()
			b.end(item(rule))
		}
		if n > 0 && n >= count.least && count.most < 0 {
			b.call(before, rule, last)
			break
		}
		last = b.node()
		b.call(before, rule, last)
	}
	return b.close(end, "]")
}

// set takes an array of texts, each at most once.
func (b *builder) set(from int32, texts []string, count counts) int32 {
	after := make([]int32, 1<<len(texts)) // by the texts that were written
	for i := range after {
		after[i] = b.node()
	}
	b.skip(b.open(from, "["), after[0])
	end := b.node()
	for written, node := range after {
		n := bits.OnesCount(uint(written))
		if count.contain(n) {
			b.skip(node, end)
		}
		if n == count.most {
			continue
		}
		if n > 0 {
			node = b.comma(node)
		}
		for i, text := range texts {
			if written>>i&1 == 0 {
				b.skip(b.text(node, text), after[written|1<<i])
			}
		}
	}
	return b.close(end, "]")
}

// anyMember takes a member of any name and value.
func (b *builder) anyMember(from int32) int32 { return b.any(b.colon(b.string(from, 0, -1))) }

// JSON returns the grammar of any JSON object, laid out as the model likes within limits: numbers have at most 15 digits, and
// 40 spaces follow a line break at most.
func (v *Vocabulary) JSON() *Grammar {
	b := newBuilder(anyLayout, newWork(context.Background(), compileSteps))
	start := b.node()
	b.end(b.object(start, nil, b.anyMember, counts{0, -1}))
	return v.grammar(b.graph, start)
}

// grammar returns the grammar of a rule.
func (v *Vocabulary) grammar(graph *graph, start int32) *Grammar {
	g := &Grammar{vocabulary: v}
	g.automaton, g.start = graph.reduce(start)
	g.classify(graph.work)
	g.forget()
	return g
}
