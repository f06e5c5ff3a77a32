package server

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
)

// messagesRequest is a request of Anthropic's Messages API.
type messagesRequest struct {
	sampling
	conversation
	system     string
	thinking   string
	tools      []toolcall.Tool
	toolChoice toolChoice
}

func (r *messagesRequest) fields() fields {
	return fields{
		"model":          text(&r.model),
		"max_tokens":     integer(&r.maxTokens, 1, math.MaxInt32),
		"system":         content(&r.system),
		"messages":       elements(r.message),
		"stop_sequences": r.takeStop,
		"stream":         boolean(&r.stream),
		"temperature":    number(&r.temperature, 0, 2),
		"top_p":          number(&r.topP, 0, 1),
		"top_k":          integer(&r.topK, -1, math.MaxInt32),
		"thinking":       object(fields{"type": r.takeThinking, "budget_tokens": harmless, "display": harmless}),
		"tools":          elements(anthropicTool(&r.tools)),
		"tool_choice":    r.takeToolChoice,
		"metadata":       harmless,
		"service_tier":   harmless,
		"cache_control":  harmless,
	}
}

// message takes a message: a text, or blocks, of which the results of tools become messages of their own.
func (r *messagesRequest) message(at string, raw json.RawMessage) error {
	m := tokenizer.Message{}
	var results []tokenizer.Message
	var said strings.Builder
	take := func(at string, raw json.RawMessage) error {
		if raw[0] == '"' {
			var words string
			err := text(&words)(at, raw)
			said.WriteString(words)
			return err
		}
		return elements(func(at string, raw json.RawMessage) error { return r.block(at, raw, &m, &said, &results) })(at, raw)
	}
	if err := object(fields{"role": text(&m.Role), "content": take})(at, raw); err != nil {
		return err
	}
	if m.Role != "user" && m.Role != "assistant" {
		return invalid(at+".role", "unsupported_value", "%s has role %q; user and assistant are supported", at, m.Role)
	}
	for _, result := range results {
		if m.Role != "user" {
			return invalid(at+".content", "", "%s has a tool_result, but role %s", at, m.Role)
		}
		if err := r.add(at, result); err != nil {
			return err
		}
	}
	if m.Content = said.String(); m.Content == "" && len(results) > 0 {
		return nil
	}
	return r.add(at, m)
}

// block takes a block of a message's content.
func (r *messagesRequest) block(at string, raw json.RawMessage, m *tokenizer.Message, said *strings.Builder, results *[]tokenizer.Message) error {
	var b struct {
		words, thinking, id, name, answers, content string
		input                                       json.RawMessage
	}
	all := fields{"type": harmless, "cache_control": harmless}
	kind, ok := typeOf(raw)
	if !ok {
		return wrongKind(at, "a block of content", raw)
	}
	switch kind {
	case "text":
		all["text"], all["citations"] = text(&b.words), harmless
	case "thinking":
		all["thinking"], all["signature"] = text(&b.thinking), harmless
	case "tool_use":
		all["id"], all["name"], all["input"], all["caller"] = text(&b.id), text(&b.name), keep(&b.input), harmless
	case "tool_result":
		all["tool_use_id"], all["content"], all["is_error"] = text(&b.answers), content(&b.content), harmless
	default:
		return invalid(at+".type", "unsupported_value", "content of type %.100q is not supported by this server; text, thinking, tool_use and tool_result are", kind)
	}
	if err := object(all)(at, raw); err != nil {
		return err
	}
	said.WriteString(b.words)
	m.Reasoning += b.thinking
	switch kind {
	case "tool_use":
		arguments, err := callArguments(at+".input", string(b.input))
		if err != nil || b.name == "" {
			return invalid(at+".input", "", "%s must have a name, and an object as its input", at)
		}
		m.ToolCalls = append(m.ToolCalls, tokenizer.ToolCall{ID: b.id, Name: b.name, Arguments: arguments})
	case "tool_result":
		*results = append(*results, tokenizer.Message{Role: "tool", ToolCallID: b.answers, Content: b.content})
	}
	return nil
}

// anthropicTool takes a tool as Anthropic's API describes it.
func anthropicTool(to *[]toolcall.Tool) field {
	return func(at string, raw json.RawMessage) error {
		kind := "custom"
		var t toolcall.Tool
		err := object(fields{
			"type": text(&kind), "name": text(&t.Name), "description": text(&t.Description), "input_schema": keep(&t.Parameters), "strict": boolean(&t.Strict),
			"cache_control": harmless, "input_examples": harmless, "eager_input_streaming": harmless, "defer_loading": only("false"),
		})(at, raw)
		if err == nil && kind != "custom" {
			return invalid(at+".type", "unsupported_value", "%s has type %.100q; custom is supported", at, kind)
		}
		*to = append(*to, t)
		return err
	}
}

func (r *messagesRequest) takeToolChoice(at string, raw json.RawMessage) error {
	var kind string
	c := &r.toolChoice
	c.from = at
	err := object(fields{"type": text(&kind), "name": text(&c.Name), "disable_parallel_tool_use": boolean(&c.Single)})(at, raw)
	switch {
	case err != nil:
		return err
	case kind == "tool" && c.Name != "":
		c.Required = true
		return nil
	}
	return c.set(at+".type", kind, "auto", "none", "any")
}

// takeThinking takes whether a model thinks.
func (r *messagesRequest) takeThinking(at string, raw json.RawMessage) error {
	err := text(&r.thinking)(at, raw)
	if err == nil && r.thinking != "enabled" && r.thinking != "adaptive" && r.thinking != "disabled" {
		err = invalid(at, "unsupported_value", "%s %.100q is none of enabled, adaptive and disabled", at, r.thinking)
	}
	return err
}

func (r *messagesRequest) job(base lever.Request) (*job, error) {
	j := &job{reply: &anthropic{model: r.served}, prompt: "messages", options: &r.sampling, request: base}
	req := &j.request
	if r.thinking != "" {
		req.NoThinking = r.thinking == "disabled"
	}
	if err := r.apply(req); err != nil {
		return nil, err
	}
	if err := r.toolChoice.apply(req, r.tools, nil, &r.format); err != nil {
		return nil, err
	}
	if len(r.messages) == 0 {
		return nil, invalid("messages", "", "there are no messages")
	}
	req.Messages, req.Continue = r.after(r.system), r.continuable()
	return j, nil
}

// countTokens answers POST /v1/messages/count_tokens: how many tokens the prompt of a request has, which may be more than the context has room for.
func (s *Server) countTokens(ctx context.Context, q *messagesRequest, body []byte) (any, error) {
	j, err := s.asked(body, q)
	if err != nil {
		return nil, err
	}
	_, err = s.options.Engine.Prepare(ctx, &j.request)
	n := len(j.request.Tokens)
	if err != nil && (n == 0 || !errors.Is(err, spec.ErrPromptTooLong)) {
		return nil, promptError(ctx, j, err)
	}
	return map[string]int{"input_tokens": n}, nil
}

// refusal returns an error in Anthropic's form.
func (r *messagesRequest) refusal(e *apiError) any { return anthropicRefusal(e) }

func anthropicRefusal(e *apiError) any {
	kind := "invalid_request_error"
	switch e.status {
	case http.StatusUnauthorized:
		kind = "authentication_error"
	case http.StatusForbidden:
		kind = "permission_error"
	case http.StatusNotFound:
		kind = "not_found_error"
	case http.StatusRequestEntityTooLarge:
		kind = "request_too_large"
	case http.StatusTooManyRequests:
		kind = "rate_limit_error"
	case http.StatusServiceUnavailable:
		kind = "overloaded_error"
	case http.StatusInternalServerError:
		kind = "api_error"
	}
	return map[string]any{"type": "error", "error": map[string]string{"type": kind, "message": e.Message}}
}

// anthropic writes an answer in the words of Anthropic's API: as blocks of thoughts, text and calls.
type anthropic struct {
	model string
	open  string // type of the block that parts are added to; empty if none
	index int    // of the next block
	calls bool
}

func (a *anthropic) kind() string { return "text/event-stream" }

// block is a block of content.
type block struct {
	Type      string           `json:"type"`
	Text      *string          `json:"text,omitempty"`
	Thinking  *string          `json:"thinking,omitempty"`
	Signature *string          `json:"signature,omitempty"`
	ID        string           `json:"id,omitempty"`
	Name      string           `json:"name,omitempty"`
	Input     *json.RawMessage `json:"input,omitempty"`
}

type anthropicMessage struct {
	ID           string         `json:"id"`
	Type         string         `json:"type"`
	Role         string         `json:"role"`
	Model        string         `json:"model"`
	Content      []block        `json:"content"`
	StopReason   *string        `json:"stop_reason"`
	StopSequence *string        `json:"stop_sequence"`
	Usage        anthropicUsage `json:"usage"`
}

type anthropicUsage struct {
	Input       int         `json:"input_tokens"` // that were computed
	Created     int         `json:"cache_creation_input_tokens"`
	Read        int         `json:"cache_read_input_tokens"`
	Output      int         `json:"output_tokens"`
	Speculation *spec.Stats `json:"speculation,omitempty"`
}

func (a *anthropic) message() anthropicMessage {
	return anthropicMessage{ID: newID("msg_"), Type: "message", Role: "assistant", Model: a.model, Content: []block{}}
}

func newAnthropicUsage(r lever.Result) anthropicUsage {
	return anthropicUsage{Input: r.PromptTokens - r.ReusedTokens, Read: r.ReusedTokens, Output: r.Tokens, Speculation: &r.Stats}
}

func textBlock(words string) block { return block{Type: "text", Text: &words} }

func thinkingBlock(words string) block {
	return block{Type: "thinking", Thinking: &words, Signature: new(string)}
}

func callBlock(id, name string, input json.RawMessage) block {
	if !json.Valid(input) { // the answer was cut within it
		input = json.RawMessage("{}")
	}
	return block{Type: "tool_use", ID: id, Name: name, Input: &input}
}

// stopReason returns Anthropic's word for the end of an answer, and the stop string that ended it.
func stopReason(r lever.Result, called bool) (reason, sequence *string) {
	word := "end_turn"
	switch {
	case r.Finish != spec.FinishStop:
		word = "max_tokens"
	case called:
		word = "tool_use"
	case r.StopString != "":
		word, sequence = "stop_sequence", &r.StopString
	}
	return &word, sequence
}

func (a *anthropic) whole(choices []piece) any {
	p, r := choices[0], *choices[0].result
	m := a.message()
	if p.reasoning != "" {
		m.Content = append(m.Content, thinkingBlock(p.reasoning))
	}
	if p.text != "" || len(p.calls) == 0 {
		m.Content = append(m.Content, textBlock(p.text))
	}
	for _, call := range p.whole() {
		m.Content = append(m.Content, callBlock(call.ID, call.Name, call.Arguments))
	}
	m.StopReason, m.StopSequence = stopReason(r, len(p.calls) > 0)
	m.Usage = newAnthropicUsage(r)
	return m
}

func (a *anthropic) begin(out []byte, prompt int) []byte {
	m := a.message()
	m.Usage.Input = prompt
	return appendEvent(out, "message_start", map[string]any{"type": "message_start", "message": m})
}

// start begins a block, after the one that is open.
func (a *anthropic) start(out []byte, b block) []byte {
	out = a.stop(out)
	a.open = b.Type
	return appendEvent(out, "content_block_start", map[string]any{"type": "content_block_start", "index": a.index, "content_block": b})
}

// stop ends the block that is open.
func (a *anthropic) stop(out []byte) []byte {
	if a.open == "" {
		return out
	}
	out = appendEvent(out, "content_block_stop", map[string]any{"type": "content_block_stop", "index": a.index})
	a.open, a.index = "", a.index+1
	return out
}

// delta adds to the block that is open.
func (a *anthropic) delta(out []byte, kind, name, words string) []byte {
	return appendEvent(out, "content_block_delta", map[string]any{"type": "content_block_delta", "index": a.index, "delta": map[string]string{"type": kind, name: words}})
}

func (a *anthropic) part(out []byte, p piece) []byte {
	if p.reasoning != "" {
		if a.open != "thinking" {
			out = a.start(out, thinkingBlock(""))
		}
		out = a.delta(out, "thinking_delta", "thinking", p.reasoning)
	}
	if p.text != "" {
		if a.open != "text" {
			out = a.start(out, textBlock(""))
		}
		out = a.delta(out, "text_delta", "text", p.text)
	}
	for _, d := range p.calls {
		a.calls = true
		if d.ID != "" {
			out = a.start(out, callBlock(d.ID, d.Name, nil))
		}
		if d.Arguments != "" {
			out = a.delta(out, "input_json_delta", "partial_json", d.Arguments)
		}
	}
	return out
}

func (a *anthropic) end(out []byte, _ int, r lever.Result) []byte {
	if a.index == 0 && a.open == "" {
		out = a.start(out, textBlock(""))
	}
	out = a.stop(out)
	reason, sequence := stopReason(r, a.calls)
	out = appendEvent(out, "message_delta", map[string]any{
		"type": "message_delta", "delta": map[string]any{"stop_reason": reason, "stop_sequence": sequence}, "usage": newAnthropicUsage(r),
	})
	return appendEvent(out, "message_stop", map[string]string{"type": "message_stop"})
}

func (a *anthropic) fail(out []byte, e *apiError) []byte {
	return appendEvent(out, "error", anthropicRefusal(e))
}

func (a *anthropic) busy(out []byte) []byte {
	return appendEvent(out, "ping", map[string]string{"type": "ping"})
}
