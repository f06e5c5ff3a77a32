package tokenizer

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lever-go/lever/internal/jinja"
	"github.com/minio/sha256-simd"
)

// limits are the bounds of a template's run over an input of so many bytes: more than real templates need for conversations of any length.
func limits(size int) jinja.Limits {
	n := int64(size)
	return jinja.Limits{Steps: 8<<20 + 16*n, Bytes: 64<<20 + 32*n, Output: 256<<10 + 8*n}
}

// renderTemplate runs the model's template over the conversation.
func (t *Tokenizer) renderTemplate(ctx context.Context, source string, messages []Message, opts ChatOptions) (string, error) {
	template, err := jinja.Parse(source)
	if err != nil {
		return "", shortened(err)
	}
	size := len(source)
	c := checks{ctx: ctx}
	quote := func(s string) string { return t.quote(&c, s) }
	turns := make([]jinja.Value, len(messages))
	for i, m := range messages {
		if turns[i], err = m.value(quote); err != nil {
			return "", fmt.Errorf("message %d: %w", i, err)
		}
		if m.Reasoning != "" && t.HasChannels() && (m.Content == "" || len(m.ToolCalls) == 0) {
			turns[i].(*jinja.Dict).Set("thinking", m.Reasoning) // as templates of such models call it; they refuse it beside content and calls
		}
		size += m.size()
	}
	vars := map[string]jinja.Value{
		"messages":              jinja.List(turns...),
		"bos_token":             t.Token(t.bos),
		"eos_token":             t.Token(t.eosToken),
		"add_generation_prompt": opts.AddGenerationPrompt,
		"raise_exception":       jinja.Func(raise),
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
	vars["strftime_now"] = jinja.Func(func(a jinja.Args) (jinja.Value, error) {
		format, ok := "", len(a.Values) == 1
		if ok {
			format, ok = a.Values[0].(string)
		}
		if !ok {
			return nil, errors.New("strftime_now takes a format")
		}
		return strftime(now, format), nil
	})
	if len(opts.Tools) > 0 {
		tools := make([]jinja.Value, len(opts.Tools))
		for i, raw := range opts.Tools {
			if tools[i], err = jsonValue(raw, quote); err != nil {
				return "", fmt.Errorf("tool %d: %w", i, err)
			}
			size += len(raw)
		}
		vars["tools"] = jinja.List(tools...)
	}
	text, err := template.Render(ctx, vars, limits(size))
	return text, shortened(err)
}

// refusal is the error of raise_exception with the template's words.
type refusal string

func (r refusal) Error() string { return string(r) }

func raise(a jinja.Args) (jinja.Value, error) {
	words := ""
	if len(a.Values) > 0 {
		words, _ = a.Values[0].(string)
	}
	return nil, refusal(words)
}

// shortened returns an error of a template in a readable length.
func shortened(err error) error {
	if words, ok := errors.AsType[refusal](err); ok {
		return fmt.Errorf("%w: %s", ErrRefused, shorten(strings.ReplaceAll(string(words), mark, "")))
	}
	if err != nil && len(err.Error()) > maxErrorText {
		return errors.New(shorten(err.Error()))
	}
	return err
}

// size returns about how many bytes m has.
func (m Message) size() int {
	const overhead = 64
	n := overhead + len(m.Role) + len(m.Content) + len(m.Reasoning) + len(m.Name)
	for _, call := range m.ToolCalls {
		n += overhead + len(call.Name) + len(call.Arguments)
	}
	return n
}

// value returns m as templates expect it. quote is applied to the strings of its JSON.
func (m Message) value(quote func(string) string) (jinja.Value, error) {
	turn := object("role", m.Role, "content", m.Content)
	if m.Reasoning != "" {
		turn.Set("reasoning_content", m.Reasoning)
	}
	if m.ToolCallID != "" {
		turn.Set("tool_call_id", shortID(m.ToolCallID))
	}
	if m.Name != "" {
		turn.Set("name", m.Name)
	}
	if len(m.ToolCalls) == 0 {
		return turn, nil
	}
	calls := make([]jinja.Value, len(m.ToolCalls))
	for i, call := range m.ToolCalls {
		arguments, err := jsonValue(call.Arguments, quote)
		if err != nil {
			return nil, fmt.Errorf("arguments of %s: %w", call.Name, err)
		}
		made := object("type", "function", "function", object("name", call.Name, "arguments", arguments))
		if call.ID != "" {
			made.Set("id", shortID(call.ID))
		}
		calls[i] = made
	}
	turn.Set("tool_calls", jinja.List(calls...))
	return turn, nil
}

// idLength is that of the ids of calls in Mistral's templates, which refuse all others.
const idLength = 9

// shortID returns an id of nine letters and digits: the one given, if it is such a one.
func shortID(id string) string {
	if len(id) == idLength && strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])[:idLength]
}

// object returns a dictionary in the order of its arguments, key and value in turn.
func object(keysAndValues ...any) *jinja.Dict {
	d := jinja.NewDict()
	for i := 0; i < len(keysAndValues); i += 2 {
		d.Set(keysAndValues[i].(string), keysAndValues[i+1])
	}
	return d
}

// jsonValue parses JSON into template values, keeping the order of keys; nothing is an empty object. text is applied to every string.
func jsonValue(raw json.RawMessage, text func(string) string) (jinja.Value, error) {
	if len(raw) == 0 {
		return jinja.NewDict(), nil
	}
	v, err := jinja.FromJSON(raw, text)
	if err != nil {
		return nil, jsonError(err)
	}
	return v, nil
}
