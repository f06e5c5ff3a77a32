package grammar

import (
	"context"
	"unicode/utf8"
)

// layout is how the parts of objects and arrays are set off: JSON leaves that open.
type layout struct {
	comma, colon string // what stands for these
	space        bool   // white space may follow brackets and commas, and precede brackets
}

var (
	// oneLine is the layout of most JSON in one line, such as Python's; it leaves the model no choice.
	oneLine = layout{comma: ", ", colon: ": "}
	// anyLayout lets the model choose line breaks and indentation.
	anyLayout = layout{comma: ",", colon: ":", space: true}
)

// maxIndent is the number of spaces that may follow a line break, and maxDigits that of digits in each part of a number, and in
// the exponent 2: a model that gets stuck in one of them must not go on forever, and what is read as a 64-bit float must fit.
const (
	maxIndent = 40
	maxDigits = 15
)

// builder makes the rules of JSON.
type builder struct {
	automaton
	work    *work
	layout  layout
	anyRule int32 // of any value; 0 = not made yet
	gap     int32 // rule of white space; 0 = not made yet
}

// newBuilder returns a builder; its first node is in no rule.
func newBuilder(l layout, w *work) *builder {
	b := &builder{work: w, layout: l}
	b.sets, b.tables = []runeSet{nil, plainRunes}, make([][][256]int16, 2)
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
func (b *builder) colon(from int32) int32                 { return b.blank(b.text(from, b.layout.colon)) }

// any takes any JSON value.
func (b *builder) any(from int32) int32 {
	if b.anyRule == 0 {
		b.anyRule = b.node()
		to := b.node()
		b.end(to)
		for _, end := range []int32{
			b.text(b.anyRule, "null"), b.text(b.anyRule, "true"), b.text(b.anyRule, "false"),
			b.number(b.anyRule, false), b.string(b.anyRule, 0, -1),
			b.array(b.anyRule, 0, -1, b.any), b.object(b.anyRule, nil, b.any),
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
	b.span(from, 0x20, '"'-1, to)
	b.span(from, '"'+1, '\\'-1, to)
	b.span(from, '\\'+1, 0x7F, to)
	b.beyondASCII(from, to)
	b.nodes[from].set, b.nodes[from].after = plainSet, to
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
	low, last := b.text(b.hex(b.hex(high)), `\u`), b.node()
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

// array takes an array of at least least items, and at most most unless that is negative. item takes one.
func (b *builder) array(from int32, least, most int, item func(from int32) int32) int32 {
	inside := b.open(from, "[")
	end := b.node() // before the closing bracket
	if least == 0 {
		b.skip(inside, end)
	}
	if most == 0 {
		return b.close(end, "]")
	}
	// One rule for the item, however often it comes.
	rule := b.node()
	b.end(item(rule))
	next := func(from int32) int32 {
		to := b.node()
		b.call(from, rule, to)
		return to
	}
	last := next(inside)
	for n := 1; ; n++ {
		if n >= least {
			b.skip(last, end)
		}
		if n == most {
			break
		}
		if most < 0 && n >= least {
			again := b.comma(last)
			b.call(again, rule, last)
			break
		}
		last = next(b.comma(last))
	}
	return b.close(end, "]")
}

// property is a member of an object.
type property struct {
	name     string
	required bool
	value    func(from int32) int32
}

// object takes an object of the given properties, in their order, and then of others with values that others takes; nil
// others: of no others.
func (b *builder) object(from int32, properties []property, others func(from int32) int32) int32 {
	first, later := b.open(from, "{"), b.node() // before the next property, without and with one before it
	for _, p := range properties {
		name := b.node()
		b.skip(first, name)
		b.skip(b.comma(later), name)
		nextFirst, nextLater := b.node(), b.node()
		b.skip(p.value(b.colon(b.text(name, quoted(p.name)))), nextLater)
		if !p.required {
			b.skip(first, nextFirst)
			b.skip(later, nextLater)
		}
		first, later = nextFirst, nextLater
	}
	if others != nil {
		name := b.node()
		b.skip(first, name)
		b.skip(b.comma(later), name)
		var names []string
		for _, p := range properties {
			names = append(names, quoted(p.name)[1:])
		}
		b.skip(others(b.colon(b.otherName(b.text(name, `"`), names))), later)
	}
	end := b.node()
	b.skip(first, end)
	b.skip(later, end)
	return b.close(end, "}")
}

// otherName takes the rest of a string, after its opening quote, that is none of names, which end with their quote. If there
// are names, it has no escapes, which could spell one of them, and does not begin as a name does up to a character that is
// escaped or beyond ASCII.
func (b *builder) otherName(from int32, names []string) int32 {
	to, free, start := b.node(), b.node(), b.node()
	b.span(free, '"', '"', to)
	b.character(free, free, len(names) == 0)
	b.character(start, free, len(names) == 0)
	b.span(start, '"', '"', to)
	b.otherwise(from, b.nodes[start].edges, names)
	return to
}

// otherwise takes what edges take, unless it is the whole of a name.
func (b *builder) otherwise(from int32, edges []edge, names []string) {
	next := map[byte][]string{}
	for _, name := range names {
		next[name[0]] = append(next[name[0]], name[1:])
	}
	for _, e := range edges {
		lo := int(e.lo)
		for c := lo; c <= int(e.hi); c++ {
			if next[byte(c)] == nil {
				continue
			}
			if lo < c {
				b.span(from, byte(lo), byte(c-1), e.to)
			}
			lo = c + 1
			if c != '"' && c < utf8.RuneSelf {
				at := b.node()
				b.span(from, byte(c), byte(c), at)
				b.otherwise(at, edges, next[byte(c)])
			}
		}
		if lo <= int(e.hi) {
			b.span(from, byte(lo), e.hi, e.to)
		}
	}
}

// JSON returns the grammar of any JSON object, laid out as the model likes within limits: numbers have at most 15 digits, and
// 40 spaces follow a line break at most.
func (v *Vocabulary) JSON() *Grammar {
	b := newBuilder(anyLayout, newWork(context.Background(), compileSteps))
	start := b.node()
	b.end(b.object(start, nil, b.any))
	return v.grammar(b.automaton, start)
}

// grammar returns the grammar of a rule.
func (v *Vocabulary) grammar(a automaton, start int32) *Grammar {
	g := &Grammar{vocabulary: v, automaton: a, start: start, known: map[frame]*continuations{}, classes: map[int32]*class{}, covered: map[[2]int32]bool{}}
	g.inside = newMachine(&g.automaton)
	return g
}
