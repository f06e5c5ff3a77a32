package toolcall

import (
	"slices"
	"strings"
)

// phase is where in an answer a text is.
type phase uint8

const (
	begins  phase = iota // nothing yet but white space
	thinks               // in a thought
	replies              // after it, nothing yet but white space
	answers              // in the answer
)

// lexer finds the beginning of a call in free text, as a deterministic automaton over bytes. State 0 is the beginning.
type lexer struct {
	states []lexeme
	next   [][256]int16 // a state, or −1−i where trigger i is complete, or dead
}

// dead is the state after what may not be.
const dead = -1 << 15

// lexeme is a state: held is the end of the text that may be the beginning of a tag.
type lexeme struct {
	phase phase
	held  string
}

// find returns the state at the beginning of a phase.
func (l *lexer) find(p phase) int16 {
	return int16(slices.Index(l.states, lexeme{p, ""}))
}

// newLexer returns the lexer of an answer in which calls open with any of some triggers, which are in order; if it is anchored, at the beginning only.
func newLexer(triggers []string, anchored bool) *lexer {
	return makeLexer(func(s lexeme, b byte) (to lexeme, next int16) {
		to, trigger := s.after(b, triggers, anchored)
		return to, int16(-1 - trigger)
	})
}

// makeLexer makes a lexer of a function that returns the state after a byte; or a negative number, as they are in next.
func makeLexer(after func(s lexeme, b byte) (to lexeme, next int16)) *lexer {
	l := &lexer{}
	ids := map[lexeme]int16{}
	number := func(s lexeme) int16 {
		id, ok := ids[s]
		if !ok {
			id = int16(len(l.states))
			ids[s] = id
			l.states = append(l.states, s)
		}
		return id
	}
	for _, p := range []phase{begins, thinks, replies, answers} {
		number(lexeme{p, ""})
	}
	for i := 0; i < len(l.states); i++ {
		var row [256]int16
		for b := range row {
			to, next := after(l.states[i], byte(b))
			if row[b] = next; next >= 0 {
				row[b] = number(to)
			}
		}
		l.next = append(l.next, row)
	}
	return l
}

// after returns the state after a byte, or the trigger that it completes, else −1.
func (s lexeme) after(b byte, triggers []string, anchored bool) (to lexeme, trigger int) {
	held := s.held + string([]byte{b})
	switch s.phase {
	case thinks:
		if held == thinkEnd {
			return lexeme{replies, ""}, -1
		}
		return lexeme{thinks, ending(held, thinkEnd)}, -1
	case begins, replies:
		if strings.TrimSpace(held) == "" {
			return lexeme{s.phase, ""}, -1
		}
		if s.phase == begins && held == thinkStart {
			return lexeme{thinks, ""}, -1
		}
		i, complete := slices.BinarySearch(triggers, held)
		if complete {
			return lexeme{}, i
		}
		if i < len(triggers) && strings.HasPrefix(triggers[i], held) {
			return lexeme{s.phase, held}, -1
		}
		if s.phase == begins && strings.HasPrefix(thinkStart, held) {
			return lexeme{begins, held}, -1
		}
	}
	if anchored {
		return lexeme{answers, ""}, -1
	}
	longest := ""
	for i, t := range triggers {
		if strings.HasSuffix(held, t) {
			return lexeme{}, i
		}
		if end := ending(held, t); len(end) > len(longest) {
			longest = end
		}
	}
	return lexeme{answers, longest}, -1
}

// ending returns the longest end of a text that is the beginning of a tag, but not all of it.
func ending(text, tag string) string {
	for n := min(len(tag)-1, len(text)); n > 0; n-- {
		if strings.HasSuffix(text, tag[:n]) {
			return text[len(text)-n:]
		}
	}
	return ""
}

// run returns the state after a text; or the trigger that it completes, else −1, and the rest of the text. The state is negative if the text may not be.
func (l *lexer) run(state int16, text string) (to int16, trigger int, rest string) {
	for i := range len(text) {
		next := l.next[state][text[i]]
		if next == dead {
			return dead, -1, ""
		}
		if next < 0 {
			return state, int(-1 - next), text[i+1:]
		}
		state = next
	}
	return state, -1, ""
}

// size returns the bytes of memory that the lexer takes.
func (l *lexer) size() int { return len(l.next) * (512 + 64) }
