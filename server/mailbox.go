package server

import (
	"sync"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
)

// mailbox takes what a generation makes, without ever waiting, until its reader comes for it.
type mailbox struct {
	wake chan struct{} // holds one when there is something new

	mu     sync.Mutex
	pieces []piece
	done   bool
	err    error
	total  lever.Result // of the choices that have ended

	// Set by the goroutine that generates the first choice, and read when it has ended.
	began  bool
	waited time.Duration
}

// piece is a part of a choice, or with a result its end.
type piece struct {
	choice          int
	reasoning, text string
	drafted         bool // the text, if trees are asked for
	calls           []toolcall.Delta
	logprobs        []logprob
	tree            *tree
	progress        *progress
	result          *lever.Result
}

// add adds what follows.
func (p *piece) add(more piece) {
	p.reasoning, p.text = p.reasoning+more.reasoning, p.text+more.text
	p.logprobs, p.calls = append(p.logprobs, more.logprobs...), append(p.calls, more.calls...)
	p.result = more.result
}

// whole returns the calls that the parts make.
func (p *piece) whole() (calls []tokenizer.ToolCall) {
	for _, d := range p.calls {
		if d.ID != "" {
			calls = append(calls, tokenizer.ToolCall{ID: d.ID, Name: d.Name})
		}
		last := &calls[len(calls)-1]
		last.Arguments = append(last.Arguments, d.Arguments...)
	}
	return calls
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

// count adds the result of a choice to the total.
func (m *mailbox) count(r lever.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total.Finish = r.Finish
	addCounts(&m.total.Stats, r.Stats)
}

// finish ends the answer, with an error or none.
func (m *mailbox) finish(err error) {
	m.mu.Lock()
	m.done, m.err = true, err
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
