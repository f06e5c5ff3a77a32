package server

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/grammar"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
)

// maxChoices bounds the choices of a request: n times the number of its prompts.
const maxChoices = 64

// prompt is a text to continue, or its tokens.
type prompt struct {
	text   string
	tokens []int32
}

// spread makes the choices of a job: n for each prompt, the first with the seed of the request and the others with those after it.
func (s *Server) spread(ctx context.Context, j *job) error {
	n := 1
	if j.options.n != nil {
		n = int(*j.options.n)
	}
	if max(1, len(j.prompts))*n > maxChoices {
		return invalid("n", "", "%d choices for each of %s are too many: a request may have %d in all", n, plural.Of(len(j.prompts), "prompt"), maxChoices)
	}
	requests := []lever.Request{j.request}
	if j.prompts != nil {
		requests = slices.Repeat(requests, len(j.prompts))
	}
	for i := range requests {
		req := &requests[i]
		if j.prompts != nil {
			req.Prompt, req.Tokens = j.prompts[i].text, j.prompts[i].tokens
		}
		rendered, err := s.encode(ctx, j, req)
		if err != nil {
			return err
		}
		if !req.Raw && !j.options.format.limits() {
			j.thoughts = &rendered
		}
		for range n {
			j.choices = append(j.choices, *req)
			req.Sampling.Seed++
		}
	}
	if o, ok := j.reply.(*openAI); ok {
		o.sizes(n, len(j.choices))
	}
	return nil
}

// generate has the engine answer a job when its turn comes, and puts what it makes into box. Each choice has a turn of its own. An error of one ends all.
func (s *Server) generate(ctx context.Context, j *job, box *mailbox) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	arrived := time.Now()
	var all sync.WaitGroup
	for i := range j.choices {
		prompt := j.choices[i].Tokens
		if j.echo && j.logprobs { // all of it is computed anyway
			prompt = nil
		}
		turn := s.queue.line(j.large, arrived, prompt)
		all.Go(func() {
			err := s.queue.run(ctx, turn, func() {
				if err := s.choose(ctx, j, box, i, arrived, turn); err != nil {
					cancel(err)
				}
			})
			if err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// choose generates a choice in its turn.
func (s *Server) choose(ctx context.Context, j *job, box *mailbox, i int, arrived time.Time, turn *turn) error {
	if i == 0 {
		box.begin(time.Since(arrived))
	}
	put := func(p piece) {
		p.choice = i
		box.put(p)
	}
	var ready []logprob // whose text was not put into the box yet
	tok := s.options.Engine.Tokenizer()
	req := j.choices[i]
	held := newHeldLogprobs(tok)
	if j.logprobs && !j.promptOnly {
		req.Logits = func(token int32, logits []float32) { held.add(newLogprob(token, logits, j.top, tok.Token)) }
	}
	var seen spec.Stats
	req.Observe = func(o spec.Observation) {
		s.metrics.progress(spec.Stats{Passes: 1, Drafted: len(o.Tree.Tokens()) - 1}, &seen)
		if j.options.trees {
			put(piece{tree: newTree(o, tok)})
		}
	}
	req.Prefill = func(done, total int) {
		s.queue.holds(turn, min(done, len(turn.prompt)-1)) // all once there is a token, as the draft may hold less
		if j.options.progress && i == 0 {
			put(piece{progress: &progress{done, total}})
		}
	}
	req.ToolCall = func(d toolcall.Delta) error {
		put(piece{calls: []toolcall.Delta{d}})
		return nil
	}
	drafted, draftedBytes := false, 0 // the text that is said next, and of what a pass adds
	say := func(reasoning, text string) {
		if reasoning != "" || text != "" {
			put(piece{reasoning: reasoning, text: text, drafted: drafted, logprobs: ready})
			ready = nil
		}
	}
	if j.echo && j.logprobs {
		held.addPrompt(req.Tokens)
		req.PromptLogits = func(token int32, logits []float32) { held.add(newLogprob(token, logits, j.top, tok.Token)) }
	}
	begin := sync.OnceFunc(func() {
		s.queue.holds(turn, len(turn.prompt))
		if j.echo {
			text := cmp.Or(req.Prompt, textOf(tok, req.Tokens))
			ready = append(ready, held.shown(len(text))...)
			say("", text)
		}
	})
	req.Piece = func(p spec.Piece) {
		begin()
		more := spec.Stats{Tokens: len(p.Tokens)}
		if seen.Passes == 0 {
			more.First = more.Tokens
		}
		s.metrics.progress(more, &seen)
		if j.options.trees {
			draftedBytes = p.Drafted
		}
	}
	var thoughts *tokenizer.Thoughts
	if j.thoughts != nil {
		thoughts = tokenizer.NewThoughts(*j.thoughts)
	}
	work := ctx
	if j.large {
		work = s.light.givesWay(ctx)
	}
	result, err := s.options.Engine.Generate(work, req, func(text string) error {
		if j.promptOnly {
			return nil
		}
		ready = append(ready, held.shown(len(text))...)
		n := min(draftedBytes, len(text))
		for i, part := range []string{text[:n], text[n:]} {
			drafted = i == 0
			if thoughts != nil {
				say(thoughts.Next(part))
			} else {
				say("", part)
			}
		}
		return nil
	})
	if thoughts != nil {
		say(thoughts.Flush())
	}
	if j.promptOnly {
		result.Tokens, result.First, result.TokensPerSecond, result.AcceptedPerPass, result.Finish = 0, 0, 0, 0, spec.FinishLength
	}
	if ready = append(ready, held.last()...); len(ready) > 0 {
		put(piece{logprobs: ready})
	}
	s.metrics.count(result, seen, time.Since(arrived), err, ctx.Err() != nil)
	box.count(result)
	if err == nil {
		put(piece{result: &result})
	}
	if from := cmp.Or(j.options.format.from, "tools"); errors.Is(err, grammar.ErrTooLarge) {
		return invalid(from, "unsupported_value", "%s: schema is too large, which showed after %s of the answer", from, plural.Of(result.Tokens, "token"))
	}
	return err
}

// textOf returns the text of tokens without control tokens.
func textOf(tok *tokenizer.Tokenizer, tokens []int32) string {
	var text strings.Builder
	decoder := tok.NewStream()
	decoder.SkipSpecial = true
	for _, token := range tokens {
		text.WriteString(decoder.Next(token))
	}
	text.WriteString(decoder.Flush())
	return text.String()
}
