package mobile

import (
	"sync"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
)

// Statistics are those of the answer under way, or of the latest.
type Statistics struct {
	PromptTokens    int // that the prompt has
	PromptDone      int // of these, that were taken in
	Tokens          int // of the answer
	Passes          int // over the large model
	Seconds         float64
	TokensPerSecond float64
	TokensPerPass   float64
	BytesRead       int64 // from flash, since the engine was opened
	WeightBytes     int64 // memory of the model's weights; 0 where all are in memory
}

// counts are what is counted of an answer.
type counts struct {
	mu sync.Mutex
	Statistics
	began, ended time.Time // of its tokens
	first        int       // tokens that there were before the first pass
}

// watch has a request counted.
func (c *counts) watch(req *lever.Request) {
	c.mu.Lock()
	c.Statistics, c.began, c.ended, c.first = Statistics{}, time.Time{}, time.Time{}, 0
	c.mu.Unlock()
	req.Prefill = func(done, total int) {
		c.change(func() { c.PromptDone, c.PromptTokens = done, total })
	}
	req.Piece = func(p spec.Piece) {
		c.change(func() {
			if c.ended = time.Now(); c.began.IsZero() {
				c.began = c.ended
			}
			if c.Tokens += len(p.Tokens); c.Passes == 0 {
				c.first = c.Tokens
			}
		})
	}
	req.Observe = func(spec.Observation) { c.change(func() { c.Passes++ }) }
}

func (c *counts) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// Statistics returns what was counted so far, also during an answer. With tools they are those of all that it takes.
func (e *Engine) Statistics() *Statistics {
	e.counts.mu.Lock()
	s, first := e.counts.Statistics, e.counts.first
	s.Seconds = e.counts.ended.Sub(e.counts.began).Seconds()
	e.counts.mu.Unlock()
	if s.Seconds > 0 {
		s.TokensPerSecond = float64(s.Tokens) / s.Seconds
	}
	if s.Passes > 0 {
		s.TokensPerPass = float64(s.Tokens-first) / float64(s.Passes)
	}
	e.state.RLock()
	defer e.state.RUnlock()
	if e.engine != nil {
		s.BytesRead = e.engine.BytesRead()
		if plan, ok := e.engine.Plan(); ok {
			s.WeightBytes = plan.Total()
		}
	}
	return &s
}
