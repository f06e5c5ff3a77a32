package server

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/lever-go/lever"
)

// penalties are the fields of all APIs that change how likely a token is.
type penalties struct {
	presence, frequency, repetition *float64
	last                            *int64
	bias                            map[int32]float32
}

// fields are those for a vocabulary of so many tokens: OpenAI's, and those of other servers, which call some differently.
func (p *penalties) fields(vocab int) fields {
	repetition, last := number(&p.repetition, 0.01, 100), integer(&p.last, -1, math.MaxInt32)
	return fields{
		"presence_penalty":   number(&p.presence, -2, 2),
		"frequency_penalty":  number(&p.frequency, -2, 2),
		"repetition_penalty": repetition,
		"repeat_penalty":     repetition,
		"repeat_last_n":      last,
		"penalty_last_n":     last,
		"logit_bias":         p.takeBias(vocab),
	}
}

// window lets the last n tokens alone count unless a request says otherwise.
func (p *penalties) window(n int64) { p.last = &n }

// takeBias takes an object of numbers by the ids of tokens.
func (p *penalties) takeBias(vocab int) field {
	return func(at string, raw json.RawMessage) error {
		if raw[0] != '{' {
			return wrongKind(at, "an object", raw)
		}
		p.bias = map[int32]float32{}
		return each(raw, func(name string, _ int, value json.RawMessage) error {
			id, err := strconv.ParseUint(name, 10, 31)
			if err != nil || int(id) >= vocab {
				return invalid(at, "", "%s has %.100q, which is not the id of a token, a number from 0 to %d", at, name, vocab-1)
			}
			var bias *float64
			if err := number(&bias, -100, 100)(at+"."+name, value); err != nil {
				return err
			}
			p.bias[int32(id)] = float32(*bias)
			return nil
		})
	}
}

// apply takes over what is given.
func (p *penalties) apply(req *lever.Request) {
	to := &req.Penalties
	set := func(to *float32, value *float64) {
		if value != nil {
			*to = float32(*value)
		}
	}
	set(&to.Presence, p.presence)
	set(&to.Frequency, p.frequency)
	set(&to.Repetition, p.repetition)
	if p.bias != nil {
		to.Bias = p.bias
	}
	switch {
	case p.last == nil:
	case *p.last == 0: // no token counts
		to.Presence, to.Frequency, to.Repetition = 0, 0, 0
	default:
		to.Last = int(max(*p.last, 0)) // −1 stands for all tokens
	}
}
