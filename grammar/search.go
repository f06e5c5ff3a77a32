package grammar

// search makes the rule of the strings of which some part matches a pattern: that is what "pattern" asks for.
//
//  1. The pattern becomes a program: instructions that take a character, branch, or want the text to begin or end, as in Thompson, "Regular
//     expression search algorithm", 1968. Any characters may stand before and after the match.
//  2. An instruction after a number of characters, as far as that matters, is a position. All are found that the first leads to, and of
//     these, those that lead to the end: what is generated never gets stuck.
//  3. Those become nodes, and their edges take the characters as JSON spells them.
type search struct {
	work        *work
	program     []instruction
	least, most int32 // characters; most is negative if there is no limit

	points map[position]*point
	order  []*point // in which they were found
	seen   []int    // when a way was last gone, by instruction, and another one for the text's end
}

type instruction struct {
	op   operation
	set  runeSet // of take
	next int32
	or   int32 // of fork, and where a look-ahead begins
}

type operation uint8

const (
	take operation = iota // a character
	fork
	wantBegin
	wantEnd
	matched
	ahead // what follows leads from or to a match; only a language has it
	notAhead
)

// position is an instruction, and the number of characters before it.
type position struct{ at, count int32 }

// point is a position at the beginning or after a character.
type point struct {
	count  int32
	takes  []int32 // instructions that can take the next character
	ends   bool    // the text may end here
	before []*point
	useful bool // the end can be reached
	node   int32
}

// newSearch returns the search for a pattern in strings of at least least characters, and at most most unless that is negative.
func newSearch(w *work, e *expression, least, most int) (*search, error) {
	s := &search{work: w, least: int32(least), most: int32(most), points: map[position]*point{}}
	start, err := s.start(e)
	if err != nil {
		return nil, err
	}
	if err := s.explore(start); err != nil {
		return nil, err
	}
	if !s.order[0].useful {
		return nil, errNoString
	}
	return s, nil
}

// widest returns the largest number of instructions that can take the character after a point.
func (s *search) widest() int {
	n := 0
	for _, p := range s.order {
		n = max(n, len(p.takes))
	}
	return n
}

// add appends an instruction to the program.
func (s *search) add(i instruction) (int32, error) {
	if !s.work.do(nodeSteps) {
		return 0, s.work.err
	}
	s.program = append(roomy(s.work, s.program, 1), i)
	return int32(len(s.program) - 1), nil
}

// start makes the program, and returns its first instruction.
func (s *search) start(e *expression) (int32, error) {
	end, _ := s.add(instruction{op: matched})
	anything := &expression{kind: repetition, parts: []*expression{{set: anyRune}}, most: -1}
	if e = e.loose(true, true); e.nothing() {
		return s.compile(anything, end)
	}
	return s.compile(&expression{kind: sequence, parts: []*expression{anything, e, anything}}, end)
}

// compile adds the instructions of an expression, which go on with next, and returns the first.
func (s *search) compile(e *expression, next int32) (first int32, err error) {
	switch e.kind {
	case character:
		return s.add(instruction{op: take, set: e.set, next: next})
	case textBegin:
		return s.add(instruction{op: wantBegin, next: next})
	case textEnd:
		return s.add(instruction{op: wantEnd, next: next})
	case lookAhead:
		begin, err := s.compile(e.parts[0], 0) // the first instruction is a match
		if err != nil {
			return 0, err
		}
		op := ahead
		if e.negated {
			op = notAhead
		}
		return s.add(instruction{op: op, next: next, or: begin})
	case sequence:
		for i := len(e.parts) - 1; i >= 0 && err == nil; i-- {
			next, err = s.compile(e.parts[i], next)
		}
		return next, err
	case alternatives:
		first, err = s.compile(e.parts[0], next)
		for _, part := range e.parts[1:] {
			var other int32
			if err == nil {
				other, err = s.compile(part, next)
			}
			if err == nil {
				first, err = s.add(instruction{op: fork, next: first, or: other})
			}
		}
		return first, err
	}
	part := e.parts[0]
	first = next
	if e.most < 0 {
		loop, err := s.add(instruction{op: fork, or: next})
		if err != nil {
			return 0, err
		}
		body, err := s.compile(part, loop)
		if err != nil {
			return 0, err
		}
		s.program[loop].next, first = body, loop
	}
	for range e.most - e.least {
		if first, err = s.compile(part, first); err != nil {
			return 0, err
		}
		if first, err = s.add(instruction{op: fork, next: first, or: next}); err != nil {
			return 0, err
		}
	}
	for range e.least {
		before := first
		if first, err = s.compile(part, first); err != nil || first == before { // nothing, however often
			return first, err
		}
	}
	return first, nil
}

// explore finds the points that the first instruction leads to, and which of them lead to the end.
func (s *search) explore(first int32) error {
	s.seen = make([]int, 2*len(s.program))
	s.point(position{first, 0})
	for i := 0; i < len(s.order); i++ {
		p := s.order[i]
		for _, at := range p.takes {
			next := s.point(s.after(at, p.count))
			next.before = append(next.before, p)
			if s.work.err != nil {
				return s.work.err
			}
		}
	}
	var work []*point
	for _, p := range s.order {
		if p.ends {
			p.useful = true
			work = append(work, p)
		}
	}
	for len(work) > 0 {
		p := work[len(work)-1]
		work = work[:len(work)-1]
		for _, before := range p.before {
			if !before.useful {
				before.useful = true
				work = append(work, before)
			}
		}
	}
	return nil
}

// after returns the position after an instruction has taken a character.
func (s *search) after(at, count int32) position {
	count++
	if s.most < 0 {
		count = min(count, max(s.least, 1)) // more make no difference
	}
	return position{s.program[at].next, count}
}

// point returns a point, with what can follow.
func (s *search) point(at position) *point {
	if p, ok := s.points[at]; ok {
		return p
	}
	s.work.do(pointSteps)
	p := &point{count: at.count}
	s.points[at] = p
	s.order = append(s.order, p)
	var ways []int32 // 2·instruction, and 1 more where the text must end
	follow := func(at, ended int32) {
		if w := 2*at + ended; s.seen[w] != len(s.order) {
			s.seen[w] = len(s.order)
			ways = append(ways, w)
		}
	}
	follow(at.at, 0)
	for len(ways) > 0 {
		w := ways[len(ways)-1]
		ways = ways[:len(ways)-1]
		ended := w & 1
		switch i := &s.program[w/2]; i.op {
		case take:
			if ended == 0 && len(i.set) > 0 && at.count != s.most {
				p.takes = append(p.takes, w/2)
			}
		case fork:
			follow(i.next, ended)
			follow(i.or, ended)
		case wantBegin:
			if at.count == 0 {
				follow(i.next, ended)
			}
		case wantEnd:
			follow(i.next, 1)
		case matched:
			p.ends = p.ends || at.count >= s.least
		}
		s.work.do(waySteps)
	}
	return p
}

// write takes the rest of a string, after its opening quote. Characters are escaped only where they must be. It makes the nodes of the useful points.
func (s *search) write(b *builder, from int32) (to int32, err error) {
	quote := b.node()
	to = b.node()
	b.span(quote, '"', '"', to)
	for _, p := range s.order {
		if p.useful {
			p.node = b.node()
		}
	}
	b.skip(from, s.order[0].node)
	takers := map[position]int32{}
	for _, p := range s.order {
		if !p.useful {
			continue
		}
		if p.ends {
			b.skip(p.node, quote)
		}
		for _, at := range p.takes {
			next := s.points[s.after(at, p.count)]
			if !next.useful {
				continue
			}
			here := position{at, p.count}
			node, ok := takers[here]
			if !ok {
				node = b.node()
				takers[here] = node
				b.work.do(takerSteps)
				b.take(node, next.node, s.program[at].set, false)
				if b.work.err != nil {
					return 0, b.work.err
				}
			}
			b.skip(p.node, node)
		}
	}
	return to, nil
}
