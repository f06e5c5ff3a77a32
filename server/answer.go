package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/grammar"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
)

// job is a request that is ready to be answered.
type job struct {
	form     form
	options  *sampling
	request  lever.Request
	logprobs bool
	top      int                 // alternatives of each token
	thoughts *tokenizer.Thoughts // nil: all is text
}

// chat answers POST /v1/chat/completions.
func (s *Server) chat(w http.ResponseWriter, r *http.Request) error {
	var body chatRequest
	if err := s.read(w, r, &body); err != nil {
		return err
	}
	if err := s.checkModel(body.Model); err != nil {
		return err
	}
	req, err := body.request(s.options.Request)
	if err != nil {
		return err
	}
	if req.Grammar, err = s.grammar(r.Context(), body.ResponseFormat); err != nil {
		return err
	}
	// The engine renders the prompt again; here it tells whether that can be done, and whether it opens a thought.
	prompt, err := s.options.Engine.Chat(r.Context(), req)
	if err != nil {
		return invalid("messages", "", "%v", err)
	}
	j := &job{form: chatForm, options: &body.sampling, request: req, logprobs: body.Logprobs, top: body.TopLogprobs}
	if req.Grammar == nil {
		j.thoughts = tokenizer.NewThoughts(prompt)
	}
	return s.answer(w, r, j)
}

// complete answers POST /v1/completions.
func (s *Server) complete(w http.ResponseWriter, r *http.Request) error {
	var body completionRequest
	if err := s.read(w, r, &body); err != nil {
		return err
	}
	if err := s.checkModel(body.Model); err != nil {
		return err
	}
	req, err := body.request(s.options.Request)
	if err != nil {
		return err
	}
	j := &job{form: completionForm, options: &body.sampling, request: req}
	if body.Logprobs != nil {
		j.logprobs, j.top = true, *body.Logprobs
	}
	return s.answer(w, r, j)
}

// keptGrammars is the number of grammars kept for the next request with the same schema.
const keptGrammars = 8

// grammar returns the grammar of a response format, nil for text.
func (s *Server) grammar(ctx context.Context, f *responseFormat) (*grammar.Grammar, error) {
	if f == nil || f.Type == "text" || f.Type == "" {
		return nil, nil
	}
	v, err := s.options.Engine.Vocabulary()
	if err != nil {
		return nil, err
	}
	var schema []byte // nil: any object
	switch {
	case f.Type == "json_schema" && isSet(f.JSONSchema.Schema):
		schema = f.JSONSchema.Schema
	case f.Type == "json_schema":
		return nil, invalid("response_format", "", "response_format json_schema has no json_schema.schema")
	case f.Type != "json_object":
		return nil, invalid("response_format", "unsupported_value", "response_format %q is none of text, json_object and json_schema", f.Type)
	}
	key := sha256.Sum256(schema)
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, ok := s.grammars[key]; ok {
		return g, nil
	}
	g := (*grammar.Grammar)(nil)
	if schema == nil {
		g = v.JSON()
	} else if g, err = v.JSONSchema(ctx, schema); err != nil {
		return nil, invalid("response_format", "unsupported_value", "%v", err)
	}
	if len(s.grammars) >= keptGrammars {
		clear(s.grammars)
	}
	s.grammars[key] = g
	return g, nil
}

// answer has a job's answer generated when its turn comes, and writes it. An error says that nothing was written.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, j *job) error {
	if s.ending.Load() {
		return refused(http.StatusServiceUnavailable, "server_error", "", "this server is about to end")
	}
	if !s.queue.enter() {
		return refused(http.StatusTooManyRequests, "rate_limit_error", "queue_full", "%d requests wait already; try again later", s.options.Waiting)
	}
	ctx, cancel := context.WithCancel(r.Context())
	box, gone := newMailbox(), make(chan struct{})
	go func() {
		defer close(gone)
		defer s.queue.leave()
		arrived := time.Now()
		if err := s.queue.run(ctx, func() { s.generate(ctx, j, box, arrived) }); err != nil {
			box.finish(lever.Result{}, err)
		}
	}()
	defer func() {
		cancel()
		<-gone
	}()
	if j.options.Stream {
		return s.stream(ctx, w, j, box)
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
			all.reasoning, all.text, all.logprobs = all.reasoning+p.reasoning, all.text+p.text, append(all.logprobs, p.logprobs...)
		}
		if !done {
			continue
		}
		if box.err != nil {
			return s.fault(ctx, box.err)
		}
		out := newResponse(j.form, j.form.object, s.options.Model)
		out.Choices, out.Usage = append(out.Choices, j.form.whole(all, finishReason(box.result.Finish))), newUsage(box.result)
		s.deadline(w)
		writeJSON(w, http.StatusOK, out)
		return nil
	}
}

// errGone says that nobody waits for an answer any more.
var errGone = errors.New("the client is gone")

// fault returns the error to answer for one of the engine.
func (s *Server) fault(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, spec.ErrPromptTooLong):
		return invalid("messages", "context_length_exceeded", "%v", err)
	case errors.Is(err, spec.ErrEmptyPrompt):
		return invalid("messages", "", "the prompt is empty")
	case ctx.Err() != nil && s.ending.Load():
		return refused(http.StatusServiceUnavailable, "server_error", "", "this server ended before the answer was complete")
	case ctx.Err() != nil:
		return errGone
	}
	return err
}

// generate has the engine answer a job, and puts what it makes into box.
func (s *Server) generate(ctx context.Context, j *job, box *mailbox, arrived time.Time) {
	var next piece
	tok := s.options.Engine.Tokenizer()
	req := j.request
	if j.logprobs {
		next.logprobs = []logprob{}
		eos := tok.EOS()
		req.Logits = func(token int32, logits []float32) {
			if !slices.Contains(eos, token) {
				next.logprobs = append(next.logprobs, newLogprob(token, logits, j.top, tok.Token))
			}
		}
	}
	if j.options.Trees {
		req.Observe = func(o spec.Observation) { box.put(piece{tree: newTree(o, tok)}) }
	}
	req.Prefill = func(int, int) { box.notify() }
	put := func(reasoning, text string) {
		if reasoning == "" && text == "" {
			return
		}
		next.reasoning, next.text = reasoning, text
		box.put(next)
		next = piece{}
		if j.logprobs {
			next.logprobs = []logprob{}
		}
	}
	result, err := s.options.Engine.Generate(ctx, req, func(text string) error {
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
	if len(next.logprobs) > 0 {
		next.reasoning, next.text = "", ""
		box.put(next)
	}
	s.metrics.count(result, time.Since(arrived), err)
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

// quiet is how long a stream may have nothing to say before it says so, that nothing between takes it for dead.
const quiet = 15 * time.Second

// stream writes a job's answer as it is made, as server-sent events.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, j *job, box *mailbox) error {
	part := newResponse(j.form, j.form.chunk, s.options.Model)
	offset, begun := 0, false
	timer := time.NewTicker(quiet)
	defer timer.Stop()
	var out []byte
	event := func(v any) {
		body, err := json.Marshal(v)
		if err != nil {
			s.options.Log.Error("stream", "error", err)
			return
		}
		out = append(append(append(out, "data: "...), body...), "\n\n"...)
	}
	begin := func() {
		if begun {
			return
		}
		begun = true
		h := w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Accel-Buffering", "no")
		if j.form.chat {
			empty := ""
			part.Choices = []choice{{Delta: &said{Role: "assistant", Content: &empty}}}
			event(part)
		}
	}
	for {
		select {
		case <-box.wake:
		case <-timer.C:
			if begun {
				out = append(out, ": still at work\n\n"...)
			}
		case <-ctx.Done():
			if !s.ending.Load() {
				return errGone
			}
			<-box.wake
		}
		pieces, done := box.take()
		if done && box.err != nil {
			err := s.fault(ctx, box.err)
			if !begun || err == errGone {
				return err
			}
			if e := asAPIError(err); e.status == http.StatusInternalServerError {
				s.options.Log.Error("stream failed", "error", err)
			}
			event(map[string]any{"error": asAPIError(err)})
			s.flush(w, out)
			return nil
		}
		begin()
		for _, p := range pieces {
			part.Choices, part.Tree = []choice{}, p.tree
			if p.tree == nil {
				part.Choices = append(part.Choices, j.form.part(p, offset))
			}
			offset += utf8.RuneCountInString(p.text)
			event(part)
		}
		part.Tree = nil
		if done {
			last, finish := j.form.part(piece{}, offset), finishReason(box.result.Finish)
			last.FinishReason = &finish
			if last.Delta != nil {
				last.Delta = &said{}
			}
			part.Choices = []choice{last}
			event(part)
			if o := j.options.StreamOptions; o != nil && o.IncludeUsage {
				part.Choices, part.Usage = []choice{}, newUsage(box.result)
				event(part)
			}
			out = append(out, "data: [DONE]\n\n"...)
		}
		if err := s.flush(w, out); err != nil || done {
			return nil
		}
		out = out[:0]
	}
}

// flush sends to the client, or fails when it does not read.
func (s *Server) flush(w http.ResponseWriter, out []byte) error {
	s.deadline(w)
	if _, err := w.Write(out); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

// deadline bounds the time that the client may take to read what is written next.
func (s *Server) deadline(w http.ResponseWriter) {
	// A connection that knows no deadlines is the caller's to guard.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.options.WriteTime))
}
