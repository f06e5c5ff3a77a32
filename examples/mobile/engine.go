package mobile

import (
	"context"
	"sync"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/tokenizer"
)

// Engine is an open model and a conversation with it. Methods may be called from any thread.
type Engine struct {
	work     sync.Mutex // held while the models are in use
	messages []tokenizer.Message
	tools    []lever.Function
	counts   counts
	load     load

	state  sync.RWMutex       // guards what follows; not held during a generation
	engine *lever.Engine      // nil once closed, or if made by Java's new instead of Open
	ctx    context.Context    // of the generation under way, or nil
	cancel context.CancelFunc // of the generation under way, or nil
}

// rest returns how long to rest after a pass.
func (e *Engine) rest(busy time.Duration) time.Duration {
	e.state.RLock()
	ctx := e.ctx
	e.state.RUnlock()
	return e.load.rest(ctx, busy)
}

// ending is how long a call waits for an answer to end that was cancelled; that takes a layer of the model.
const ending = 5 * time.Second

// begin takes the models for one piece of work, which ctx ends early.
func (e *Engine) begin() (ctx context.Context, end func(), err error) {
	for began := time.Now(); !e.work.TryLock(); time.Sleep(time.Millisecond) {
		if !e.isEnding() || time.Since(began) > ending {
			return nil, nil, errBusy
		}
	}
	e.state.Lock()
	defer e.state.Unlock()
	if e.engine == nil {
		e.work.Unlock()
		return nil, nil, errClosed
	}
	ctx, e.cancel = context.WithCancel(context.Background())
	e.ctx = ctx
	return ctx, func() {
		e.Cancel()
		e.work.Unlock()
	}, nil
}

// isEnding reports whether the work under way was cancelled.
func (e *Engine) isEnding() bool {
	e.state.RLock()
	defer e.state.RUnlock()
	return e.cancel == nil
}

// Cancel ends the answer under way, within a layer of the model; without one it does nothing.
func (e *Engine) Cancel() {
	e.state.Lock()
	defer e.state.Unlock()
	if e.cancel != nil {
		e.cancel()
		e.cancel = nil
	}
}

// Reset begins a new conversation.
func (e *Engine) Reset() error { return e.SetSystem("") }

// SetSystem begins a new conversation under instructions, such as "Answer in one sentence."; "" is none.
func (e *Engine) SetSystem(text string) error {
	_, end, err := e.begin()
	if err != nil {
		return err
	}
	defer end()
	e.messages = nil
	if text != "" {
		e.messages = []tokenizer.Message{{Role: "system", Content: text}}
	}
	return nil
}

// Close ends an answer under way and gives back all memory and files. Calls that follow fail; a second Close does nothing.
func (e *Engine) Close() error {
	e.Cancel()
	e.work.Lock()
	defer e.work.Unlock()
	e.state.Lock()
	defer e.state.Unlock()
	if e.engine == nil {
		return nil
	}
	err := e.engine.Close()
	e.engine = nil
	return err
}
