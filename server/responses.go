package server

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
)

// responsesRequest is a request of OpenAI's Responses API. Nothing is kept between requests.
type responsesRequest struct {
	sampling
	conversation
	instructions string
	effort       string
	tools        []toolcall.Tool
	toolChoice   toolChoice
	parallel     *bool
	thought      string // before the assistant's next message
	repeated     map[string]json.RawMessage
}

// repeatedFields are those that an answer repeats, unless they are long.
var repeatedFields = []string{
	"instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "reasoning", "temperature", "text", "tool_choice", "tools", "top_p",
}

// maxRepeated are the bytes of a field that an answer repeats: a stream does so three times.
const maxRepeated = 8 << 10

// repeat has a field repeated.
func (r *responsesRequest) repeat(f field) field {
	return func(at string, raw json.RawMessage) error {
		if len(raw) <= maxRepeated {
			r.repeated[at] = raw
		}
		return f(at, raw)
	}
}

func (r *responsesRequest) fields() fields {
	all := fields{
		"model":                text(&r.model),
		"input":                r.input,
		"instructions":         text(&r.instructions),
		"max_output_tokens":    integer(&r.maxTokens, 1, math.MaxInt32),
		"temperature":          number(&r.temperature, 0, 2),
		"top_p":                number(&r.topP, 0, 1),
		"stream":               boolean(&r.stream),
		"text":                 object(fields{"format": r.takeFormat, "verbosity": only(`"medium"`)}),
		"reasoning":            object(fields{"effort": text(&r.effort), "summary": harmless, "generate_summary": harmless}),
		"tools":                elements(responsesTool(&r.tools)),
		"tool_choice":          r.toolChoice.openAI,
		"parallel_tool_calls":  setBoolean(&r.parallel),
		"truncation":           only(`"disabled"`),
		"background":           only("false"),
		"top_logprobs":         only("0"),
		"store":                harmless,                                        // nothing refers to what would be kept
		"include":              elements(only(`"reasoning.encrypted_content"`)), // thoughts come as they are
		"stream_options":       object(fields{"include_obfuscation": harmless}),
		"context_management":   only("[]"),
		"previous_response_id": r.refersToKept,
		"conversation":         r.refersToKept,
	}
	for _, name := range withoutInfluence {
		all[name] = harmless
	}
	r.repeated = map[string]json.RawMessage{}
	for _, name := range repeatedFields {
		all[name] = r.repeat(all[name])
	}
	return all
}

func (r *responsesRequest) refersToKept(at string, _ json.RawMessage) error {
	return invalid(at, "unsupported_parameter", "%s refers to an earlier response, and this server keeps none: send the conversation as input, with store false", at)
}

// takeFormat takes text.format, in which a schema stands beside the type.
func (r *responsesRequest) takeFormat(at string, raw json.RawMessage) error {
	var kind string
	var schema json.RawMessage
	err := object(fields{"type": text(&kind), "name": harmless, "description": harmless, "strict": harmless, "schema": keep(&schema)})(at, raw)
	switch {
	case err != nil:
		return err
	case kind == "text":
		return nil
	case kind == "json_object":
		return r.format.set(at, nil)
	case kind == "json_schema" && schema != nil:
		return r.format.set(at, schema)
	}
	return invalid(at+".type", "unsupported_value", "%s.type %.100q is none of text, json_object and json_schema with a schema", at, kind)
}

// input takes a text, or a list of items.
func (r *responsesRequest) input(at string, raw json.RawMessage) error {
	switch raw[0] {
	case '[':
		return elements(r.item)(at, raw)
	case '"':
	default:
		return wrongKind(at, "a string or a list of items", raw)
	}
	m := tokenizer.Message{Role: "user"}
	if err := text(&m.Content)(at, raw); err != nil {
		return err
	}
	return r.append(at, m)
}

func (r *responsesRequest) append(at string, m tokenizer.Message) error {
	if m.Role == "assistant" {
		m.Reasoning, r.thought = r.thought, ""
	}
	return r.add(at, m)
}

// item takes a message, a call, its result or a thought.
func (r *responsesRequest) item(at string, raw json.RawMessage) error {
	kind, ok := typeOf(raw)
	if !ok {
		return wrongKind(at, "an item", raw)
	}
	var m tokenizer.Message
	var call tokenizer.ToolCall
	var arguments, thought string
	all := fields{"type": harmless, "id": harmless, "status": harmless}
	switch kind {
	case "message", "":
		all["role"], all["content"], all["phase"] = text(&m.Role), parts(&m.Content), harmless
	case "function_call":
		all["call_id"], all["name"], all["arguments"], all["namespace"], all["caller"] = text(&call.ID), text(&call.Name), text(&arguments), harmless, harmless
	case "function_call_output":
		m.Role = "tool"
		all["call_id"], all["output"], all["caller"] = text(&m.ToolCallID), parts(&m.Content), harmless
	case "reasoning":
		all["content"], all["summary"], all["encrypted_content"] = parts(&thought), parts(&r.thought), harmless
	case "item_reference":
		return r.refersToKept(at, raw)
	default:
		return invalid(at+".type", "unsupported_value", "%s has type %.100q; message, function_call, function_call_output and reasoning are supported", at, kind)
	}
	if err := object(all)(at, raw); err != nil {
		return err
	}
	switch kind {
	case "reasoning":
		if thought != "" {
			r.thought = thought
		}
		return nil
	case "function_call":
		var err error
		if call.Arguments, err = callArguments(at+".arguments", arguments); err != nil {
			return err
		}
		return r.call(at, call)
	}
	return r.append(at, m)
}

// call adds a call to the assistant's message that it belongs to.
func (r *responsesRequest) call(at string, call tokenizer.ToolCall) error {
	if call.Name == "" {
		return invalid(at+".name", "", "%s calls nothing by name", at)
	}
	if n := len(r.messages); n > 0 && r.messages[n-1].Role == "assistant" {
		r.messages[n-1].ToolCalls = append(r.messages[n-1].ToolCalls, call)
		return nil
	}
	return r.append(at, tokenizer.Message{Role: "assistant", ToolCalls: []tokenizer.ToolCall{call}})
}

// parts takes a text, or a list of parts of text, which has a type for each use.
func parts(to *string) field {
	return textOrParts(to, func(kind string) bool { return strings.HasSuffix(kind, "text") }, "annotations", "logprobs")
}

// responsesTool takes a tool as the Responses API describes it.
func responsesTool(to *[]toolcall.Tool) field {
	return func(at string, raw json.RawMessage) error {
		if kind, ok := typeOf(raw); ok && kind != "function" {
			return invalid(at+".type", "unsupported_value", "%s has type %.100q; function is supported", at, kind)
		}
		var t toolcall.Tool
		all := functionFields(&t)
		all["type"], all["defer_loading"] = harmless, only("false")
		err := object(all)(at, raw)
		*to = append(*to, t)
		return err
	}
}

func (r *responsesRequest) job(base lever.Request) (*job, error) {
	j := &job{reply: &responses{model: r.served, created: time.Now().Unix(), id: newID("resp_"), repeated: r.repeated}, prompt: "input", options: &r.sampling, request: base}
	req := &j.request
	if err := effort(req, "reasoning.effort", r.effort); err != nil {
		return nil, err
	}
	if err := r.apply(req); err != nil {
		return nil, err
	}
	if err := r.toolChoice.apply(req, r.tools, r.parallel, &r.format); err != nil {
		return nil, err
	}
	if len(r.messages) == 0 {
		return nil, invalid("input", "", "there is no input")
	}
	req.Messages = r.after(r.instructions)
	return j, nil
}

func (r *responsesRequest) refusal(e *apiError) any { return openAIRefusal(e) }

// responses writes an answer in the words of the Responses API: as items of thoughts, text and calls.
type responses struct {
	model, id string
	created   int64
	output    []item
	open      bool // the last item is being added to
	number    int  // of the next event
	// repeated are fields of the request.
	repeated map[string]json.RawMessage
}

// item is a part of an answer. Which of the fields it has depends on its type.
type item struct {
	Type      string     `json:"type"`
	ID        string     `json:"id"`
	Status    string     `json:"status"`
	Role      string     `json:"role,omitempty"`
	Content   []itemPart `json:"content,omitempty"`
	Summary   *[]string  `json:"summary,omitempty"` // of a thought; empty
	CallID    string     `json:"call_id,omitempty"`
	Name      string     `json:"name,omitempty"`
	Arguments *string    `json:"arguments,omitempty"`
}

type itemPart struct {
	Type        string    `json:"type"`
	Text        string    `json:"text"`
	Annotations *[]string `json:"annotations,omitempty"` // of text; empty
	Logprobs    *[]string `json:"logprobs,omitempty"`    // the same
}

const (
	inProgress = "in_progress"
	completed  = "completed"
	incomplete = "incomplete"
)

func textItem() item {
	return item{Type: "message", ID: newID("msg_"), Status: inProgress, Role: "assistant", Content: []itemPart{{Type: "output_text", Annotations: &[]string{}, Logprobs: &[]string{}}}}
}

func thoughtItem() item {
	return item{Type: "reasoning", ID: newID("rs_"), Status: inProgress, Summary: &[]string{}, Content: []itemPart{{Type: "reasoning_text"}}}
}

func callItem(id, name string) item {
	return item{Type: "function_call", ID: newID("fc_"), Status: inProgress, CallID: id, Name: name, Arguments: new(string)}
}

// event appends an event of a type.
func (a *responses) event(out []byte, kind string, fields map[string]any) []byte {
	fields["type"], fields["sequence_number"] = kind, a.number
	a.number++
	return appendEvent(out, kind, fields)
}

// itemEvent appends an event about the last item.
func (a *responses) itemEvent(out []byte, kind string, fields map[string]any) []byte {
	last := len(a.output) - 1
	fields["output_index"], fields["item_id"] = last, a.output[last].ID
	return a.event(out, kind, fields)
}

// response returns the answer so far.
func (a *responses) response(status string, r *lever.Result, e *apiError) map[string]any {
	output := a.output
	if output == nil {
		output = []item{}
	}
	all := map[string]any{
		"id": a.id, "object": "response", "created_at": a.created, "model": a.model, "status": status, "output": output, "error": nil, "incomplete_details": nil, "usage": nil,
		"instructions": nil, "metadata": map[string]string{}, "parallel_tool_calls": true, "previous_response_id": nil, "store": false, "temperature": nil, "top_p": nil,
		"tool_choice": "auto", "tools": []any{}, "text": map[string]any{"format": map[string]string{"type": "text"}}, "truncation": "disabled", "max_output_tokens": nil,
		"reasoning": map[string]any{"effort": nil, "summary": nil},
	}
	for name, value := range a.repeated {
		all[name] = value
	}
	if r != nil {
		all["usage"] = map[string]any{
			"input_tokens": r.PromptTokens, "output_tokens": r.Tokens, "total_tokens": r.PromptTokens + r.Tokens, "speculation": r.Stats,
			"input_tokens_details": map[string]int{"cached_tokens": r.ReusedTokens}, "output_tokens_details": map[string]int{"reasoning_tokens": 0},
		}
		if status == incomplete {
			all["incomplete_details"] = map[string]string{"reason": "max_output_tokens"}
		}
	}
	if e != nil {
		all["error"] = map[string]string{"code": "server_error", "message": e.Message}
	}
	return all
}

func (a *responses) whole(choices []piece) any {
	p, r := choices[0], *choices[0].result
	a.part(nil, p)
	if len(a.output) == 0 {
		a.start(nil, textItem())
	}
	status := ending(r)
	a.stop(nil, status)
	return a.response(status, &r, nil)
}

func (a *responses) kind() string { return "text/event-stream" }

func (a *responses) begin(out []byte, _ int) []byte {
	out = a.event(out, "response.created", map[string]any{"response": a.response(inProgress, nil, nil)})
	return a.event(out, "response.in_progress", map[string]any{"response": a.response(inProgress, nil, nil)})
}

// start begins an item, after the one that is open.
func (a *responses) start(out []byte, i item) []byte {
	out = a.stop(out, completed)
	a.output, a.open = append(a.output, i), true
	out = a.itemEvent(out, "response.output_item.added", map[string]any{"item": i})
	if i.Content != nil {
		out = a.itemEvent(out, "response.content_part.added", map[string]any{"content_index": 0, "part": i.Content[0]})
	}
	return out
}

// ending returns the status of an answer that has ended, and of its last item.
func ending(r lever.Result) string {
	if r.Finish == spec.FinishStop {
		return completed
	}
	return incomplete
}

// stop ends the item that is open.
func (a *responses) stop(out []byte, status string) []byte {
	if !a.open {
		return out
	}
	i := &a.output[len(a.output)-1]
	i.Status, a.open = status, false
	switch i.Type {
	case "function_call":
		out = a.itemEvent(out, "response.function_call_arguments.done", map[string]any{"arguments": *i.Arguments, "name": i.Name})
	case "message":
		out = a.itemEvent(out, "response.output_text.done", map[string]any{"content_index": 0, "text": i.Content[0].Text, "logprobs": []any{}})
	case "reasoning":
		out = a.itemEvent(out, "response.reasoning_text.done", map[string]any{"content_index": 0, "text": i.Content[0].Text})
	}
	if i.Content != nil {
		out = a.itemEvent(out, "response.content_part.done", map[string]any{"content_index": 0, "part": i.Content[0]})
	}
	return a.itemEvent(out, "response.output_item.done", map[string]any{"item": *i})
}

// last returns the item that is open, if it is of a type, and else one that it begins.
func (a *responses) last(out []byte, kind string, begin func() item) ([]byte, *item) {
	if !a.open || a.output[len(a.output)-1].Type != kind {
		out = a.start(out, begin())
	}
	return out, &a.output[len(a.output)-1]
}

func (a *responses) part(out []byte, p piece) []byte {
	var i *item
	if p.reasoning != "" {
		out, i = a.last(out, "reasoning", thoughtItem)
		i.Content[0].Text += p.reasoning
		out = a.itemEvent(out, "response.reasoning_text.delta", map[string]any{"content_index": 0, "delta": p.reasoning})
	}
	if p.text != "" {
		out, i = a.last(out, "message", textItem)
		i.Content[0].Text += p.text
		out = a.itemEvent(out, "response.output_text.delta", map[string]any{"content_index": 0, "delta": p.text, "logprobs": []any{}})
	}
	for _, d := range p.calls {
		if d.ID != "" {
			out = a.start(out, callItem(d.ID, d.Name))
		}
		if d.Arguments != "" {
			*a.output[len(a.output)-1].Arguments += d.Arguments
			out = a.itemEvent(out, "response.function_call_arguments.delta", map[string]any{"delta": d.Arguments})
		}
	}
	return out
}

func (a *responses) end(out []byte, _ int, r lever.Result) []byte {
	if len(a.output) == 0 {
		out = a.start(out, textItem())
	}
	status := ending(r)
	out = a.stop(out, status)
	return a.event(out, "response."+status, map[string]any{"response": a.response(status, &r, nil)})
}

func (a *responses) fail(out []byte, e *apiError) []byte {
	return a.event(out, "response.failed", map[string]any{"response": a.response("failed", nil, e)})
}

func (a *responses) busy(out []byte) []byte { return append(out, stillAtWork...) }
