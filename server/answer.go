package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/grammar"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
)

// question is a request for an answer, of one of the API's kinds.
type question interface {
	fields() fields
	// job returns what the engine is asked for, once all fields were taken.
	job(base lever.Request) (*job, error)
	// refusal returns the body that tells of an error.
	refusal(e *apiError) any
}

// job is a request that is ready to be answered.
type job struct {
	reply    reply
	prompt   string // the field that has the prompt, for errors
	options  *sampling
	request  lever.Request
	large    bool // it may take longer than most
	logprobs bool
	top      int                 // alternatives of each token
	thoughts *tokenizer.Thoughts // nil if the model has none
}

// lightBytes is the length of the longest request that is prepared at once. What longer ones take is noticed by others, so they take turns.
const lightBytes = 16 << 10

// prepare makes a job of a request's body: its fields, its prompt, its grammar.
func (s *Server) prepare(ctx context.Context, body []byte, q question) (j *job, err error) {
	read := func() { j, err = s.readJob(ctx, body, q) }
	if len(body) <= lightBytes {
		read()
	} else if busy := s.inTurn(ctx, len(body), read); busy != nil {
		return nil, busy
	}
	if err != nil {
		return nil, err
	}
	if j.request.Grammar, err = s.grammar(ctx, &j.options.format); err == nil {
		j.request.Calls, err = s.toolGrammar(ctx, &j.request)
	}
	j.large = len(body) > lightBytes || j.request.Grammar != nil || j.request.Calls != nil
	return j, err
}

func (s *Server) readJob(ctx context.Context, body []byte, q question) (*job, error) {
	if err := q.fields().decode(body); err != nil {
		return nil, err
	}
	j, err := q.job(s.options.Request)
	if err != nil {
		return nil, err
	}
	if err := s.checkModel(j.options.model); err != nil {
		return nil, err
	}
	prompt, err := s.options.Engine.Prepare(ctx, &j.request)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, toolcall.ErrUnsupported):
		return nil, invalid("tools", "unsupported_parameter", "this model can't call tools: %s", plain(err))
	case errors.Is(err, spec.ErrPromptTooLong):
		return nil, invalid(j.prompt, "context_length_exceeded", "%s", plain(err))
	case err != nil:
		return nil, invalid(j.prompt, "", "%s", plain(err))
	}
	if prompt.Fallback != nil {
		s.fallbacks.tell(s.options.Log, s.options.Model, prompt)
	}
	if !j.request.Raw && !j.options.format.limits() {
		j.thoughts = tokenizer.NewThoughts(prompt)
	}
	return j, nil
}

// fallbacks tells of conversations that the model's own chat template could not take.
type fallbacks struct {
	mu   sync.Mutex
	told map[string]bool // reasons, each of which is told once
}

// mostTold bounds the reasons: an error can say what a client has sent.
const mostTold = 32

func (f *fallbacks) tell(log *slog.Logger, model string, prompt tokenizer.Prompt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if reason := prompt.Fallback.Error(); !f.told[reason] && len(f.told) < mostTold {
		if f.told == nil {
			f.told = map[string]bool{}
		}
		f.told[reason] = true
		log.Warn("the model's own chat template can't be used for a conversation; a built-in one takes its place", "model", model, "template", prompt.Builtin, "error", prompt.Fallback)
	}
}

// plain returns an error's text without the name of this module's root package, which says nothing to a client.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "lever: ") }

const (
	// largeLater is how much later a small request may come than a large one and still be answered before it.
	largeLater = time.Second
	// byteLater is, for each byte more that a request has, how much later another one may come and still be prepared before it.
	byteLater = time.Microsecond
)

// inTurn calls f, about so many bytes, when it is its turn among what takes long and is not a generation: one at a time, so that it takes one core
// at most.
func (s *Server) inTurn(ctx context.Context, bytes int, f func()) error {
	if !s.preparing.enter(false) {
		return refused(http.StatusTooManyRequests, "rate_limit_error", "queue_full", "%d requests wait to be prepared already; try again later", s.options.Waiting)
	}
	defer s.preparing.leave()
	return s.preparing.run(ctx, time.Duration(bytes)*byteLater, f)
}

// answer has a job's answer generated when its turn comes, and writes it. An error says that nothing was written.
func (s *Server) answer(x *exchange, r *http.Request, j *job) error {
	if s.ending.Load() {
		return errEnding
	}
	if !s.queue.enter(j.large) {
		return refused(http.StatusTooManyRequests, "rate_limit_error", "queue_full", "%d requests wait already; try again later", s.options.Waiting)
	}
	ctx, cancel := context.WithCancel(r.Context())
	box, gone := newMailbox(), make(chan struct{})
	go func() {
		defer close(gone)
		defer s.queue.leave()
		arrived := time.Now()
		later := time.Duration(0)
		if j.large {
			later = largeLater
		}
		if err := s.queue.run(ctx, later, func() { s.generate(ctx, j, box, arrived) }); err != nil {
			box.finish(lever.Result{}, err)
		}
	}()
	defer func() {
		cancel()
		<-gone
		if box.began {
			x.waited, x.result = box.waited, &box.result
		}
	}()
	if j.options.stream {
		return s.stream(ctx, x, j, box)
	}
	var all piece
	for {
		select {
		case <-box.wake:
		case <-ctx.Done():
			if !s.ending.Load() {
				return errGone
			}
			<-box.wake
		}
		pieces, done := box.take()
		for _, p := range pieces {
			all.add(p)
		}
		if !done {
			continue
		}
		if box.err != nil {
			return box.err
		}
		if j.logprobs && all.logprobs == nil {
			all.logprobs = []logprob{}
		}
		out := j.reply.whole(all, box.result)
		s.deadline(x)
		writeJSON(x, http.StatusOK, out)
		return nil
	}
}

var (
	// errGone says that nobody waits for an answer any more.
	errGone = &apiError{status: statusGone, Message: "the client is gone"}
	// errEnding says that no answer will come.
	errEnding = refused(http.StatusServiceUnavailable, "server_error", "", "this server is about to end")
)

// statusGone counts clients that left before they had an answer; nginx numbers them so.
const statusGone = 499

// fault returns the error to tell a client for one that ended its request.
func (s *Server) fault(ctx context.Context, err error) *apiError {
	var own *apiError
	switch {
	case errors.As(err, &own):
		return own
	case ctx.Err() != nil && s.ending.Load():
		return errEnding
	case ctx.Err() != nil:
		return errGone
	}
	s.options.Log.Error("request failed", "error", err)
	return refused(http.StatusInternalServerError, "server_error", "", "the model failed; the server's log says how")
}

// generate has the engine answer a job, and puts what it makes into box.
func (s *Server) generate(ctx context.Context, j *job, box *mailbox, arrived time.Time) {
	box.begin(time.Since(arrived))
	var ready []logprob // whose text was not put into the box yet
	tok := s.options.Engine.Tokenizer()
	req := j.request
	held := newHeldLogprobs(tok)
	if j.logprobs {
		req.Logits = func(token int32, logits []float32) { held.add(newLogprob(token, logits, j.top, tok.Token)) }
	}
	if j.options.trees {
		req.Observe = func(o spec.Observation) { box.put(piece{tree: newTree(o, tok)}) }
	}
	req.ToolCall = func(d toolcall.Delta) error {
		box.put(piece{calls: []toolcall.Delta{d}})
		return nil
	}
	put := func(reasoning, text string) {
		if reasoning != "" || text != "" {
			box.put(piece{reasoning: reasoning, text: text, logprobs: ready})
			ready = nil
		}
	}
	result, err := s.options.Engine.Generate(ctx, req, func(text string) error {
		ready = append(ready, held.shown(len(text))...)
		if j.thoughts != nil {
			put(j.thoughts.Next(text))
		} else {
			put("", text)
		}
		return nil
	})
	if j.thoughts != nil {
		put(j.thoughts.Flush())
	}
	if ready = append(ready, held.last()...); len(ready) > 0 {
		box.put(piece{logprobs: ready})
	}
	s.metrics.count(result, time.Since(arrived), err, ctx.Err() != nil)
	if from := cmp.Or(j.options.format.from, "tools"); errors.Is(err, grammar.ErrTooLarge) {
		err = invalid(from, "unsupported_value", "%s: schema is too large, which showed after %d tokens of the answer", from, result.Tokens)
	}
	box.finish(result, err)
}

func newTree(o spec.Observation, tok *tokenizer.Tokenizer) *tree {
	t := &tree{
		Parents: slices.Clone(o.Tree.Parents()), Probs: slices.Clone(o.Tree.Probs()), Accepted: slices.Clone(o.Path),
		Next: valid(tok.Token(o.Next)), Seconds: o.DraftSeconds + o.VerifySeconds,
	}
	for _, token := range o.Tree.Tokens() {
		t.Tokens = append(t.Tokens, valid(tok.Token(token)))
	}
	return t
}
