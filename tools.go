package lever

import (
	"context"
	"errors"
	"fmt"

	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
)

// ToolGrammar returns the calls of some tools, for [Request].Calls. It may be called from any goroutine. The error wraps [toolcall.ErrUnsupported] if the
// model's chat template knows no calls; others tell what is wrong with tools and choice, or are those of [grammar.Vocabulary.JSONSchema].
func (e *Engine) ToolGrammar(ctx context.Context, tools []toolcall.Tool, choice toolcall.Choice) (*toolcall.Grammar, error) {
	if err := e.check(ctx); err != nil {
		return nil, err
	}
	syntax, err := e.syntax()
	if err != nil {
		return nil, fmt.Errorf("lever: %w", err)
	}
	vocabulary, err := e.vocabulary()
	if err != nil {
		return nil, fmt.Errorf("lever: %w", err)
	}
	g, err := syntax.Grammar(ctx, vocabulary, tools, choice)
	if err != nil {
		return nil, fmt.Errorf("lever: %w", err)
	}
	return g, nil
}

// decoder makes text of tokens, and calls if there are tools.
type decoder struct {
	spec.TextDecoder
	stream *toolcall.Stream // the same, or nil without tools
}

// follow returns what restricts the answer to a request, or nil, and what makes text of it.
func (e *Engine) follow(ctx context.Context, req *Request) (spec.Constraint, decoder, error) {
	if req.Calls == nil && len(req.Tools) > 0 {
		var err error
		if req.Calls, err = e.ToolGrammar(ctx, req.Tools, req.ToolChoice); err != nil {
			return nil, decoder{}, err
		}
	}
	switch {
	case req.Calls == nil && req.ToolChoice.Required:
		return nil, decoder{}, errors.New("lever: a request's ToolChoice requires a call, and there are no Tools")
	case req.Calls != nil && req.Grammar != nil:
		return nil, decoder{}, errors.New("lever: a request has Tools and a Grammar; the answer can follow one of them only")
	case req.Calls != nil:
		prompt := e.promptEnd(req.Tokens)
		stream := req.Calls.Stream(prompt)
		return req.Calls.Constraint(ctx, prompt), decoder{stream, stream}, nil
	}
	text := e.target.tokenizer.NewStream()
	text.SkipSpecial = true
	if req.Grammar != nil {
		return req.Grammar.Matcher(ctx), decoder{text, nil}, nil
	}
	return nil, decoder{text, nil}, nil
}

// promptEnd returns the text of a prompt's last tokens, in which the beginning of a thought may be.
func (e *Engine) promptEnd(prompt []int32) string {
	return e.target.tokenizer.Decode(prompt[max(0, len(prompt)-8):])
}

// tell calls f, if it is not nil, with what was added to calls since the last time.
func (d decoder) tell(f func(toolcall.Delta) error) error {
	if d.stream == nil {
		return nil
	}
	for _, delta := range d.stream.Deltas() {
		if f == nil {
			continue
		}
		if err := f(delta); err != nil {
			return err
		}
	}
	return nil
}

// calls returns the calls that are complete.
func (d decoder) calls() []tokenizer.ToolCall {
	if d.stream == nil {
		return nil
	}
	return d.stream.Calls()
}
