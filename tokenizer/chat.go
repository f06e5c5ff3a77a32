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
}

// ToolCall is a function that the assistant asks for.
type ToolCall struct {
	Name      string
	Arguments json.RawMessage // a JSON object
}

// ChatOptions says what [Tokenizer.Chat] adds to the messages. The zero value adds nothing.
type ChatOptions struct {
	// AddGenerationPrompt ends the prompt with the beginning of the assistant's answer.
	AddGenerationPrompt bool
	// NoThinking asks a model that can think before it answers not to.
	NoThinking bool
	// Tools are JSON objects that describe functions, in the form that the model was trained on.
	Tools []json.RawMessage
	// Date is what templates see as today; zero: now, for templates that ask for it.
	Date time.Time
}

// Prompt is a rendered conversation.
type Prompt struct {
	Text string // to be read; [Tokenizer.EncodePrompt] gives its tokens
	// Builtin names the built-in template used ("llama3" or "chatml"); empty: the model's own.
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
	messages = t.quoteMessages(messages)
	source, ok := t.template(len(opts.Tools) > 0)
	var fallback error
	if ok {
		text, err := t.renderTemplate(ctx, source, messages, opts)
		if err == nil {
			return Prompt{Text: unquote(text), quoted: text}, nil
		}
		err = fmt.Errorf("tokenizer: chat template: %w", err)
		if errors.Is(err, ErrRefused) || ctx.Err() != nil {
			return Prompt{}, err
		}
		fallback = err
	}
	name, text, err := t.renderBuiltin(messages, opts)
	if err != nil {
		return Prompt{}, errors.Join(fallback, fmt.Errorf("tokenizer: %w", err))
	}
	return Prompt{Text: unquote(text), Builtin: name, Fallback: fallback, quoted: text}, nil
}

// EncodePrompt returns the tokens of a conversation that [Tokenizer.Chat] rendered. Control tokens are those that the template wrote; where a message
// spells one, it is text like any other.
func (t *Tokenizer) EncodePrompt(p Prompt) []int32 {
	return t.encode(p.quoted, EncodeOptions{ParseSpecial: true}, unquote)
}

// renderTemplate runs the model's template over the conversation.
func (t *Tokenizer) renderTemplate(ctx context.Context, source string, messages []Message, opts ChatOptions) (string, error) {
	size := len(source)
	turns := make(list, len(messages))
	for i, m := range messages {
		turn, err := m.value(t.quote)
		if err != nil {
			return "", fmt.Errorf("message %d: %w", i, err)
		}
		turns[i] = turn
		size += m.size()
	}
	vars := map[string]any{
		"messages":              turns,
		"bos_token":             t.Token(t.bos),
		"eos_token":             t.Token(t.eosToken),
		"add_generation_prompt": opts.AddGenerationPrompt,
	}
	if opts.NoThinking {
		vars["enable_thinking"] = false
	}
	now := opts.Date
	if now.IsZero() {
		now = time.Now()
	} else {
		vars["date_string"] = now.Format("02 Jan 2006")
	}
	if len(opts.Tools) > 0 {
		tools := make(list, len(opts.Tools))
		for i, raw := range opts.Tools {
			tool, err := jsonValue(raw, t.quote)
			if err != nil {
				return "", fmt.Errorf("tool %d: %w", i, err)
			}
			tools[i] = tool
			size += len(raw)
		}
		vars["tools"] = tools
	}
	return newSandbox(ctx, size, now).render(source, vars)
}

// size returns about how many bytes m has.
func (m Message) size() int {
	const overhead = 64
	n := overhead + len(m.Role) + len(m.Content) + len(m.Reasoning)
	for _, call := range m.ToolCalls {
		n += overhead + len(call.Name) + len(call.Arguments)
	}
	return n
}

// value returns m as templates expect it. quote is applied to the strings of its JSON.
func (m Message) value(quote func(string) string) (any, error) {
	turn := object("role", m.Role, "content", m.Content)
	if m.Reasoning != "" {
		turn.Pairs = append(turn.Pairs, object("reasoning_content", m.Reasoning).Pairs...)
	}
	if len(m.ToolCalls) == 0 {
		return turn, nil
	}
	calls := make(list, len(m.ToolCalls))
	for i, call := range m.ToolCalls {
		arguments, err := jsonValue(call.Arguments, quote)
		if err != nil {
			return nil, fmt.Errorf("arguments of %s: %w", call.Name, err)
		}
		calls[i] = object("type", "function", "function", object("name", call.Name, "arguments", arguments))
	}
	turn.Pairs = append(turn.Pairs, object("tool_calls", calls).Pairs...)
	return turn, nil
}
