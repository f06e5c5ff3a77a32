package server

import (
	"sync"
	"time"

	"github.com/lever-go/lever"
)

// mailbox takes what a generation makes, without ever waiting, until its reader comes for it.
type mailbox struct {
	wake chan struct{} // holds one when there is something new

	mu     sync.Mutex
	pieces []piece
	done   bool
	result lever.Result
	err    error

	// Set by the goroutine that generates, and read when it has ended.
	began  bool
	waited time.Duration
}

// piece is a part of an answer.
type piece struct {
	reasoning, text string
	logprobs        []logprob
	tree            *tree
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

// begin notes that the generation begins, after a time of waiting.
func (m *mailbox) begin(waited time.Duration) { m.began, m.waited = true, waited }

func (m *mailbox) notify() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *mailbox) put(p piece) {
	m.mu.Lock()
	m.pieces = append(m.pieces, p)
	m.mu.Unlock()
	m.notify()
}

func (m *mailbox) finish(result lever.Result, err error) {
	m.mu.Lock()
	m.done, m.result, m.err = true, result, err
	m.mu.Unlock()
	m.notify()
}

// take returns what came since the last call, and whether that was the end.
func (m *mailbox) take() (pieces []piece, done bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	pieces, m.pieces = m.pieces, nil
	return pieces, m.done
}
