package sampling

import (
	"fmt"
	"math"
)

// Penalties change logits by what a text has so far, before the steps of [Options]. The zero value changes none.
//
// A logit has Bias added. Then, if its token is in the text, prompt included, it is divided by Repetition where it is above 0, and multiplied by it
// elsewhere, as CTRL does (Keskar et al., 2019, section 4.1). Then, if its token was generated n times, Presence + n·Frequency is subtracted, as OpenAI's
// API says.
type Penalties struct {
	Presence, Frequency float32
	Repetition          float32 // 0 and 1 change nothing
	// Last is the number of tokens at the end of the text that count. If it is 0, all do.
	Last int
	Bias map[int32]float32 // by token; not changed
}

// none reports whether p changes nothing.
func (p *Penalties) none() bool { return len(p.Bias) == 0 && !p.count() }

// count reports whether the text matters.
func (p *Penalties) count() bool {
	return p.Presence != 0 || p.Frequency != 0 || p.Repetition != 0 && p.Repetition != 1
}

func (p *Penalties) check(vocab int) error {
	finite := func(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }
	switch {
	case !finite(p.Presence) || !finite(p.Frequency):
		return fmt.Errorf("sampling: penalties of presence %v and frequency %v are not finite", p.Presence, p.Frequency)
	case !finite(p.Repetition) || p.Repetition < 0:
		return fmt.Errorf("sampling: penalty of repetition %v is not a finite number from 0 up", p.Repetition)
	case p.Last < 0:
		return fmt.Errorf("sampling: penalties for the last %d tokens: the number is negative", p.Last)
	}
	for token, bias := range p.Bias {
		if token < 0 || int(token) >= vocab {
			return fmt.Errorf("sampling: bias of token %d, outside the vocabulary of %d", token, vocab)
		}
		if !finite(bias) {
			return fmt.Errorf("sampling: bias %v of token %d is not finite", bias, token)
		}
	}
	return nil
}

// History is a text as [Penalties] see it. It follows a path of a tree by Push and Pop. The zero value changes nothing. It is not safe for concurrent use.
type History struct {
	penalties Penalties
	tokens    []int32
	prompt    int                // so many of them
	counts    map[int32]*tallies // of the tokens that count
}

// tallies say how often a token comes.
type tallies struct{ inAll, generated int }

// Reset begins with a prompt of a vocabulary of so many tokens.
func (h *History) Reset(p Penalties, prompt []int32, vocab int) error {
	if err := p.check(vocab); err != nil {
		return err
	}
	h.penalties, h.tokens, h.prompt, h.counts = p, h.tokens[:0], len(prompt), nil
	if p.count() {
		h.counts = map[int32]*tallies{}
	}
	for _, token := range prompt {
		h.Push(token)
	}
	return nil
}

// None reports whether nothing is changed, whatever the text.
func (h *History) None() bool { return h.penalties.none() }

// tally adds by to what is counted of the i-th token.
func (h *History) tally(i, by int) {
	if i < 0 {
		return
	}
	c := h.counts[h.tokens[i]]
	if c == nil {
		c = &tallies{}
		h.counts[h.tokens[i]] = c
	}
	c.inAll += by
	if i >= h.prompt {
		c.generated += by
	}
}

// Push adds a token to the text.
func (h *History) Push(token int32) {
	if h.counts == nil {
		return
	}
	h.tokens = append(h.tokens, token)
	h.tally(len(h.tokens)-1, 1)
	if last := h.penalties.Last; last > 0 {
		h.tally(len(h.tokens)-1-last, -1)
	}
}

// Pop takes the last token from the text.
func (h *History) Pop() {
	if h.counts == nil {
		return
	}
	h.tally(len(h.tokens)-1, -1)
	if last := h.penalties.Last; last > 0 {
		h.tally(len(h.tokens)-1-last, 1)
	}
	h.tokens = h.tokens[:len(h.tokens)-1]
}

// Apply changes the logits of the token that follows the text, one per token of the vocabulary. Those of −Inf stay so.
func (h *History) Apply(logits []float32) {
	p := &h.penalties
	for token, bias := range p.Bias {
		logits[token] += bias
	}
	for token, c := range h.counts {
		x := logits[token]
		switch {
		case c.inAll == 0 || p.Repetition == 0:
		case x > 0:
			x /= p.Repetition
		default:
			x = float32(x * p.Repetition) // the conversion keeps a processor from rounding only once, here and below
		}
		if c.generated > 0 {
			x -= float32(p.Presence + float32(p.Frequency*float32(c.generated)))
		}
		logits[token] = x
	}
}
