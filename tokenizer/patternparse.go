package tokenizer

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a pattern. Real ones have up to 1500 bytes and one level of groups.
const (
	maxPatternLen   = 16 << 10
	maxPatternDepth = 8
	maxRepetition   = 1000
)

// parsePattern compiles a regular expression in the syntax that tokenizer.json and tekken.json use. Known are alternatives, characters,
// sets, categories (\p{L}), \s, \S, \d, \D, repetitions of these, groups that are not repeated but may be absent, with or without (?i:,
// lookaheads, and $. The error names what else there is.
func parsePattern(source string) (*pattern, error) {
	if len(source) > maxPatternLen {
		return nil, fmt.Errorf("pattern of %d bytes, more than %d: %w", len(source), maxPatternLen, ErrUnsupported)
	}
	parser := patternParser{rest: source}
	alternatives, err := parser.alternatives(nil, 0)
	if err == nil && parser.rest != "" {
		err = parser.unknown()
	}
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", shorten(source), err)
	}
	p := &pattern{alternatives: alternatives, first: make([][256]bool, len(alternatives))}
	for i, a := range alternatives {
		if a.firstBytes(&p.first[i]) {
			p.first[i] = allBytes
		}
	}
	return p, nil
}

var allBytes = func() (all [256]bool) {
	for i := range all {
		all[i] = true
	}
	return all
}()

// firstBytes adds the bytes with which n and what follows can begin, and reports whether they can match nothing.
func (n *node) firstBytes(into *[256]bool) (empty bool) {
	for ; n != nil; n = n.next {
		switch n.kind {
		case repeatNode:
			for b := range into {
				into[b] = into[b] || b >= utf8.RuneSelf || n.set.ascii[b]
			}
			if n.min > 0 {
				return false
			}
		case choiceNode: // what follows is part of each alternative
			for _, a := range n.inner {
				empty = a.firstBytes(into) || empty
			}
			return empty
		}
	}
	return true
}

type patternParser struct {
	rest string
	fold bool // letters match in any case
}

// unknown is the error about what is next in the source.
func (p *patternParser) unknown() error {
	what := p.rest
	if len(what) > 8 {
		what = strings.ToValidUTF8(what[:8], "") + "…"
	}
	return fmt.Errorf("%q is not known here: %w", what, ErrUnsupported)
}

// take skips a prefix of the source, if it is there.
func (p *patternParser) take(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	if ok {
		p.rest = rest
	}
	return ok
}

// alternatives parses up to the end or a closing bracket; each alternative ends with then.
func (p *patternParser) alternatives(then *node, depth int) ([]*node, error) {
	if depth > maxPatternDepth {
		return nil, fmt.Errorf("more than %d levels of groups: %w", maxPatternDepth, ErrUnsupported)
	}
	var all []*node
	for {
		n, err := p.sequence(then, depth)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
		if !p.take("|") {
			return all, nil
		}
	}
}

// sequence parses one alternative, linked from its end: then follows it.
func (p *patternParser) sequence(then *node, depth int) (*node, error) {
	if p.rest == "" || p.rest[0] == '|' || p.rest[0] == ')' {
		if then == nil {
			return &node{kind: emptyNode}, nil
		}
		return then, nil
	}
	if strings.HasPrefix(p.rest, "(") {
		return p.group(then, depth)
	}
	n := &node{}
	if p.take("$") {
		n.kind = endNode
	} else {
		set, err := p.set()
		if err != nil {
			return nil, err
		}
		n.set = set
		if n.min, n.max, n.possessive, err = p.repetition(); err != nil {
			return nil, err
		}
	}
	next, err := p.sequence(then, depth)
	if next != nil && next.kind == emptyNode {
		next = nil
	}
	n.next = next
	return n, err
}

// group parses a group or a lookahead, and what follows it.
func (p *patternParser) group(then *node, depth int) (*node, error) {
	n := &node{kind: choiceNode}
	fold := p.fold
	switch {
	case p.take("(?i:"):
		p.fold = true
	case p.take("(?:"):
	case p.take("(?="):
		n.kind = lookaheadNode
	case p.take("(?!"):
		n.kind, n.negative = lookaheadNode, true
	case strings.HasPrefix(p.rest, "(?"):
		return nil, p.unknown()
	default:
		p.take("(")
	}
	// What follows the group is parsed first, from behind its closing bracket, so that the alternatives can be linked to it.
	body := *p
	if _, err := p.alternatives(nil, depth+1); err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, fmt.Errorf("a group is not closed: %w", ErrInvalid)
	}
	p.fold = fold
	optional := false
	if n.kind == choiceNode {
		min, max, _, err := p.repetition()
		if err != nil {
			return nil, err
		}
		if max != 1 {
			return nil, fmt.Errorf("a group is repeated: %w", ErrUnsupported)
		}
		optional = min == 0
	}
	next, err := p.sequence(then, depth)
	if err != nil {
		return nil, err
	}
	if n.kind == lookaheadNode {
		n.inner, err = body.alternatives(nil, depth+1)
		if next.kind != emptyNode {
			n.next = next
		}
		return n, err
	}
	if n.inner, err = body.alternatives(next, depth+1); err != nil {
		return nil, err
	}
	if optional {
		n.inner = append(n.inner, next)
	}
	return n, nil
}

// repetition parses a quantifier, if there is one.
func (p *patternParser) repetition() (min, max int, possessive bool, err error) {
	min, max = 1, 1
	switch {
	case p.take("*"):
		min, max = 0, math.MaxInt
	case p.take("+"):
		max = math.MaxInt
	case p.take("?"):
		min = 0
	case p.take("{"):
		text, rest, closed := strings.Cut(p.rest, "}")
		from, to, isRange := strings.Cut(text, ",")
		min, err = strconv.Atoi(from)
		if max = min; isRange && err == nil {
			if max = math.MaxInt; to != "" {
				max, err = strconv.Atoi(to)
			}
		}
		if err != nil || !closed || min < 0 || min > max || min > maxRepetition || isRange && to != "" && max > maxRepetition {
			return 0, 0, false, fmt.Errorf("a repetition {%s}: %w", shorten(text), ErrUnsupported)
		}
		p.rest = rest
	default:
		return 1, 1, false, nil
	}
	if p.take("+") {
		possessive = true
	} else if strings.HasPrefix(p.rest, "?") || strings.HasPrefix(p.rest, "*") {
		return 0, 0, false, p.unknown()
	}
	return min, max, possessive, nil
}

// set parses what stands for one character.
func (p *patternParser) set() (*charSet, error) {
	if p.take("[") {
		return p.class()
	}
	if strings.ContainsRune("^.*+?{}]", rune(p.rest[0])) {
		return nil, p.unknown()
	}
	b := setBuilder{}
	if err := p.member(&b); err != nil {
		return nil, err
	}
	return b.build(false), nil
}

// class parses a set in square brackets, behind the first.
func (p *patternParser) class() (*charSet, error) {
	negated := p.take("^")
	b := setBuilder{inClass: true}
	for first := true; first || !p.take("]"); first = false {
		if p.rest == "" {
			return nil, fmt.Errorf("a set is not closed: %w", ErrInvalid)
		}
		if p.rest[0] == '[' || strings.HasPrefix(p.rest, "&&") {
			return nil, p.unknown()
		}
		if err := p.member(&b); err != nil {
			return nil, err
		}
	}
	return b.build(negated), nil
}

// member parses a character, an escape, or in a class a range, and adds it to a set.
func (p *patternParser) member(b *setBuilder) error {
	r, set, negated, err := p.character()
	if err != nil {
		return err
	}
	if set != 0 {
		b.add(set, negated)
		return nil
	}
	last := r
	if len(p.rest) > 1 && p.rest[0] == '-' && p.rest[1] != ']' && b.inClass {
		p.rest = p.rest[1:]
		if last, set, _, err = p.character(); err != nil {
			return err
		}
		if set != 0 || last < r {
			return fmt.Errorf("a range from %q: %w", r, ErrInvalid)
		}
	}
	b.ranges = append(b.ranges, runeRange{r, last})
	if p.fold && r == last {
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			b.ranges = append(b.ranges, runeRange{f, f})
		}
	}
	return nil
}

// character parses a character, or an escape that stands for a set of categories.
func (p *patternParser) character() (r rune, set categorySet, negated bool, err error) {
	r, n := utf8.DecodeRuneInString(p.rest)
	if r != '\\' {
		if r == utf8.RuneError && n <= 1 {
			return 0, 0, false, fmt.Errorf("not UTF-8: %w", ErrInvalid)
		}
		p.rest = p.rest[n:]
		return r, 0, false, nil
	}
	if len(p.rest) < 2 {
		return 0, 0, false, p.unknown()
	}
	escaped := p.rest[1]
	switch escaped {
	case 's', 'S':
		set, negated = spaces, escaped == 'S'
	case 'd', 'D':
		set, negated = mustCategories("Nd"), escaped == 'D'
	case 'p', 'P':
		name, rest, ok := strings.Cut(strings.TrimPrefix(p.rest[2:], "{"), "}")
		if ok {
			set, ok = categoriesNamed(name)
		}
		if !ok {
			return 0, 0, false, p.unknown()
		}
		p.rest = rest
		return 0, set, escaped == 'P', nil
	case 'r':
		r = '\r'
	case 'n':
		r = '\n'
	case 't':
		r = '\t'
	default:
		if escaped >= utf8.RuneSelf || 'a' <= escaped|0x20 && escaped|0x20 <= 'z' || '0' <= escaped && escaped <= '9' {
			return 0, 0, false, p.unknown()
		}
		r = rune(escaped)
	}
	p.rest = p.rest[2:]
	return r, set, negated, nil
}

// setBuilder collects the members of a set.
type setBuilder struct {
	inClass    bool
	categories categorySet
	ranges     []runeRange
}

func (b *setBuilder) add(set categorySet, negated bool) {
	if negated {
		set = ^set
	}
	b.categories |= set
}

// build makes the set, or its complement.
func (b *setBuilder) build(negated bool) *charSet {
	c := &charSet{categories: b.categories, negated: negated}
	for r := range rune(utf8.RuneSelf) {
		in := b.categories.has(categoryOf(r))
		for _, x := range b.ranges {
			in = in || x.first <= r && r <= x.last
		}
		c.ascii[r] = in != negated
	}
	slices.SortFunc(b.ranges, func(x, y runeRange) int { return int(x.first - y.first) })
	for _, x := range b.ranges {
		if last := len(c.ranges) - 1; last >= 0 && x.first <= c.ranges[last].last+1 {
			c.ranges[last].last = max(c.ranges[last].last, x.last)
		} else {
			c.ranges = append(c.ranges, x)
		}
	}
	return c
}
