package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
)

// ollamaRequest is what requests of Ollama's API have in common.
type ollamaRequest struct {
	sampling
	think *bool
}

func newOllamaRequest(base sampling) ollamaRequest {
	base.stream = true
	return ollamaRequest{sampling: base}
}

func (r *ollamaRequest) fields() fields {
	return fields{
		"model":      text(&r.model),
		"stream":     boolean(&r.stream),
		"format":     r.takeFormat,
		"options":    object(r.options()),
		"think":      r.takeThink,
		"keep_alive": harmless,
		"logprobs":   only("false"),
	}
}

// ollamaHarmless are options of Ollama that have no influence on the text, or only say how, where another one says whether.
var ollamaHarmless = strings.Fields("num_ctx num_batch num_gpu main_gpu num_thread num_keep numa low_vram use_mmap use_mlock vocab_only f16_kv logits_all penalize_newline mirostat_eta mirostat_tau")

func (r *ollamaRequest) options() fields {
	all := fields{
		"num_predict": r.takeMaxTokens,
		"temperature": number(&r.temperature, 0, 2),
		"top_p":       number(&r.topP, 0, 1),
		"top_k":       integer(&r.topK, -1, math.MaxInt32),
		"min_p":       number(&r.minP, 0, 1),
		"seed":        integer(&r.seed, math.MinInt64, math.MaxInt64),
		"stop":        r.takeStop,
	}
	for _, name := range ollamaHarmless {
		all[name] = harmless
	}
	r.penalties.window(64) // as Ollama has it
	maps.Copy(all, r.penalties.fields(r.vocab))
	for _, name := range []string{"typical_p", "tfs_z", "mirostat"} {
		all[name] = only(neutral[name])
	}
	return all
}

// takeMaxTokens takes num_predict; −1 and −2 are no bound.
func (r *ollamaRequest) takeMaxTokens(at string, raw json.RawMessage) error {
	err := integer(&r.maxTokens, -2, math.MaxInt32)(at, raw)
	if err == nil && *r.maxTokens <= 0 {
		r.maxTokens = nil
	}
	return err
}

// takeFormat takes "json", or a JSON Schema.
func (r *ollamaRequest) takeFormat(at string, raw json.RawMessage) error {
	if raw[0] != '"' {
		return r.format.schema(at, raw)
	}
	switch string(raw) {
	case `""`:
		return nil
	case `"json"`:
		return r.format.set(at, nil)
	}
	return invalid(at, "unsupported_value", "%s must be json or a JSON Schema", at)
}

// takeThink takes whether a model thinks, or how much, of which any is yes.
func (r *ollamaRequest) takeThink(at string, raw json.RawMessage) error {
	switch string(raw) {
	case `"low"`, `"medium"`, `"high"`:
		raw = json.RawMessage("true")
	}
	return setBoolean(&r.think)(at, raw)
}

// newJob returns a job to which the prompt is still to be added.
func (r *ollamaRequest) newJob(base lever.Request, chat bool) (*job, error) {
	r.model = strings.TrimSuffix(r.model, ":latest")
	j := &job{reply: &ollama{model: r.served, chat: chat, began: time.Now()}, options: &r.sampling, request: base}
	if r.think != nil {
		j.request.NoThinking = !*r.think
	}
	return j, r.apply(&j.request)
}

func (r *ollamaRequest) refusal(e *apiError) any { return ollamaRefusal(e) }

func ollamaRefusal(e *apiError) any { return map[string]string{"error": e.Message} }

// ollamaChat is a request for an answer in a conversation.
type ollamaChat struct {
	ollamaRequest
	conversation
	tools []toolcall.Tool
}

func (r *ollamaChat) fields() fields {
	all := r.ollamaRequest.fields()
	maps.Copy(all, fields{"messages": elements(r.message), "tools": elements(openAITool(&r.tools))})
	return all
}

func (r *ollamaChat) message(at string, raw json.RawMessage) error {
	var m tokenizer.Message
	err := object(fields{
		"role": text(&m.Role), "content": text(&m.Content), "thinking": text(&m.Reasoning), "images": only("[]"),
		"tool_calls": elements(r.call(&m)), "tool_name": text(&m.Name), "tool_call_id": text(&m.ToolCallID),
	})(at, raw)
	if err != nil {
		return err
	}
	if m.Role == "tool" && m.ToolCallID == "" {
		m.ToolCallID = r.unanswered(m.Name)
	}
	return r.add(at, m)
}

// call takes a call that the assistant made before. Ollama's have no ids.
func (r *ollamaChat) call(m *tokenizer.Message) field {
	return func(at string, raw json.RawMessage) error {
		call := tokenizer.ToolCall{ID: newID("")}
		function := fields{"name": text(&call.Name), "arguments": keep(&call.Arguments), "index": harmless}
		if err := object(fields{"function": object(function), "id": text(&call.ID), "type": harmless})(at, raw); err != nil {
			return err
		}
		if call.Name == "" || len(call.Arguments) > 0 && call.Arguments[0] != '{' {
			return invalid(at+".function", "", "%s.function must have a name, and an object as its arguments", at)
		}
		m.ToolCalls = append(m.ToolCalls, call)
		return nil
	}
}

// unanswered returns the id of the first call, of a name unless that is empty, that no result answers yet.
func (r *ollamaChat) unanswered(name string) string {
	answered := map[string]bool{}
	for _, m := range r.messages {
		answered[m.ToolCallID] = true
	}
	for _, m := range r.messages {
		for _, call := range m.ToolCalls {
			if !answered[call.ID] && (name == "" || call.Name == name) {
				return call.ID
			}
		}
	}
	return ""
}

func (r *ollamaChat) job(base lever.Request) (*job, error) {
	j, err := r.newJob(base, true)
	if err != nil {
		return nil, err
	}
	var choice toolChoice
	if err := choice.apply(&j.request, r.tools, nil, &r.format); err != nil {
		return nil, err
	}
	if j.prompt = "messages"; len(r.messages) == 0 {
		j.ready = loaded(j)
		return j, nil
	}
	j.request.Messages, j.request.Continue = r.messages, r.continuable()
	return j, nil
}

// ollamaGenerate is a request for an answer to one message, or with raw to continue a text.
type ollamaGenerate struct {
	ollamaRequest
	prompt, system string
	raw            bool
}

func (r *ollamaGenerate) fields() fields {
	all := r.ollamaRequest.fields()
	maps.Copy(all, fields{
		"prompt": text(&r.prompt), "system": text(&r.system), "raw": boolean(&r.raw),
		"suffix": only(`""`), "template": only(`""`), "images": only("[]"), "context": only("[]"),
	})
	return all
}

func (r *ollamaGenerate) job(base lever.Request) (*job, error) {
	j, err := r.newJob(base, false)
	if err != nil {
		return nil, err
	}
	if j.prompt = "prompt"; r.prompt == "" {
		j.ready = loaded(j)
		return j, nil
	}
	if r.raw {
		j.request.Prompt, j.request.Raw = r.prompt, true
		return j, nil
	}
	if r.system != "" {
		j.request.Messages = append(j.request.Messages, tokenizer.Message{Role: "system", Content: r.system})
	}
	j.request.Messages = append(j.request.Messages, tokenizer.Message{Role: "user", Content: r.prompt})
	return j, nil
}

// ollama writes an answer in the words of Ollama's API, a line of JSON for each part. Calls come whole, at the end.
type ollama struct {
	model string
	chat  bool
	began time.Time
	calls piece
}

type ollamaAnswer struct {
	Model     string         `json:"model"`
	CreatedAt time.Time      `json:"created_at"`
	Message   *ollamaMessage `json:"message,omitempty"`
	Response  *string        `json:"response,omitempty"`
	Thinking  string         `json:"thinking,omitempty"`
	Done      bool           `json:"done"`
	*ollamaEnd
}

type ollamaMessage struct {
	Role      string       `json:"role"`
	Content   string       `json:"content"`
	Thinking  string       `json:"thinking,omitempty"`
	ToolCalls []ollamaCall `json:"tool_calls,omitempty"`
}

type ollamaCall struct {
	Function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"function"`
}

// ollamaEnd is what the last part has; times are in nanoseconds.
type ollamaEnd struct {
	Reason         string `json:"done_reason"`
	Total          int64  `json:"total_duration"`
	Load           int64  `json:"load_duration"`
	Prompt         int    `json:"prompt_eval_count"`
	PromptDuration int64  `json:"prompt_eval_duration"`
	Tokens         int    `json:"eval_count"`
	Duration       int64  `json:"eval_duration"`
}

// answer returns a part.
func (o *ollama) answer(p piece) ollamaAnswer {
	a := ollamaAnswer{Model: o.model, CreatedAt: time.Now().UTC()}
	if !o.chat {
		a.Response, a.Thinking = &p.text, p.reasoning
		return a
	}
	a.Message = &ollamaMessage{Role: "assistant", Content: p.text, Thinking: p.reasoning}
	for _, call := range p.whole() {
		if !json.Valid(call.Arguments) {
			continue // the answer was cut within it
		}
		var c ollamaCall
		c.Function.Name, c.Function.Arguments = call.Name, call.Arguments
		a.Message.ToolCalls = append(a.Message.ToolCalls, c)
	}
	return a
}

func (o *ollama) whole(choices []piece) any {
	return o.last(choices[0], *choices[0].result)
}

// last returns the part with which an answer ends.
func (o *ollama) last(p piece, r lever.Result) ollamaAnswer {
	a := o.answer(p)
	a.Done = true
	a.ollamaEnd = &ollamaEnd{
		Reason: "length", Total: int64(time.Since(o.began)), Prompt: r.PromptTokens, PromptDuration: nanoseconds(r.PrefillSeconds),
		Tokens: r.Tokens, Duration: nanoseconds(r.Seconds),
	}
	if r.Finish == spec.FinishStop {
		a.Reason = "stop"
	}
	return a
}

// loaded is the answer to a request without a prompt, by which clients have the model loaded: it is there.
func loaded(j *job) ollamaAnswer {
	a := j.reply.(*ollama).answer(piece{})
	a.Done, a.ollamaEnd = true, &ollamaEnd{Reason: "load"}
	return a
}

func nanoseconds(seconds float64) int64 { return int64(seconds * float64(time.Second)) }

func (o *ollama) kind() string { return "application/x-ndjson" }

func (o *ollama) begin(out []byte, _ int) []byte { return out }

func (o *ollama) part(out []byte, p piece) []byte {
	o.calls.calls = append(o.calls.calls, p.calls...)
	if p.text == "" && p.reasoning == "" {
		return out
	}
	p.calls = nil
	return appendLine(out, o.answer(p))
}

func (o *ollama) end(out []byte, _ int, r lever.Result) []byte {
	return appendLine(out, o.last(o.calls, r))
}

func (o *ollama) fail(out []byte, e *apiError) []byte { return appendLine(out, ollamaRefusal(e)) }

func (o *ollama) busy(out []byte) []byte { return appendLine(out, o.answer(piece{})) }

// appendLine appends a value as a line of JSON.
func appendLine(out []byte, v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		return out // there is no such value
	}
	return append(append(out, body...), '\n')
}

// ollamaModel describes the one model.
func (s *Server) ollamaModel() map[string]any {
	f := s.options.File
	return map[string]any{
		"name": s.options.Model, "model": s.options.Model, "modified_at": f.Time.UTC(), "size": f.Bytes, "digest": f.SHA256,
		"details": map[string]any{
			"format": "lever", "family": f.Architecture, "families": []string{f.Architecture},
			"parameter_size": parameterSize(f.Parameters), "quantization_level": strings.ToUpper(f.Type),
		},
	}
}

// parameterSize returns a number of parameters as Ollama writes it, such as 8.0B.
func parameterSize(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1e9, "B"}, {1e6, "M"}, {1e3, "K"}} {
		if n >= unit.size {
			return fmt.Sprintf("%.1f%s", float64(n)/float64(unit.size), unit.name)
		}
	}
	return strconv.FormatInt(n, 10)
}

// ollamaModels answers GET /api/tags.
func (s *Server) ollamaModels(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"models": []any{s.ollamaModel()}})
}

// ollamaRunning answers GET /api/ps: the model stays as long as the server.
func (s *Server) ollamaRunning(w http.ResponseWriter, _ *http.Request) {
	model := s.ollamaModel()
	model["expires_at"], model["size_vram"], model["context_length"] = time.Now().UTC().AddDate(100, 0, 0), 0, s.options.Engine.Context()
	writeJSON(w, http.StatusOK, map[string]any{"models": []any{model}})
}

// ollamaShow answers POST /api/show.
func (s *Server) ollamaShow(r *http.Request, body []byte) (any, error) {
	var name string
	err := fields{"model": text(&name), "name": text(&name), "verbose": harmless}.decode(body)
	if err == nil {
		if e := s.checkModel(strings.TrimSuffix(name, ":latest")); e != nil {
			err = e
		}
	}
	if err != nil {
		return nil, err
	}
	can := []string{"completion", "embedding"}
	if _, err := s.options.Engine.ToolGrammar(r.Context(), []toolcall.Tool{{Name: "any"}}, toolcall.Choice{}); err == nil {
		can = append(can, "tools")
	}
	tok := s.options.Engine.Tokenizer()
	if _, ok := tok.Special("<think>"); ok || tok.HasChannels() {
		can = append(can, "thinking")
	}
	shown := s.ollamaModel()
	shown["capabilities"], shown["template"], shown["parameters"] = can, "", ""
	shown["model_info"] = map[string]any{"general.architecture": "lever", "lever.context_length": s.options.Engine.Context()}
	return shown, nil
}

// ollamaVersion answers GET /api/version with that of this module.
func (s *Server) ollamaVersion(w http.ResponseWriter, _ *http.Request) {
	version := "0.0.0"
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") {
		version = info.Main.Version[1:]
	}
	writeJSON(w, http.StatusOK, map[string]string{"version": version})
}
