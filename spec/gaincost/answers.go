package gaincost

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// Answers hold the tokens of earlier answers for look-up in later sequences: see [LookupOptions]. Equal answers are kept once. Their number is bounded: the oldest are forgotten.
// They are safe for concurrent use: look-ups under way go on with what there was.
type Answers struct {
	adding sync.Mutex
	text   atomic.Pointer[automaton] // which does not change any more
}

// NewAnswers returns Answers that remember at most window tokens, and no fewer than half of it; if it is 0, 65,536.
func NewAnswers(window int) (*Answers, error) {
	text, err := newAutomaton(window)
	if err != nil {
		return nil, fmt.Errorf("gaincost: answers: %w", err)
	}
	a := &Answers{}
	a.text.Store(&text)
	return a, nil
}

// change replaces the text by one that f has changed.
func (a *Answers) change(f func(text *automaton)) {
	a.adding.Lock()
	defer a.adding.Unlock()
	text := *a.text.Load()
	text.text, text.states = slices.Clone(text.text), slices.Clone(text.states)
	text.edges, text.slots = slices.Clone(text.edges), slices.Clone(text.slots)
	f(&text)
	a.text.Store(&text)
}

// Add remembers an answer, unless it is one of those that are remembered.
func (a *Answers) Add(tokens []int32) {
	a.change(func(text *automaton) { text.addAnswer(tokens) })
}

// addAnswer appends a sequence that can be looked up and is not there yet.
func (a *automaton) addAnswer(tokens []int32) {
	if len(tokens) <= minMatch || a.holds(tokens) {
		return
	}
	if len(a.text) > 0 {
		a.append(endOfText)
	}
	for _, token := range tokens {
		a.append(token)
	}
}

// holds reports whether one of the text's sequences is this one.
func (a *automaton) holds(sequence []int32) bool {
	state := int32(0)
	for _, token := range sequence { // few are in the text at all
		e := a.find(state, token)
		if e < 0 {
			return false
		}
		state = a.edges[e].to
	}
	for other := range sequences(a.text) {
		if slices.Equal(other, sequence) {
			return true
		}
	}
	return false
}

// sequences yields what stands between ends in a text.
func sequences(text []int32) iter.Seq[[]int32] {
	return func(yield func([]int32) bool) {
		for len(text) > 0 {
			n := slices.Index(text, endOfText)
			if n < 0 {
				n = len(text)
			}
			if !yield(text[:n]) {
				return
			}
			text = text[min(n+1, len(text)):]
		}
	}
}

// Len returns the number of tokens that are remembered.
func (a *Answers) Len() int { return len(a.text.Load().text) }

// AppendBinary appends the answers to b: their tokens plus 1 as unsigned variable-length integers, with a zero between two answers.
func (a *Answers) AppendBinary(b []byte) ([]byte, error) {
	for _, token := range a.text.Load().text {
		b = binary.AppendUvarint(b, uint64(int64(token)+1))
	}
	return b, nil
}

// UnmarshalBinary adds the answers that AppendBinary has appended, as Add does.
func (a *Answers) UnmarshalBinary(data []byte) error {
	var tokens []int32
	for len(data) > 0 {
		v, n := binary.Uvarint(data)
		if n <= 0 || v > 1<<31 {
			return errors.New("gaincost: answers: not a list of tokens")
		}
		tokens, data = append(tokens, int32(int64(v)-1)), data[n:]
	}
	a.change(func(text *automaton) {
		for answer := range sequences(tokens) {
			text.addAnswer(answer)
		}
	})
	return nil
}
