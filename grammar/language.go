package grammar

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// texts is a set of strings: those that match all of some patterns and none of others, and are none of some texts.
type texts struct {
	all, none, except []string
	length            counts
}

// plain reports whether only the length counts, and there is no limit to that.
func (t texts) plain() bool {
	return len(t.all)+len(t.none) == 0 && t.length == counts{0, -1}
}

// texts returns the strings of a shape.
func (s *shape) texts() texts {
	t := texts{all: s.patterns, except: s.except, length: s.length.written()}
	if pattern := formats[s.format]; pattern != "" && len(s.patterns) == 0 && s.length.most < maxFormatted {
		t.all = []string{pattern}
	}
	return t
}

// strings takes a string of a set, with its quotes.
func (c *compiler) strings(from int32, t texts) (int32, error) {
	var simple *expression
	for _, pattern := range t.all {
		e, err := parsePattern(c.work, pattern)
		if err != nil {
			return 0, fmt.Errorf("pattern %.200q: %w", pattern, err)
		}
		if simple = e; e.looksAhead() {
			simple = nil
			break
		}
	}
	switch {
	case len(t.all)+len(t.none)+len(t.except) == 0:
		return c.string(from, t.length.least, t.length.most), nil
	case simple != nil && len(t.all) == 1 && len(t.none)+len(t.except) == 0:
		to, err := c.pattern(from, simple, t)
		if err != nil {
			return 0, fmt.Errorf("pattern %.200q: %w", t.all[0], err)
		}
		return to, nil
	}
	l, err := newLanguage(c.work, t)
	if err != nil {
		return 0, err
	}
	return l.write(c.builder, c.text(from, `"`), t.length, `"`)
}

const (
	// fewTakers are the instructions of a pattern that can take one character and are followed one by one, which is faster than the states of
	// a language while they are few.
	fewTakers = 8
	// mostTakers are those with which a mask still comes about.
	mostTakers = 256
	// mostStates bounds the states of a language that stand for a pattern, with the numbers of characters after which they are told apart.
	mostStates = 1 << 14
)

// pattern takes a string that matches one pattern, which does not look ahead.
func (c *compiler) pattern(from int32, e *expression, t texts) (int32, error) {
	s, err := newSearch(c.work, e, t.length.least, t.length.most)
	if err != nil {
		return 0, err
	}
	if widest := s.widest(); widest > fewTakers {
		w := newWork(c.work.ctx, compileSteps/4)
		l, err := newLanguage(w, texts{all: t.all})
		small := err == nil && l.states(mostStates/(1+max(t.length.least, t.length.most)))
		c.work.do(w.steps)
		if small {
			l.work = c.work
			return l.write(c.builder, c.text(from, `"`), t.length, `"`)
		}
		if widest > mostTakers {
			return 0, fmt.Errorf("%d of its parts can take one character: %w", widest, ErrTooLarge)
		}
	}
	return s.write(c.builder, c.text(from, `"`))
}

// states reports whether a language has at most so many states.
func (l *language) states(most int) bool {
	seen := map[int32]bool{l.start: true}
	for left := []int32{l.start}; len(left) > 0; {
		id := left[len(left)-1]
		left = left[:len(left)-1]
		for class := range int32(len(l.classes)) {
			if next := l.after(id, class); !seen[next] {
				seen[next] = true
				left = append(left, next)
			}
		}
		if len(seen) > most || !l.work.do(len(l.classes)) {
			return false
		}
	}
	return true
}

// matches reports whether a text matches a pattern.
func (c *compiler) matches(pattern, text string) (bool, error) {
	l := c.languages[pattern]
	if l == nil {
		var err error
		if l, err = newLanguage(c.work, texts{all: []string{pattern}}); err != nil {
			return false, err
		}
		c.languages[pattern] = l
	}
	state := l.start
	for _, r := range text {
		if state = l.after(state, l.classOf(r)); !c.work.do(1) {
			return false, c.work.err
		}
	}
	return l.ends(state), nil
}

// language is a set of strings as an automaton. A state is a formula over the instructions of the patterns' programs: what the rest of the text must
// be like (as in Brzozowski, "Derivatives of regular expressions", 1964). So patterns can be combined, and look ahead.
type language struct {
	search
	formulas []formula
	ids      map[string]int32
	start    int32
	reached  []int32     // by instruction, the formula of what follows it; 0 = not made yet
	classes  []runeSet   // characters that make no difference to each other
	spans    []classSpan // the same, in order
}

type classSpan struct {
	lo    rune
	class int32
}

type formula struct {
	op formulaOp
	of []int32 // formulas, in order
	at int32   // of an instruction that takes a character
	// next has the formulas after a character, by its class; 0 = not made yet.
	next []int32
}

type formulaOp uint8

const (
	always formulaOp = iota + 1
	never
	over // no character follows
	takes
	both
	either
	opposite
)

// Formulas that all languages have, by number.
const (
	alwaysID = iota + 1
	neverID
	overID
)

// newLanguage returns that of a set of strings, without their length.
func newLanguage(w *work, t texts) (*language, error) {
	l := &language{search: search{work: w}, formulas: make([]formula, 1), ids: map[string]int32{}}
	for _, op := range []formulaOp{always, never, over} {
		l.formula(formula{op: op})
	}
	if _, err := l.add(instruction{op: matched}); err != nil {
		return nil, err
	}
	var begins []int32
	program := func(e *expression) error {
		begin, err := l.compile(&expression{kind: sequence, parts: []*expression{{kind: repetition, parts: []*expression{{set: anyRune}}, most: -1}, e.loose(true, true)}}, 0)
		begins = append(begins, begin)
		return err
	}
	for _, pattern := range slices.Concat(t.all, t.none) {
		e, err := parsePattern(w, pattern)
		if err == nil {
			err = program(e)
		}
		if err != nil {
			return nil, fmt.Errorf("pattern %.200q: %w", pattern, err)
		}
	}
	for _, text := range t.except {
		if err := program(literal(text)); err != nil {
			return nil, err
		}
	}
	l.reached = make([]int32, len(l.program))
	if err := l.classify(); err != nil {
		return nil, err
	}
	var parts []int32
	for i, begin := range begins {
		part := l.reach(begin, true)
		if i >= len(t.all) {
			part = l.not(part)
		}
		parts = append(parts, part)
	}
	l.start = l.combine(both, parts)
	return l, l.work.err
}

// literal returns the expression of one text.
func literal(text string) *expression {
	e := &expression{kind: sequence, parts: []*expression{{kind: textBegin}}}
	for _, r := range text {
		e.parts = append(e.parts, &expression{set: runeSet{{r, r}}})
	}
	e.parts = append(e.parts, &expression{kind: textEnd})
	return e
}

// formula returns the number of a formula.
func (l *language) formula(f formula) int32 {
	key := []byte{byte(f.op)}
	key = binary.LittleEndian.AppendUint32(key, uint32(f.at))
	for _, id := range f.of {
		key = binary.LittleEndian.AppendUint32(key, uint32(id))
	}
	id, ok := l.ids[string(key)]
	if !ok {
		id = int32(len(l.formulas))
		l.formulas = append(l.formulas, f)
		l.ids[string(key)] = id
	}
	l.work.do(formulaSteps * (1 + len(f.of)))
	return id
}

func (l *language) not(id int32) int32 {
	switch f := l.formulas[id]; f.op {
	case always:
		return neverID
	case never:
		return alwaysID
	case opposite:
		return f.of[0]
	}
	return l.formula(formula{op: opposite, of: []int32{id}})
}

// combine returns that both of some formulas hold, or either.
func (l *language) combine(op formulaOp, parts []int32) int32 {
	neutral, decisive := int32(alwaysID), int32(neverID)
	if op == either {
		neutral, decisive = decisive, neutral
	}
	var all []int32
	for _, id := range parts {
		if f := l.formulas[id]; f.op == op {
			all = append(all, f.of...)
		} else if id != neutral {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for _, id := range all {
		f := l.formulas[id]
		if id == decisive || f.op == opposite && contains(all, f.of[0]) {
			return decisive
		}
	}
	switch len(all) {
	case 0:
		return neutral
	case 1:
		return all[0]
	}
	return l.formula(formula{op: op, of: all})
}

// contains reports whether a number is in a list in order.
func contains(all []int32, id int32) bool {
	_, found := slices.BinarySearch(all, id)
	return found
}

// reach returns the formula of what follows from an instruction on, before another character.
func (l *language) reach(at int32, begin bool) int32 {
	type way struct{ at, given int32 }
	seen := map[way]bool{}
	var ways []way
	follow := func(at, given int32) {
		if w := (way{at, given}); given != neverID && !seen[w] {
			seen[w] = true
			ways = append(ways, w)
		}
	}
	follow(at, alwaysID)
	var parts []int32
	for len(ways) > 0 && l.work.do(1) {
		w := ways[len(ways)-1]
		ways = ways[:len(ways)-1]
		and := func(id int32) int32 { return l.combine(both, []int32{w.given, id}) }
		switch i := &l.program[w.at]; i.op {
		case take:
			parts = append(parts, and(l.formula(formula{op: takes, at: w.at})))
		case fork:
			follow(i.next, w.given)
			follow(i.or, w.given)
		case wantBegin:
			if begin {
				follow(i.next, w.given)
			}
		case wantEnd:
			follow(i.next, and(overID))
		case matched:
			parts = append(parts, w.given)
		case ahead:
			follow(i.next, and(l.reach(i.or, begin)))
		case notAhead:
			follow(i.next, and(l.not(l.reach(i.or, begin))))
		}
	}
	return l.combine(either, parts)
}

// classify finds the characters that no instruction tells apart.
func (l *language) classify() error {
	var sets []runeSet
	bounds := []rune{0}
	for _, i := range l.program {
		if i.op != take || slices.ContainsFunc(sets, func(s runeSet) bool { return slices.Equal(s, i.set) }) {
			continue
		}
		sets = append(sets, i.set)
		for _, span := range i.set {
			bounds = append(bounds, span.lo, span.hi+1)
		}
	}
	slices.Sort(bounds)
	ids := map[string]int32{}
	for i, lo := range slices.Compact(bounds) {
		if lo > utf8.MaxRune {
			break
		}
		key := make([]byte, len(sets))
		for n, set := range sets {
			if set.has(lo) {
				key[n] = 1
			}
		}
		class, ok := ids[string(key)]
		if !ok {
			class = int32(len(ids))
			ids[string(key)] = class
			l.classes = append(l.classes, nil)
		}
		if i > 0 && !l.work.do(len(sets)) {
			return l.work.err
		}
		l.spans = append(l.spans, classSpan{lo, class})
	}
	for i, span := range l.spans {
		hi := rune(utf8.MaxRune)
		if i+1 < len(l.spans) {
			hi = l.spans[i+1].lo - 1
		}
		l.classes[span.class] = append(l.classes[span.class], runeSpan{span.lo, hi})
	}
	return nil
}

// classOf returns the class of a character.
func (l *language) classOf(r rune) int32 {
	i, found := slices.BinarySearchFunc(l.spans, r, func(s classSpan, r rune) int { return int(s.lo - r) })
	if !found {
		i--
	}
	return l.spans[i].class
}

// after returns the formula after a character of a class.
func (l *language) after(id, class int32) int32 {
	if l.formulas[id].next == nil {
		l.work.do(len(l.classes))
		l.formulas[id].next = make([]int32, len(l.classes))
	}
	if next := l.formulas[id].next[class]; next != 0 {
		return next
	}
	next := int32(neverID)
	switch f := l.formulas[id]; f.op {
	case always:
		next = alwaysID
	case takes:
		if i := l.program[f.at]; i.set.has(l.classes[class][0].lo) {
			if l.reached[i.next] == 0 {
				l.reached[i.next] = l.reach(i.next, false)
			}
			next = l.reached[i.next]
		}
	case opposite:
		next = l.not(l.after(f.of[0], class))
	case both, either:
		var parts []int32
		for _, of := range f.of {
			parts = append(parts, l.after(of, class))
		}
		next = l.combine(f.op, parts)
	}
	if l.work.do(1) {
		l.formulas[id].next[class] = next
	}
	return next
}

// ends reports whether a text may end where a formula says what follows.
func (l *language) ends(id int32) bool {
	f := l.formulas[id]
	switch f.op {
	case always, over:
		return true
	case opposite:
		return !l.ends(f.of[0])
	case both:
		return !slices.ContainsFunc(f.of, func(id int32) bool { return !l.ends(id) })
	case either:
		return slices.ContainsFunc(f.of, l.ends)
	}
	return false
}

// write takes the rest of a string of the language, with its ending; without one, its characters stand as they are. What never
// ends is for [graph.prune].
func (l *language) write(b *builder, from int32, length counts, ending string) (to int32, err error) {
	type state struct{ formula, count int32 }
	nodes := map[state]int32{}
	var left []state // to write
	node := func(s state) int32 {
		n, ok := nodes[s]
		if !ok {
			n = b.node()
			nodes[s] = n
			left = append(left, s)
		}
		return n
	}
	last := b.node()
	to = b.text(last, ending)
	b.skip(from, node(state{l.start, 0}))
	takers := map[string]int32{} // by what follows, and the classes
	var key []byte
	found := false
	for len(left) > 0 {
		s := left[len(left)-1]
		left = left[:len(left)-1]
		at := nodes[s]
		if int(s.count) >= length.least && l.ends(s.formula) {
			b.skip(at, last)
			found = true
		}
		if int(s.count) == length.most {
			continue
		}
		count := s.count + 1
		if length.most < 0 {
			count = min(count, int32(length.least))
		}
		sets := map[state][]int32{} // classes by what follows them
		for class := range int32(len(l.classes)) {
			if next := l.after(s.formula, class); next != neverID {
				sets[state{next, count}] = append(sets[state{next, count}], class)
			}
		}
		for _, next := range slices.SortedFunc(maps.Keys(sets), func(a, b state) int { return int(a.formula - b.formula) }) {
			key = binary.LittleEndian.AppendUint64(key[:0], uint64(next.formula)<<32|uint64(next.count))
			for _, class := range sets[next] {
				key = binary.LittleEndian.AppendUint32(key, uint32(class))
			}
			taker, ok := takers[string(key)]
			if !ok {
				var set runeSet
				for _, class := range sets[next] {
					set = append(set, l.classes[class]...)
				}
				taker = b.node()
				takers[string(key)] = taker
				b.take(taker, node(next), set.sorted(), ending == "")
			}
			b.skip(at, taker)
		}
		if !b.work.do(1+len(l.classes)) || len(b.sets) > maxSets {
			return 0, cmp.Or(b.work.err, ErrTooLarge)
		}
	}
	if !found {
		return 0, errNoString
	}
	return to, nil
}

// formulaSteps are those of one formula, for each of its parts.
const formulaSteps = 12

// maxSets bounds the sets of characters of a grammar, which have tables.
const maxSets = 1024
