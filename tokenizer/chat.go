package tokenizer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrRefused is wrapped by errors of a chat template that refuses a conversation (raise_exception); the error has the
// template's words.
var ErrRefused = errors.New("refused by the chat template")

// Message is one turn of a conversation.
type Message struct {
	Role      string // "system", "user", "assistant" or "tool"
	Content   string
	Reasoning string // what the assistant thought before Content, without <think> tags
	ToolCalls []ToolCall

	// Of a tool's result: the call that it answers, and the function's name.
	ToolCallID string
	Name       string
}

// ToolCall is a function that the assistant asks for.
type ToolCall struct {
	// ID tells calls of one conversation apart. Templates see one of nine letters and digits, as Mistral's ask for: another one by its hash.
	ID        string
	Name      string
	Arguments json.RawMessage // a JSON object
}

// ChatOptions says what [Tokenizer.Chat] adds to the messages. The zero value adds nothing.
type ChatOptions struct {
	// AddGenerationPrompt ends the prompt with the beginning of the assistant's answer.
	AddGenerationPrompt bool
	// Continue ends the prompt within the last message, which is the assistant's, so that the answer goes on from there. AddGenerationPrompt is ignored
	// then.
	Continue bool
	// NoThinking asks a model that can think before it answers not to. For one that writes in channels, the prompt ends with the beginning of the last one.
	NoThinking bool
	// Tools are JSON objects that describe functions, in the form that the model was trained on.
	Tools []json.RawMessage
	// Date is what templates see as today; if zero, today's date.
	Date time.Time
}

// Prompt is a rendered conversation.
type Prompt struct {
	Text string // to be read; [Tokenizer.EncodePrompt] gives its tokens
	// Builtin names the built-in template used ("llama3" or "chatml"); empty if the model's own was used.
	Builtin string
	// Fallback is why the model's own template was not used: nil if it was, or if there is none.
	Fallback error

	quoted string // Text with marks in the control tokens that messages spell
}

// Chat renders a conversation with the model's own template. Where that fails, or where there is none, a built-in one of
// Llama-3 or ChatML takes its place, chosen by the special tokens that exist; [Prompt] tells. A template that refuses the
// conversation gives [ErrRefused]; a model with neither template gives [ErrUnsupported].
//
// A message that spells a control token, such as "<|eot_id|>", does not forge it: see [Tokenizer.EncodePrompt].
// Rendering ends with ctx, whose error it then wraps.
func (t *Tokenizer) Chat(ctx context.Context, messages []Message, opts ChatOptions) (Prompt, error) {
	messages, err := t.quoteMessages(ctx, messages)
	if err != nil {
		return Prompt{}, err
	}
	if opts.Continue {
		if messages, err = openLast(messages); err != nil {
			return Prompt{}, err
		}
		opts.AddGenerationPrompt = false
	}
	source, ok := t.template(len(opts.Tools) > 0)
	var fallback error
	if ok {
		text, err := t.renderTemplate(ctx, source, messages, opts)
		if err == nil && opts.Continue {
			text, err = cutLast(text)
		}
		if err == nil {
			if opts.NoThinking && opts.AddGenerationPrompt && t.HasChannels() {
				text += finalChannel
			}
			return Prompt{Text: unquote(text), quoted: text}, nil
		}
		err = fmt.Errorf("tokenizer: chat template: %w", err)
		if errors.Is(err, ErrRefused) || ctx.Err() != nil {
			return Prompt{}, err
		}
		fallback = err
	}
	name, text, err := t.renderBuiltin(messages, opts)
	if err == nil && opts.Continue {
		text, err = cutLast(text)
	}
	if err != nil {
		return Prompt{}, errors.Join(fallback, fmt.Errorf("tokenizer: %w", err))
	}
	return Prompt{Text: unquote(text), Builtin: name, Fallback: fallback, quoted: text}, nil
}

// EncodePrompt returns the tokens of a conversation that [Tokenizer.Chat] rendered. Control tokens are those that the template wrote; where a message
// spells one, it is text like any other. It ends with ctx, as EncodeContext does.
func (t *Tokenizer) EncodePrompt(ctx context.Context, p Prompt) ([]int32, error) {
	return t.encode(ctx, p.quoted, EncodeOptions{ParseSpecial: true}, unquote)
}
