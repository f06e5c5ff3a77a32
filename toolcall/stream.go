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
	grammar *Grammar
	decoder *tokenizer.Stream
	said    *tokenizer.Stream // of the text of a model that writes in channels
	state   int16
	text    []byte // not shown yet, as it may belong to a call

	part   part
	read   string     // of a part of a call, so far
	object value      // the arguments, if they are a JSON object
	listed *converter // of arguments that are written one by one
	json   []byte     // of the arguments, not in a delta yet

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
	s := &Stream{syntax: g.syntax, grammar: g, decoder: g.syntax.tok.NewStream(), state: g.syntax.begin(prompt)}
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
	s.push(s.decoder.Next(token))
	if spelled := Spell(s.syntax.tok, token); strings.HasPrefix(spelled, control) {
		s.push(spelled)
		if s.part == outside {
			s.text = s.text[:max(0, len(s.text)-len(spelled))]
		}
	}
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
		next := s.grammar.lexer.next[s.state][text[i]]
		if next >= 0 {
			s.state = next
			continue
		}
		trigger := s.grammar.opens[-1-next]
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
		n -= len(s.grammar.lexer.states[s.state].held)
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
			s.begin()
		}
	case between:
		s.begin()
	case arguing:
		if s.argue(b) {
			s.flushArguments()
			s.ended++
			s.part = after
		}
	case after:
		if s.read == s.syntax.between {
			s.to(naming)
		}
	}
}

func (s *Stream) to(p part) { s.part, s.read = p, "" }

// begin begins the arguments where what is before them is complete.
func (s *Stream) begin() {
	if s.read != s.syntax.middle {
		return
	}
	s.to(arguing)
	s.object = value{}
	if p := s.syntax.parameters; p != nil {
		s.listed = newConverter(p, s.grammar.texts[s.calls[len(s.calls)-1].Name], s.syntax.end, s.syntax.between)
	}
}

// argue takes a byte of the arguments, or the one after them, and reports whether they are complete. Then read is what comes after them.
func (s *Stream) argue(b byte) (complete bool) {
	s.read = ""
	if s.listed != nil {
		complete = s.listed.take(b)
		s.json = append(s.json, s.listed.json...)
		s.listed.json = s.listed.json[:0]
		if complete {
			s.read = s.listed.read
		}
		return complete
	}
	s.json = s.object.append(s.json, b)
	return (b == '}' || b == ']') && !s.object.quoted && s.object.depth == 0
}

// flushArguments adds what was read of the arguments to the call.
func (s *Stream) flushArguments() {
	if len(s.json) == 0 {
		return
	}
	last := len(s.calls) - 1
	s.calls[last].Arguments = append(s.calls[last].Arguments, s.json...)
	if n := len(s.deltas); n > 0 && s.deltas[n-1].Index == last && s.deltas[n-1].ID == "" {
		s.deltas[n-1].Arguments += string(s.json)
	} else {
		s.deltas = append(s.deltas, Delta{Index: last, Arguments: string(s.json)})
	}
	s.json = s.json[:0]
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
