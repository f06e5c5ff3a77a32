package toolcall

import (
	"context"
	"slices"
	"strings"

	"github.com/lever-go/lever/grammar"
)

// Constraint follows an answer token by token, from any state that it has seen: all tokens may follow in free text, those of the grammar in a call. It is
// a spec.Constraint. It is not safe for concurrent use.
type Constraint struct {
	grammar *Grammar
	lexer   *lexer
	ctx     context.Context
	matcher *grammar.Matcher // nil before the first call

	places []place
	ids    map[place]int
	masks  map[int16][]uint64 // of free text, by the lexer's state
	end    []uint64
}

// place is a state: in free text that of the lexer, in a call that of the matcher.
type place struct {
	where
	state int
}

type where uint8

const (
	inText where = iota
	inCall
	ended
)

// Constraint returns a constraint at the beginning of the answer to a prompt, of which the end will do. When ctx is done, it ends.
func (g *Grammar) Constraint(ctx context.Context, prompt string) *Constraint {
	state := g.syntax.begin(prompt)
	if g.choice.Required && (g.lexer.states[state].phase == replies || !g.syntax.mayThink) {
		return g.constraint(ctx, place{inCall, 0})
	}
	return g.constraint(ctx, place{inText, int(state)})
}

// constraint returns a constraint that begins at a place.
func (g *Grammar) constraint(ctx context.Context, begin place) *Constraint {
	c := &Constraint{grammar: g, lexer: g.lexer, ctx: ctx, ids: map[place]int{}, masks: map[int16][]uint64{}}
	c.end = c.mask()
	for _, token := range g.end {
		set(c.end, token)
	}
	if g.syntax.channels && g.choice.Required {
		c.lexer = g.syntax.mustCall
	}
	c.place(begin)
	return c
}

// Fresh returns another constraint of the answer, at its beginning: see spec.FallibleConstraint.
func (c *Constraint) Fresh() interface {
	Next(state int, token int32) int
	Allowed(state int) []uint64
	Err() error
} {
	return c.grammar.constraint(c.ctx, c.places[0])
}

// begin returns the lexer's state at the beginning of an answer: some templates begin the thought, or end it.
func (s *Syntax) begin(prompt string) int16 {
	text := strings.TrimRight(prompt, "\n")
	switch {
	case strings.HasSuffix(text, thinkStart):
		return s.lexer.find(thinks)
	case strings.HasSuffix(text, thinkEnd):
		return s.lexer.find(replies)
	case s.channels && strings.HasSuffix(text, channelsMessage):
		return s.lexer.find(answers)
	}
	return 0
}

func (c *Constraint) mask() []uint64 { return make([]uint64, (c.grammar.size+63)/64) }

func set(mask []uint64, token int32)      { mask[token/64] |= 1 << (token % 64) }
func unset(mask []uint64, token int32)    { mask[token/64] &^= 1 << (token % 64) }
func has(mask []uint64, token int32) bool { return mask[token/64]>>(token%64)&1 != 0 }

func (c *Constraint) place(p place) int {
	id, ok := c.ids[p]
	if !ok {
		id = len(c.places)
		c.places = append(c.places, p)
		c.ids[p] = id
	}
	return id
}

// calls returns the matcher of calls.
func (c *Constraint) calls() *grammar.Matcher {
	if c.matcher == nil {
		c.matcher = c.grammar.calls.Matcher(c.ctx)
	}
	return c.matcher
}

// Err returns why the constraint ended before the answer did, as [grammar.Matcher.Err] does.
func (c *Constraint) Err() error {
	if c.matcher == nil {
		return nil
	}
	return c.matcher.Err()
}

// Next returns the state after a token, and a negative number if the token is not allowed.
func (c *Constraint) Next(state int, token int32) int {
	if token < 0 || int(token) >= c.grammar.size {
		return -1
	}
	p := c.places[state]
	if p.where == inCall {
		next := c.calls().Next(p.state, token)
		if next < 0 {
			return -1
		}
		return c.place(place{inCall, next})
	}
	if !has(c.Allowed(state), token) || c.Err() != nil {
		return -1
	}
	if p.where == ended || slices.Contains(c.grammar.end, token) {
		return c.place(place{where: ended})
	}
	return c.place(c.after(int16(p.state), token))
}

// after returns the place after a token in free text; its state is negative if the token opens a call that is none.
func (c *Constraint) after(state int16, token int32) place {
	s := c.grammar.syntax
	text := Spell(s.tok, token)
	if c.mustCall(state) && text != thinkStart {
		if slices.Contains(c.grammar.newline, token) {
			return place{inCall, 0}
		}
		return place{inCall, c.calls().Next(0, token)}
	}
	to, trigger, rest := c.lexer.run(state, text)
	if trigger >= 0 {
		return place{inCall, c.calls().Follow(0, c.grammar.opens[trigger]+rest)}
	}
	return place{inText, int(to)}
}

// mustCall reports whether in a state of the lexer only a call may follow, or a thought.
func (c *Constraint) mustCall(state int16) bool {
	if c.grammar.syntax.channels {
		return false // the lexer knows
	}
	return c.grammar.choice.Required && c.lexer.states[state].phase != thinks
}

// Allowed returns the tokens that are allowed in a state, at least one: bit t%64 of word t/64 stands for token t. The slice is valid until the next call,
// and must not be changed.
func (c *Constraint) Allowed(state int) []uint64 {
	p := c.places[state]
	switch p.where {
	case inCall:
		return c.calls().Allowed(p.state)
	case ended:
		return c.end
	}
	at := int16(p.state)
	mask, ok := c.masks[at]
	if !ok {
		if c.grammar.syntax.channels {
			mask = c.channelMask(at)
		} else if c.mustCall(at) {
			mask = c.onlyCalls(at)
		} else {
			mask = c.free(at)
		}
		if c.Err() != nil {
			return c.end
		}
		c.masks[at] = mask
	}
	return mask
}

// free returns the mask of free text: all tokens but those that open a call and go on otherwise.
func (c *Constraint) free(at int16) []uint64 {
	mask := c.mask()
	for i := range mask {
		mask[i] = ^uint64(0)
	}
	if rest := c.grammar.size % 64; rest != 0 {
		mask[len(mask)-1] = 1<<rest - 1
	}
	for _, token := range c.grammar.syntax.opening {
		if int(token) < c.grammar.size && c.after(at, token).state < 0 {
			unset(mask, token)
		}
	}
	if c.grammar.choice.Required {
		for _, token := range c.grammar.end {
			unset(mask, token)
		}
	}
	return mask
}

// onlyCalls returns the mask of the beginning of a call, or of a thought before it, or of line breaks after that.
func (c *Constraint) onlyCalls(at int16) []uint64 {
	mask := slices.Clone(c.calls().Allowed(0))
	s := c.grammar.syntax
	if c.lexer.states[at].phase == replies {
		for _, token := range c.grammar.newline {
			set(mask, token)
		}
	}
	if id, ok := s.tok.Special(thinkStart); ok && at == 0 {
		set(mask, id)
	}
	return mask
}
