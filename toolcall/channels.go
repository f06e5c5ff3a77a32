package toolcall

import "strings"

// What gpt-oss writes around messages, in the format Harmony.
const (
	channelsMessage = "<|message|>"
	constrain       = "<|constrain|>"
	callRecipient   = " to=functions."
	channelStart    = control + "<|channel|>"
	messageEnd      = control + "<|end|>"
	nextMessage     = control + "<|start|>assistant"
	callHeader      = channelStart + "commentary" + callRecipient
)

// header is one of a message, up to the text of that or, of a call, the name of the function.
type header struct {
	text  string
	phase phase // after it
	calls bool
}

// headers returns those that a message may have; toUser says whether those of messages to the user are among them.
func headers(toUser bool) []header {
	all := []header{{channelStart + "analysis" + control + channelsMessage, thinks, false}, {callHeader, 0, true}}
	if toUser {
		for _, channel := range []string{"final", "commentary"} {
			all = append(all, header{channelStart + channel + control + channelsMessage, answers, false})
		}
	}
	return all
}

// newChannels returns the lexer of an answer in channels: at its beginning, and after the end of a message, there is a header and nothing else, and in a
// message its end alone is a control token. With toUser there are messages to the user.
func newChannels(toUser bool) *lexer {
	all := headers(toUser)
	return makeLexer(func(s lexeme, b byte) (lexeme, int16) {
		held := s.held + string([]byte{b})
		if s.phase == thinks || s.phase == answers {
			switch {
			case held == messageEnd:
				return lexeme{replies, ""}, 0
			case strings.HasPrefix(messageEnd, held):
				return lexeme{s.phase, held}, 0
			case s.held == "":
				return s, 0
			}
			return lexeme{}, dead
		}
		for _, h := range all {
			text := h.text
			if s.phase == replies {
				text = nextMessage + text
			}
			switch {
			case held == text && h.calls:
				return lexeme{}, -1
			case held == text:
				return lexeme{h.phase, ""}, 0
			case strings.HasPrefix(text, held):
				return lexeme{s.phase, held}, 0
			}
		}
		return lexeme{}, dead
	})
}

// findHeading notes a token that may be in a header, or is one of control.
func (s *Syntax) findHeading(id int32, text string) {
	if strings.Contains(text, control) {
		s.controls = append(s.controls, id)
	}
	for _, h := range headers(true) {
		if strings.Contains(nextMessage+h.text, text) {
			s.heading = append(s.heading, id)
			return
		}
	}
}

// inHeader reports whether a state of the lexer is in a header, or in a token of control.
func (l *lexer) inHeader(state int16) bool {
	s := l.states[state]
	return s.phase == begins || s.phase == replies || s.held != ""
}

// channelMask returns the mask of a state in an answer in channels.
func (c *Constraint) channelMask(at int16) []uint64 {
	s := c.grammar.syntax
	mask := c.mask()
	check := func(tokens []int32) {
		for _, token := range tokens {
			if int(token) >= c.grammar.size {
				continue
			}
			if set(mask, token); c.after(at, token).state < 0 {
				unset(mask, token)
			}
		}
	}
	if c.lexer.inHeader(at) {
		check(s.heading)
		check(s.opening)
		return mask
	}
	for token := range c.grammar.size {
		if Spell(s.tok, int32(token)) != "" {
			set(mask, int32(token))
		}
	}
	check(s.controls)
	for _, token := range c.grammar.end {
		if unset(mask, token); !c.grammar.choice.Required {
			set(mask, token)
		}
	}
	return mask
}

// nextInChannels returns the text that a token completes, of a model that writes in channels.
func (s *Stream) nextInChannels(token int32) string {
	said, text := s.said.Next(token), Spell(s.syntax.tok, token)
	if strings.HasPrefix(text, control) {
		s.decoder.Flush() // said has it
	} else {
		text = s.decoder.Next(token)
	}
	if s.part != outside {
		s.takeAll(text)
		if strings.HasPrefix(text, control) {
			return said // the end of a thought before the call
		}
		return ""
	}
	state, trigger, rest := s.syntax.lexer.run(s.state, text)
	if trigger < 0 {
		s.state = max(state, 0)
		return said
	}
	s.part = opening
	s.takeAll(s.grammar.opens[trigger] + rest)
	return said
}

// takeAll takes a text of a call.
func (s *Stream) takeAll(text string) {
	for i := range len(text) {
		s.take(text[i])
	}
	s.flushArguments()
}
