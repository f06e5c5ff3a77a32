package gaincost

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Answers hold the tokens of earlier answers for look-up in later sequences: see [LookupOptions]. Their number is bounded: the oldest are forgotten. They are not
// safe for concurrent use, look-up included.
type Answers struct {
	text    automaton
	version int // changes with the text
}

// NewAnswers returns Answers that remember at most window tokens, and no fewer than half of it; if it is 0, 65,536.
func NewAnswers(window int) (*Answers, error) {
	text, err := newAutomaton(window)
	if err != nil {
		return nil, fmt.Errorf("gaincost: answers: %w", err)
	}
	return &Answers{text: text}, nil
}

// Add remembers an answer.
func (a *Answers) Add(tokens []int32) {
	if len(tokens) <= minMatch { // nothing can be looked up in it
		return
	}
	a.version++
	if len(a.text.text) > 0 {
		a.text.append(endOfText)
	}
	for _, token := range tokens {
		a.text.append(token)
	}
}

// Len returns the number of tokens that are remembered.
func (a *Answers) Len() int { return len(a.text.text) }

// AppendBinary appends the answers to b: their tokens plus 1 as unsigned variable-length integers, with a zero between two answers.
func (a *Answers) AppendBinary(b []byte) ([]byte, error) {
	for _, token := range a.text.text {
		b = binary.AppendUvarint(b, uint64(int64(token)+1))
	}
	return b, nil
}

// UnmarshalBinary adds the answers that AppendBinary has appended.
func (a *Answers) UnmarshalBinary(data []byte) error {
	var tokens []int32
	for len(data) > 0 {
		v, n := binary.Uvarint(data)
		if n <= 0 || v > 1<<31 {
			return errors.New("gaincost: answers: not a list of tokens")
		}
		tokens, data = append(tokens, int32(int64(v)-1)), data[n:]
	}
	a.version++
	for i, token := range tokens {
		if i == 0 && len(a.text.text) > 0 {
			a.text.append(endOfText)
		}
		a.text.append(token)
	}
	return nil
}
