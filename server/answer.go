package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/plural"
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
	reply   reply
	prompt  string // the field that has the prompt, for errors
	options *sampling
	request lever.Request
	ready   any             // the body of an answer for which nothing is generated, or nil
	prompts []prompt        // to continue; if there are none, the request has its prompt
	choices []lever.Request // the answers to give, those for a prompt one after the other
	large   bool            // it may take longer than most
	echo    bool            // a choice begins with its prompt
	// promptOnly has a choice end with its prompt: what the engine makes, a token, is left out.
	promptOnly bool
	logprobs   bool
	top        int               // alternatives of each token
	thoughts   *tokenizer.Prompt // after which thoughts are told from text; nil where they are not
}

// lightBytes is the length of the longest request that is prepared at once. What longer ones take is noticed by others, so they take turns.
const lightBytes = 16 << 10

// prepare makes a job of a request's body: its fields, its prompt, its grammar.
func (s *Server) prepare(ctx context.Context, body []byte, q question) (j *job, err error) {
	read := func(ctx context.Context) { j, err = s.readJob(ctx, body, q) }
	if len(body) <= lightBytes {
		read(ctx)
	} else if busy := s.inTurn(ctx, len(body), read); busy != nil {
		return nil, busy
	}
	if err != nil || j.ready != nil {
		return j, err
	}
	if j.request.Grammar, err = s.grammar(ctx, &j.options.format); err == nil {
		j.request.Calls, err = s.toolGrammar(ctx, &j.request)
	}
	for i := range j.choices {
		j.choices[i].Grammar, j.choices[i].Calls = j.request.Grammar, j.request.Calls
	}
	j.large = len(body) > lightBytes || j.request.Grammar != nil || j.request.Calls != nil || len(j.choices) > 1 || j.echo && j.logprobs
	return j, err
}

func (s *Server) readJob(ctx context.Context, body []byte, q question) (*job, error) {
	j, err := s.asked(body, q)
	if err != nil || j.ready != nil {
		return j, err
	}
	return j, s.spread(ctx, j)
}

// asked returns what the body of a request asks for, with nothing encoded yet.
func (s *Server) asked(body []byte, q question) (*job, error) {
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
	return j, nil
}

// encode encodes the prompt of a request of a job.
func (s *Server) encode(ctx context.Context, j *job, req *lever.Request) (tokenizer.Prompt, error) {
	prompt, err := s.options.Engine.Prepare(ctx, req)
	if err != nil {
		return prompt, promptError(ctx, j, err)
	}
	if prompt.Fallback != nil {
		s.fallbacks.tell(s.options.Log, s.options.Model, prompt)
	}
	return prompt, nil
}

// promptError returns the error to tell a client for one about the prompt of its job.
func promptError(ctx context.Context, j *job, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, toolcall.ErrUnsupported):
		return invalid("tools", "unsupported_parameter", "this model can't call tools: %s", plain(err))
	case errors.Is(err, spec.ErrPromptTooLong):
		return invalid(j.prompt, "context_length_exceeded", "%s", plain(err))
	}
	return invalid(j.prompt, "", "%s", plain(err))
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

// byteLater is, for each byte more that a request has, how much later another one may come and still be prepared before it.
const byteLater = time.Microsecond

// inTurn calls f, about so many bytes, when it is its turn among what takes long and is not a generation: one at a time, so that it takes one core
// at most. With the context that f gets, it gives way.
func (s *Server) inTurn(ctx context.Context, bytes int, f func(ctx context.Context)) error {
	if !s.preparing.enter(false) {
		return refused(http.StatusTooManyRequests, "rate_limit_error", "queue_full", "no more than %s may wait to be prepared; try again later", plural.Of(s.options.Waiting, "request"))
	}
	defer s.preparing.leave()
	return s.preparing.run(ctx, s.preparing.line(false, time.Now().Add(time.Duration(bytes)*byteLater), nil), func() { f(s.light.givesWay(ctx)) })
}

// answer has a job's answer generated when its turn comes, and writes it. An error says that nothing was written.
func (s *Server) answer(x *exchange, r *http.Request, j *job) error {
	if s.ending.Load() {
		return errEnding
	}
	if !j.large {
		s.light.Add(1)
		defer s.light.Add(-1)
	}
	if !s.queue.enter(j.large) {
		return refused(http.StatusTooManyRequests, "rate_limit_error", "queue_full", "no more than %s may wait; try again later", plural.Of(s.options.Waiting, "request"))
	}
	ctx, cancel := context.WithCancel(r.Context())
	box, gone := newMailbox(), make(chan struct{})
	go func() {
		defer close(gone)
		defer s.queue.leave()
		box.finish(s.generate(ctx, j, box))
	}()
	defer func() {
		cancel()
		<-gone
		if box.began {
			x.waited, x.result = box.waited, &box.total
		}
	}()
	if j.options.stream {
		return s.stream(ctx, x, j, box)
	}
	all := make([]piece, len(j.choices))
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
			all[p.choice].add(p)
		}
		if !done {
			continue
		}
		if box.err != nil {
			return box.err
		}
		for i := range all {
			if j.logprobs && all[i].logprobs == nil {
				all[i].logprobs = []logprob{}
			}
		}
		out := j.reply.whole(all)
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

// gone ends a request whose client has left. One that only sends no more, and still reads, must not take silence for an answer.
func gone(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	w.WriteHeader(statusGone)
}

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
