package toolcall

import (
	"crypto/rand"
	"strings"

	"github.com/lever-go/lever/tokenizer"
)

// Delta is what a piece of an answer adds to its calls.
type Delta struct {
	Index     int    // of the call, from 0
	ID, Name  string // with the first delta of a call, and with that only
	Arguments string // whole characters
}

// Stream turns the tokens of an answer that a [Constraint] allows into text and calls. It is a spec.TextDecoder of the text. White space between the text
// and a call is left out. A Stream is for one goroutine.
type Stream struct {
	syntax  *Syntax
	decoder *tokenizer.Stream
	said    *tokenizer.Stream // of the text of a model that writes in channels
	state   int16
	text    []byte // not shown yet, as it may belong to a call

	part   part
	read   string // of a part of a call, so far
	depth  int    // of brackets in the arguments
	quoted bool   // in a string there
	escape bool

	deltas []Delta
	calls  []tokenizer.ToolCall
	ended  int // calls whose arguments are complete
}

// part is where in a call the text is.
type part uint8

const (
	outside part = iota
	opening
	naming
	between
	arguing
	after
)

// Stream returns a stream at the beginning of the answer to a prompt, of which the end will do.
func (g *Grammar) Stream(prompt string) *Stream {
	s := &Stream{syntax: g.syntax, decoder: g.syntax.tok.NewStream(), state: g.syntax.begin(prompt)}
	s.decoder.SkipSpecial = !g.syntax.channels
	if g.syntax.channels {
		s.said = g.syntax.tok.NewStream()
		s.said.SkipSpecial = true
	}
	return s
}

// Next returns the text that a token completes.
func (s *Stream) Next(token int32) string {
	if s.syntax.channels {
		return s.nextInChannels(token)
	}
	text := s.decoder.Next(token)
	if spelled := Spell(s.syntax.tok, token); strings.HasPrefix(spelled, control) {
		s.push(spelled)
		if s.part == outside {
			s.text = s.text[:max(0, len(s.text)-len(spelled))]
		}
		return s.show()
	}
	s.push(text)
	return s.show()
}

// Flush ends the answer and returns what is left of its text.
func (s *Stream) Flush() string {
	if s.syntax.channels {
		return s.said.Flush()
	}
	s.push(s.decoder.Flush())
	text := string(s.text)
	s.text = nil
	return text
}

// Deltas returns what was added to the calls since it was last asked.
func (s *Stream) Deltas() []Delta {
	deltas := s.deltas
	s.deltas = nil
	return deltas
}

// Calls returns the calls whose arguments are complete.
func (s *Stream) Calls() []tokenizer.ToolCall { return s.calls[:s.ended] }

func (s *Stream) push(text string) {
	for i := range len(text) {
		if s.part != outside {
			s.take(text[i])
			continue
		}
		s.text = append(s.text, text[i])
		next := s.syntax.lexer.next[s.state][text[i]]
		if next >= 0 {
			s.state = next
			continue
		}
		trigger := s.syntax.triggers[-1-next]
		s.text = []byte(strings.TrimRight(string(s.text[:len(s.text)-len(trigger)]), " \t\r\n"))
		s.part = opening
		for i := range len(trigger) {
			s.take(trigger[i])
		}
	}
	s.flushArguments()
}

// show returns the text that can't belong to a call any more.
func (s *Stream) show() string {
	n := len(s.text)
	if s.part == outside {
		n -= len(s.syntax.lexer.states[s.state].held)
		n = len(strings.TrimRight(string(s.text[:n]), " \t\r\n"))
	}
	shown := string(s.text[:n])
	s.text = append(s.text[:0], s.text[n:]...)
	return shown
}

// take takes a byte of a call.
func (s *Stream) take(b byte) {
	s.read += string([]byte{b})
	switch s.part {
	case opening:
		for _, open := range s.syntax.opens {
			if s.read == open {
				s.to(naming)
				return
			}
		}
	case naming:
		if strings.IndexByte(nameBytes, b) < 0 {
			id := newID()
			name := s.read[:len(s.read)-1]
			s.calls = append(s.calls, tokenizer.ToolCall{ID: id, Name: name})
			s.deltas = append(s.deltas, Delta{Index: len(s.calls) - 1, ID: id, Name: name})
			s.to(between)
			s.read = string([]byte{b})
			if s.read == s.syntax.middle {
				s.to(arguing)
			}
		}
	case between:
		if s.read == s.syntax.middle {
			s.to(arguing)
		}
	case arguing:
		if s.ends(b) {
			s.flushArguments()
			s.ended++
			s.to(after)
		}
	case after:
		if s.read == s.syntax.between {
			s.to(naming)
		}
	}
}

func (s *Stream) to(p part) { s.part, s.read = p, "" }

// ends reports whether a byte ends the arguments.
func (s *Stream) ends(b byte) bool {
	switch {
	case s.escape:
		s.escape = false
	case s.quoted:
		s.escape = b == '\\'
		s.quoted = b != '"'
	case b == '"':
		s.quoted = true
	case b == '{' || b == '[':
		s.depth++
	case b == '}' || b == ']':
		s.depth--
		return s.depth == 0
	}
	return false
}

// flushArguments adds what was read of the arguments to the call.
func (s *Stream) flushArguments() {
	if s.part != arguing || s.read == "" {
		return
	}
	last := len(s.calls) - 1
	s.calls[last].Arguments = append(s.calls[last].Arguments, s.read...)
	if n := len(s.deltas); n > 0 && s.deltas[n-1].Index == last && s.deltas[n-1].ID == "" {
		s.deltas[n-1].Arguments += s.read
	} else {
		s.deltas = append(s.deltas, Delta{Index: last, Arguments: s.read})
	}
	s.read = ""
}

// newID returns an id for a call: nine letters and digits, which all models' templates take.
func newID() string {
	const length, digits = 9, "abcdefghijklmnopqrstuvwxyz012345" // 32 of them
	id := make([]byte, length)
	rand.Read(id) // never fails
	for i := range id {
		id[i] = digits[id[i]%byte(len(digits))]
	}
	return string(id)
}
