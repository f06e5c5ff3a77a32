package mobile

import (
	"context"
	"errors"
	"strings"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
)

// TokenSink gets an answer as it comes.
type TokenSink interface {
	// OnText is called with each new piece of text, on the thread that called Generate. False ends the answer. An exception ends it too, and
	// Generate throws it.
	OnText(text string) (bool, error)
	// OnThought is called in the same way with what a model thinks before it answers.
	OnThought(text string) (bool, error)
}

// Answer is what was generated and what it took.
type Answer struct {
	Text              string
	Thought           string // before the text; "" of a model that does not think
	Finish            string // "stop", "length", "context" or "cancelled"
	PromptTokens      int
	Tokens            int
	TokensPerSecond   float64
	TokensPerPass     float64 // of the large model: what the draft is good for
	FirstTokenSeconds float64 // from the call to the first token
}

// Generate answers the next message of the conversation. options may be null. An answer that Cancel or the sink ended is returned as far as it came. While
// another one is under way it fails; one that was cancelled it waits for.
func (e *Engine) Generate(prompt string, options *Options, sink TokenSink) (*Answer, error) {
	ctx, end, err := e.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	request := lever.Request{Messages: append(e.messages, tokenizer.Message{Role: "user", Content: prompt})}
	if err := options.apply(ctx, e.engine, &request, len(e.tools) > 0); err != nil {
		return nil, err
	}
	e.counts.watch(&request)
	tell := func(hear func(TokenSink, string) (bool, error)) func(string) error {
		return func(text string) error {
			if sink == nil {
				return nil
			}
			more, err := hear(sink, text)
			if err == nil && !more {
				err = errSink
			}
			return err
		}
	}
	request.Thought = tell(TokenSink.OnThought)
	messages, result, err := e.engine.Converse(ctx, request, e.tools, tell(TokenSink.OnText))
	if err != nil && !errors.Is(err, errSink) && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	if err != nil {
		result.Finish = spec.FinishCancelled
		messages = append(messages, tokenizer.Message{Role: "assistant", Content: strings.TrimSpace(result.Text), Reasoning: result.Thought})
	}
	e.messages = messages
	return &Answer{
		Text: result.Text, Thought: result.Thought, Finish: string(result.Finish), PromptTokens: result.PromptTokens, Tokens: result.Tokens,
		TokensPerSecond: result.TokensPerSecond, TokensPerPass: result.AcceptedPerPass, FirstTokenSeconds: result.TimeToFirstToken,
	}, nil
}
