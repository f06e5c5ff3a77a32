package grammar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// expression is a regular expression of ECMA-262, as "pattern" has them, without what no automaton can follow.
type expression struct {
	kind        expressionKind
	set         runeSet       // of a character
	parts       []*expression // of a sequence, or alternatives; of a repetition, one
	least, most int           // of a repetition; most is negative if there is no limit
	negated     bool          // of a look-ahead
}

type expressionKind uint8

const (
	character expressionKind = iota // one of a set
	sequence
	alternatives
	repetition
	textBegin // ^
	textEnd   // $
	lookAhead // what follows matches the only part, or does not
)

// patternParser reads a pattern from left to right.
type patternParser struct {
	rest  string
	depth int
}

func parsePattern(w *work, pattern string) (*expression, error) {
	if !w.do(min(patternSteps*len(pattern), w.limit+1)) {
		return nil, w.err
	}
	p := &patternParser{rest: pattern}
	e, err := p.choice()
	if err == nil && p.rest != "" {
		err = fmt.Errorf("%q closes nothing", p.rest)
	}
	return e, err
}

func (p *patternParser) take(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

// next takes a character; the pattern must not be at its end.
func (p *patternParser) next() rune {
	r, n := utf8.DecodeRuneInString(p.rest)
	p.rest = p.rest[n:]
	return r
}

func (p *patternParser) choice() (*expression, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d: %w", maxDepth, ErrUnsupported)
	}
	defer func() { p.depth-- }()
	all := &expression{kind: alternatives}
	for {
		e, err := p.sequence()
		if err != nil {
			return nil, err
		}
		all.parts = append(all.parts, e)
		if !p.take("|") {
			return all, nil
		}
	}
}

func (p *patternParser) sequence() (*expression, error) {
	all := &expression{kind: sequence}
	for p.rest != "" && p.rest[0] != '|' && p.rest[0] != ')' {
		e, err := p.atom()
		if err == nil {
			e, err = p.repeated(e)
		}
		if err != nil {
			return nil, err
		}
		all.parts = append(all.parts, e)
	}
	return all, nil
}

// repeated returns e with the quantifier that follows. Whether that is greedy makes no difference to what matches.
func (p *patternParser) repeated(e *expression) (*expression, error) {
	least, most, found := 0, -1, true
	switch {
	case p.take("*"):
	case p.take("+"):
		least = 1
	case p.take("?"):
		most = 1
	default:
		if least, most, found = p.counts(); !found {
			return e, nil
		}
	}
	p.take("?")
	if most >= 0 && most < least {
		return nil, fmt.Errorf("{%d,%d} is in the wrong order", least, most)
	}
	if max(least, most) > maxCount {
		return nil, fmt.Errorf("a repetition of %d, more than %d: %w", max(least, most), maxCount, ErrUnsupported)
	}
	return &expression{kind: repetition, parts: []*expression{e}, least: least, most: most}, nil
}

// counts takes {n}, {n,} or {n,m}. Other braces stand for themselves.
func (p *patternParser) counts() (least, most int, found bool) {
	inner, opened := strings.CutPrefix(p.rest, "{")
	if !opened {
		return 0, 0, false
	}
	rest := strings.TrimLeft(inner, "0123456789,")
	body := inner[:len(inner)-len(rest)]
	rest, closed := strings.CutPrefix(rest, "}")
	if !closed {
		return 0, 0, false
	}
	lower, upper, two := strings.Cut(body, ",")
	number := func(s string) int {
		for i := range len(s) {
			if s[i] < '0' || s[i] > '9' {
				return -1
			}
		}
		n, err := strconv.Atoi(s)
		if err != nil && s != "" {
			return maxCount + 1
		}
		return n
	}
	least, most = number(lower), number(upper)
	switch {
	case lower == "" || least < 0 || most < 0:
		return 0, 0, false
	case !two:
		most = least
	case upper == "":
		most = -1
	}
	p.rest = rest
	return least, most, true
}

func (p *patternParser) atom() (*expression, error) {
	switch c := p.next(); c {
	case '(':
		return p.group()
	case '[':
		set, err := p.class()
		return &expression{set: set}, err
	case '.':
		return &expression{set: lineEnds.complement()}, nil
	case '^':
		return &expression{kind: textBegin}, nil
	case '$':
		return &expression{kind: textEnd}, nil
	case '*', '+', '?':
		return nil, fmt.Errorf("%q has nothing to repeat", c)
	case '\\':
		if strings.HasPrefix(p.rest, "b") || strings.HasPrefix(p.rest, "B") {
			return nil, fmt.Errorf("the word boundary \\%c: %w", p.rest[0], ErrUnsupported)
		}
		set, err := p.escape()
		return &expression{set: set}, err
	default:
		return &expression{set: runeSet{{c, c}}}, nil
	}
}

// group takes the rest of a group after its bracket. Nothing asks what it captured.
func (p *patternParser) group() (*expression, error) {
	switch {
	case p.take("?:"):
	case p.take("?<=") || p.take("?<!"):
		return nil, fmt.Errorf("a look-behind: %w", ErrUnsupported)
	case strings.HasPrefix(p.rest, "?=") || strings.HasPrefix(p.rest, "?!"):
		negated := p.rest[1] == '!'
		p.rest = p.rest[2:]
		e, err := p.closed()
		return &expression{kind: lookAhead, parts: []*expression{e}, negated: negated}, err
	case p.take("?<") || p.take("?P<"):
		name, rest, closed := strings.Cut(p.rest, ">")
		if !closed || name == "" {
			return nil, fmt.Errorf("a group without a name")
		}
		p.rest = rest
	case strings.HasPrefix(p.rest, "?"):
		return nil, fmt.Errorf("flags, (%.3s: %w", p.rest, ErrUnsupported)
	}
	return p.closed()
}

// closed takes what stands in a group, and its end.
func (p *patternParser) closed() (*expression, error) {
	e, err := p.choice()
	if err == nil && !p.take(")") {
		err = fmt.Errorf("a bracket ( is not closed")
	}
	return e, err
}

// looksAhead reports whether there is a look-ahead in an expression.
func (e *expression) looksAhead() bool {
	return e.kind == lookAhead || slices.ContainsFunc(e.parts, (*expression).looksAhead)
}

// nothing reports whether an expression is the one that only the empty text matches.
func (e *expression) nothing() bool { return e.kind == sequence && len(e.parts) == 0 }

// loose returns an expression without what makes no difference where any characters may stand before it, or after it: there, a repetition need not
// come more often than it must.
func (e *expression) loose(before, after bool) *expression {
	switch e.kind {
	case alternatives:
		all := &expression{kind: alternatives}
		for _, part := range e.parts {
			part = part.loose(before, after)
			if part.nothing() && (before || after) {
				return part
			}
			all.parts = append(all.parts, part)
		}
		return all
	case sequence:
		parts := slices.Clone(e.parts)
		for after && len(parts) > 0 {
			last := len(parts) - 1
			if parts[last] = parts[last].loose(false, true); !parts[last].nothing() {
				break
			}
			parts = parts[:last]
		}
		for before && len(parts) > 0 {
			if parts[0] = parts[0].loose(true, false); !parts[0].nothing() {
				break
			}
			parts = parts[1:]
		}
		return &expression{kind: sequence, parts: parts}
	case repetition:
		switch {
		case !before && !after:
		case e.least == 0:
			return &expression{kind: sequence}
		case e.least == 1:
			return e.parts[0].loose(before, after)
		default:
			return &expression{kind: repetition, parts: e.parts, least: e.least, most: e.least}
		}
	}
	return e
}

// class takes the rest of a set in square brackets.
func (p *patternParser) class() (runeSet, error) {
	if strings.HasPrefix(p.rest, "[:") {
		return nil, fmt.Errorf("a class [[:name:]]: %w; write what it stands for", ErrUnsupported)
	}
	negated := p.take("^")
	var all runeSet
	for !p.take("]") {
		set, err := p.member()
		if err != nil {
			return nil, err
		}
		if lo, ok := set.single(); ok && strings.HasPrefix(p.rest, "-") && !strings.HasPrefix(p.rest, "-]") {
			p.take("-")
			end, err := p.member()
			if err != nil {
				return nil, err
			}
			if hi, ok := end.single(); !ok {
				set = append(append(set, runeSpan{'-', '-'}), end...)
			} else if hi < lo {
				return nil, fmt.Errorf("the range %c-%c is in the wrong order", lo, hi)
			} else {
				set = runeSet{{lo, hi}}
			}
		}
		all = append(all, set...)
	}
	all = all.sorted()
	if negated {
		all = all.complement()
	}
	return all, nil
}

// member takes a character of a set, or a class of them.
func (p *patternParser) member() (runeSet, error) {
	switch {
	case p.rest == "":
		return nil, fmt.Errorf("a bracket [ is not closed")
	case p.take(`\b`):
		return runeSet{{'\b', '\b'}}, nil
	case p.take(`\`):
		return p.escape()
	}
	c := p.next()
	return runeSet{{c, c}}, nil
}

// escape takes what stands after a backslash.
func (p *patternParser) escape() (runeSet, error) {
	if p.rest == "" {
		return nil, fmt.Errorf("a backslash at the end")
	}
	c := p.next()
	one := func(c rune) (runeSet, error) { return runeSet{{c, c}}, nil }
	switch c {
	case 'd':
		return digits, nil
	case 'D':
		return digits.complement(), nil
	case 'w':
		return wordCharacters, nil
	case 'W':
		return wordCharacters.complement(), nil
	case 's':
		return whiteSpace, nil
	case 'S':
		return whiteSpace.complement(), nil
	case 'p', 'P':
		set, err := p.property()
		if c == 'P' {
			set = set.complement()
		}
		return set, err
	case 't':
		return one('\t')
	case 'n':
		return one('\n')
	case 'v':
		return one('\v')
	case 'f':
		return one('\f')
	case 'r':
		return one('\r')
	case 'c':
		if p.rest != "" && (p.rest[0]|0x20) >= 'a' && (p.rest[0]|0x20) <= 'z' {
			return one(p.next() & 0x1F)
		}
	case 'x':
		if r, ok := p.hex(2); ok {
			return one(r)
		}
	case 'u':
		if r, ok := p.unicode(); ok {
			return one(r)
		}
	case '0':
		if p.rest == "" || p.rest[0] < '0' || p.rest[0] > '9' {
			return one(0)
		}
	case '1', '2', '3', '4', '5', '6', '7', '8', '9', 'k':
		return nil, fmt.Errorf("the back-reference \\%c: %w", c, ErrUnsupported)
	}
	if c < utf8.RuneSelf && (unicode.IsLetter(c) || unicode.IsDigit(c)) {
		return nil, fmt.Errorf("the escape \\%c: %w", c, ErrUnsupported)
	}
	return one(c)
}

// hex takes n hexadecimal digits.
func (p *patternParser) hex(n int) (rune, bool) {
	if len(p.rest) < n {
		return 0, false
	}
	r, err := strconv.ParseUint(p.rest[:n], 16, 32)
	if err == nil {
		p.rest = p.rest[n:]
	}
	return rune(r), err == nil
}

// unicode takes what follows \u: four digits, of which two may make a surrogate pair, or digits in braces.
func (p *patternParser) unicode() (rune, bool) {
	if inner, opened := strings.CutPrefix(p.rest, "{"); opened {
		body, rest, closed := strings.Cut(inner, "}")
		if !closed {
			return 0, false
		}
		r, err := strconv.ParseUint(body, 16, 32)
		p.rest = rest
		return rune(r), err == nil && r <= unicode.MaxRune
	}
	high, ok := p.hex(4)
	if ok && high >= 0xD800 && high < 0xDC00 && p.take(`\u`) {
		low, second := p.hex(4)
		return 0x10000 + (high-0xD800)<<10 + low - 0xDC00, second && low >= 0xDC00 && low < 0xE000
	}
	return high, ok
}

// property takes the name of a class of Unicode after \p: a general category or a script.
func (p *patternParser) property() (runeSet, error) {
	body, rest, closed := strings.Cut(p.rest, "}")
	if !closed || !strings.HasPrefix(body, "{") {
		return nil, fmt.Errorf("\\p without {name}")
	}
	p.rest = rest
	name := body[1:]
	if _, value, found := strings.Cut(name, "="); found {
		name = value
	}
	if short, ok := unicode.CategoryAliases[name]; ok {
		name = short
	}
	table := unicode.Categories[name]
	if table == nil {
		table = unicode.Scripts[name]
	}
	if table == nil {
		return nil, fmt.Errorf("the class \\p{%s}: %w", body[1:], ErrUnsupported)
	}
	return setOf(table), nil
}
