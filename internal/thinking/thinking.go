// Package thinking tells what a model thinks before it answers from the answer: text between <think> and </think>, as Qwen3 and
// others write it.
package thinking

import "strings"

const (
	open  = "<think>"
	close = "</think>"
)

// Begun reports whether a prompt ends within a thought that its chat template has opened.
func Begun(prompt string) bool {
	at := strings.LastIndex(prompt, open)
	return at >= 0 && strings.TrimSpace(prompt[at+len(open):]) == ""
}

// Splitter splits an answer that comes in pieces. Thoughts come first or not at all; white space around them belongs to neither
// part.
type Splitter struct {
	part part
	held string // may belong to a tag, or is white space before one
}

type part int

const (
	undecided part = iota
	opened         // the thought's first words are to come
	thought
	closed // the answer's first words are to come
	answer
)

// NewSplitter returns a splitter at the beginning of an answer; begun tells that a thought is open already.
func NewSplitter(begun bool) *Splitter {
	if begun {
		return &Splitter{part: opened}
	}
	return &Splitter{}
}

// Push takes a piece of text and returns what it adds to either part.
func (s *Splitter) Push(text string) (reasoning, content string) {
	s.held += text
	if s.part == undecided {
		begin := strings.TrimLeft(s.held, " \n")
		switch {
		case strings.HasPrefix(begin, open):
			s.part, s.held = opened, begin[len(open):]
		case strings.HasPrefix(open, begin):
			return "", ""
		default:
			s.part = answer
		}
	}
	if s.part == opened {
		if s.held = strings.TrimLeft(s.held, "\n"); s.held == "" {
			return "", ""
		}
		s.part = thought
	}
	if s.part == thought {
		before, after, found := strings.Cut(s.held, close)
		if !found {
			n := len(s.held) - partial(s.held)
			n = len(strings.TrimRight(s.held[:n], "\n"))
			reasoning, s.held = s.held[:n], s.held[n:]
			return reasoning, ""
		}
		reasoning = strings.TrimRight(before, "\n")
		s.part, s.held = closed, after
	}
	if s.part == closed {
		if s.held = strings.TrimLeft(s.held, "\n"); s.held != "" {
			s.part = answer
		}
	}
	content, s.held = s.held, ""
	return reasoning, content
}

// Flush returns what is held back at the end of the answer.
func (s *Splitter) Flush() (reasoning, content string) {
	held := s.held
	s.held = ""
	if s.part == thought {
		return held, ""
	}
	return "", held
}

// partial returns the length of the longest end of text that is the start of the closing tag.
func partial(text string) int {
	for n := min(len(close)-1, len(text)); n > 0; n-- {
		if strings.HasSuffix(text, close[:n]) {
			return n
		}
	}
	return 0
}
