package server

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
)

// sampling are the fields that both kinds of requests have.
type sampling struct {
	served      string // the name of the model that answers
	vocab       int    // its tokens
	model       string
	maxTokens   *int64
	temperature *float64
	topP        *float64
	topK        *int64
	minP        *float64
	penalties   penalties
	seed        *int64
	n           *int64 // choices for each prompt
	stop        []string
	stream      bool
	usage       *bool // of stream_options
	trees       bool
	progress    bool // of the prompt
	format      format
}

func (f *sampling) fields() fields {
	all := fields{
		"model":           text(&f.model),
		"max_tokens":      integer(&f.maxTokens, 1, math.MaxInt32),
		"temperature":     number(&f.temperature, 0, 2),
		"top_p":           number(&f.topP, 0, 1),
		"top_k":           integer(&f.topK, -1, math.MaxInt32),
		"min_p":           number(&f.minP, 0, 1),
		"n":               integer(&f.n, 1, maxChoices),
		"seed":            integer(&f.seed, math.MinInt64, math.MaxInt64),
		"stop":            f.takeStop,
		"stream":          boolean(&f.stream),
		"stream_options":  f.streamOptions,
		"lever_trees":     boolean(&f.trees),
		"return_progress": boolean(&f.progress),
		"response_format": f.format.take,
		"json_schema":     f.format.schema,
		"guided_json":     f.format.schema,
	}
	maps.Copy(all, f.penalties.fields(f.vocab))
	for _, name := range withoutInfluence {
		all[name] = harmless
	}
	for name, value := range neutral {
		all[name] = only(value)
	}
	return all
}

// withoutInfluence are fields of OpenAI's and other servers that don't change the text: those of the second line only say how, where a field
// of [neutral] says whether.
var withoutInfluence = strings.Fields(`
	cache_prompt keep_alive metadata priority prompt_cache_key prompt_cache_retention safety_identifier service_tier timings_per_token user
	dry_allowed_length dry_base dry_penalty_last_n dry_sequence_breakers dynatemp_exponent mirostat_eta mirostat_tau penalize_nl xtc_threshold`)

// neutral are fields of such servers that can't be honoured, each with the value that asks for nothing. With another one they are refused.
var neutral = map[string]string{
	"store": "false",

	"dry_multiplier":                "0",
	"dynatemp_range":                "0",
	"early_stopping":                "false",
	"grammar":                       `""`,
	"ignore_eos":                    "false",
	"include_stop_str_in_output":    "false",
	"length_penalty":                "1",
	"min_tokens":                    "0",
	"mirostat":                      "0",
	"n_keep":                        "0",
	"n_predict":                     "-1",
	"n_probs":                       "0",
	"num_predict":                   "-1",
	"skip_special_tokens":           "true",
	"spaces_between_special_tokens": "true",
	"stop_token_ids":                "[]",
	"tfs_z":                         "1",
	"top_a":                         "0",
	"typical_p":                     "1",
	"use_beam_search":               "false",
	"xtc_probability":               "0",
}

func (f *sampling) streamOptions(at string, raw json.RawMessage) error {
	f.usage = new(bool)
	return object(fields{"include_usage": boolean(f.usage), "include_obfuscation": harmless})(at, raw)
}

// maxStops bounds the work on each character of the text.
const maxStops = 16

// takeStop takes a stop string or several.
func (f *sampling) takeStop(at string, raw json.RawMessage) error {
	if err := texts(&f.stop)(at, raw); err != nil {
		return err
	}
	if len(f.stop) > maxStops || slices.Contains(f.stop, "") {
		return invalid(at, "", "%s takes up to %d strings, none of them empty", at, maxStops)
	}
	return nil
}

// apply takes the fields over into a request.
func (f *sampling) apply(req *lever.Request) error {
	switch {
	case f.usage != nil && !f.stream:
		return invalid("stream_options", "", "stream_options without stream")
	case f.trees && !f.stream:
		return invalid("lever_trees", "", "lever_trees without stream")
	case f.progress && !f.stream:
		return invalid("return_progress", "", "return_progress without stream")
	}
	if f.maxTokens != nil {
		req.MaxTokens = int(*f.maxTokens)
	}
	s := &req.Sampling
	if f.temperature != nil {
		s.Temperature = float32(*f.temperature)
	}
	if f.topP != nil {
		s.TopP = max(float32(*f.topP), math.SmallestNonzeroFloat32) // 0 would be no limit
	}
	if f.minP != nil {
		s.MinP = float32(*f.minP)
	}
	if f.topK != nil {
		s.TopK = int(max(*f.topK, 0)) // other servers take -1 for all tokens
	}
	if f.seed != nil {
		s.Seed = uint64(*f.seed)
	} else {
		var seed [8]byte
		rand.Read(seed[:]) // never fails
		s.Seed = binary.LittleEndian.Uint64(seed[:])
	}
	f.penalties.apply(req)
	if f.stop != nil {
		req.StopStrings = f.stop
	}
	// A thought would not fit the format.
	req.NoThinking = req.NoThinking || f.format.limits()
	return nil
}

// conversation is the messages of a request.
type conversation struct {
	messages []tokenizer.Message
	context  int // tokens, more messages than which can't fit
}

// chatRequest is a request for an answer in a conversation.
type chatRequest struct {
	sampling
	conversation
	logprobs        bool
	topLogprobs     *int64
	continues       bool  // the last message, which is the assistant's
	begins          *bool // a new one
	reasoningEffort string
	thinking        *bool
	tools           []toolcall.Tool
	toolChoice      toolChoice
	parallel        *bool
}

func (r *chatRequest) fields() fields {
	all := r.sampling.fields()
	maps.Copy(all, fields{
		"messages":              elements(r.message),
		"max_completion_tokens": integer(&r.maxTokens, 1, math.MaxInt32),
		"logprobs":              boolean(&r.logprobs),
		"top_logprobs":          integer(&r.topLogprobs, 0, 20),
		"reasoning_effort":      text(&r.reasoningEffort),
		"chat_template_kwargs":  object(fields{"enable_thinking": setBoolean(&r.thinking)}),
		"tools":                 elements(openAITool(&r.tools)),
		"tool_choice":           r.toolChoice.openAI,
		"parallel_tool_calls":   setBoolean(&r.parallel),

		"add_generation_prompt":  setBoolean(&r.begins),
		"continue_final_message": boolean(&r.continues),

		"documents":     only("[]"),
		"echo":          only("false"),
		"function_call": only(`"none"`),
		"functions":     only("[]"),
		"modalities":    only(`["text"]`, "[]"),
		"verbosity":     only(`"medium"`),
	})
	return all
}

// message takes a message of the conversation.
func (r *chatRequest) message(at string, raw json.RawMessage) error {
	var m tokenizer.Message
	err := object(fields{
		"role":              text(&m.Role),
		"content":           content(&m.Content),
		"reasoning_content": text(&m.Reasoning),
		"reasoning":         text(&m.Reasoning),
		"annotations":       harmless,
		"cache_control":     harmless,
		"name":              text(&m.Name),
		"images":            only("[]"),
		"tool_calls":        elements(openAICall(&m.ToolCalls)),
		"tool_call_id":      text(&m.ToolCallID),
		"refusal":           only(`""`),
	})(at, raw)
	if err != nil {
		return err
	}
	return r.add(at, m)
}

// add adds a message, if there is room.
func (c *conversation) add(at string, m tokenizer.Message) error {
	if len(c.messages) == c.context {
		return invalid("messages", "context_length_exceeded", "there are more messages than the %s that the model's context has", plural.Of(c.context, "token"))
	}
	switch m.Role {
	case "system", "user", "assistant", "tool":
	case "developer":
		m.Role = "system"
	default:
		return invalid(at+".role", "unsupported_value", "%s has role %q; system, developer, user, assistant and tool are supported", at, m.Role)
	}
	switch {
	case m.Role == "tool":
		if m.Name = c.called(m.ToolCallID); m.Name == "" {
			return invalid(at+".tool_call_id", "", "%s.tool_call_id %q is that of no call before it", at, m.ToolCallID)
		}
	case m.Name != "":
		return unsupported(at + ".name")
	case m.ToolCallID != "":
		return invalid(at+".tool_call_id", "", "%s has a tool_call_id, but role %s", at, m.Role)
	}
	if len(m.ToolCalls) > 0 && m.Role != "assistant" {
		return invalid(at+".tool_calls", "", "%s has tool_calls, but role %s", at, m.Role)
	}
	c.messages = append(c.messages, m)
	return nil
}

// continuable reports whether the last message is the assistant's and can be continued.
func (c *conversation) continuable() bool {
	n := len(c.messages)
	return n > 0 && c.messages[n-1].Role == "assistant" && len(c.messages[n-1].ToolCalls) == 0
}

// after returns the messages after a system message, unless that is empty.
func (c *conversation) after(system string) []tokenizer.Message {
	if system == "" {
		return c.messages
	}
	return append([]tokenizer.Message{{Role: "system", Content: system}}, c.messages...)
}

// called returns the name of the tool that a call asked for.
func (c *conversation) called(id string) string {
	for i := len(c.messages) - 1; i >= 0 && id != ""; i-- {
		for _, call := range c.messages[i].ToolCalls {
			if call.ID == id {
				return call.Name
			}
		}
	}
	return ""
}

// content takes a text, or a list of parts of text.
func content(to *string) field {
	return textOrParts(to, func(kind string) bool { return kind == "text" }, "cache_control", "annotations")
}

// textOrParts takes a text, or a list of parts that are text by their type and have some fields without influence.
func textOrParts(to *string, isText func(kind string) bool, others ...string) field {
	return func(at string, raw json.RawMessage) error {
		switch raw[0] {
		case '"':
			return text(to)(at, raw)
		case '[':
			var whole strings.Builder
			err := elements(func(at string, raw json.RawMessage) error {
				// A part that is not text has fields of its own; its type is what to tell of it.
				if kind, ok := typeOf(raw); ok && !isText(kind) {
					return invalid(at+".type", "unsupported_value", "content of type %.100q is not supported by this server; text is", kind)
				}
				var words string
				all := fields{"type": harmless, "text": text(&words)}
				for _, name := range others {
					all[name] = harmless
				}
				err := object(all)(at, raw)
				whole.WriteString(words)
				return err
			})(at, raw)
			*to = whole.String()
			return err
		}
		return wrongKind(at, "a string or a list of parts", raw)
	}
}

func (r *chatRequest) job(base lever.Request) (*job, error) {
	j := &job{reply: newOpenAI(chatForm, r.served, r.usage != nil && *r.usage), prompt: "messages", options: &r.sampling, request: base, logprobs: r.logprobs}
	req := &j.request
	if r.thinking != nil {
		req.NoThinking = !*r.thinking
	}
	if err := effort(req, "reasoning_effort", r.reasoningEffort); err != nil {
		return nil, err
	}
	if err := r.apply(req); err != nil {
		return nil, err
	}
	if err := r.toolChoice.apply(req, r.tools, r.parallel, &r.format); err != nil {
		return nil, err
	}
	if top := r.topLogprobs; top != nil {
		if *top > 0 && !r.logprobs {
			return nil, invalid("top_logprobs", "", "top_logprobs without logprobs")
		}
		j.top = int(*top)
	}
	if len(r.messages) == 0 {
		return nil, invalid("messages", "", "there are no messages")
	}
	switch {
	case r.begins != nil && !*r.begins && !r.continues:
		return nil, invalid("add_generation_prompt", "unsupported_value", "add_generation_prompt is false, so that no message would begin; with continue_final_message true the last one is continued")
	case r.begins != nil && *r.begins && r.continues:
		return nil, invalid("add_generation_prompt", "unsupported_value", "add_generation_prompt asks for a new message, and continue_final_message for more of the last one; give one of them")
	case r.continues && !r.continuable():
		return nil, invalid("continue_final_message", "", "continue_final_message asks to continue the last message, which must be the assistant's, without calls")
	}
	req.Messages, req.Continue = r.messages, r.continues
	return j, nil
}

// effort takes over how much a model is to think, which a field says.
func effort(req *lever.Request, at, word string) error {
	switch word {
	case "", "medium": // the latter is what OpenAI's API takes for the former
	case "none":
		req.NoThinking = true
	default:
		return invalid(at, "unsupported_value", "%s %q is not supported by this server; none and medium are", at, word)
	}
	return nil
}

func (r *chatRequest) refusal(e *apiError) any { return openAIRefusal(e) }

// completionRequest is a request to continue a text.
type completionRequest struct {
	sampling
	prompts  []prompt
	logprobs *int64
	echo     bool
}

func (r *completionRequest) fields() fields {
	all := r.sampling.fields()
	maps.Copy(all, fields{
		"prompt":     r.takePrompt,
		"max_tokens": integer(&r.maxTokens, 0, math.MaxInt32),
		"logprobs":   integer(&r.logprobs, 0, 5),
		"best_of":    only("1"),
		"echo":       boolean(&r.echo),
		"suffix":     only(`""`),
	})
	return all
}

func (r *completionRequest) refusal(e *apiError) any { return openAIRefusal(e) }

// takePrompt takes a text, tokens, or a list of either.
func (r *completionRequest) takePrompt(at string, raw json.RawMessage) error {
	return prompts(&r.prompts, r.vocab, maxChoices)(at, raw)
}

// prompts takes a text, the tokens of one, or a list of up to so many of either.
func prompts(to *[]prompt, vocab, most int) field {
	one := func(at string, raw json.RawMessage) error {
		if len(*to) == most {
			return invalid(at, "", "%s is one too many: a request may have up to %d texts, or lists of tokens", at, most)
		}
		var p prompt
		var err error
		if raw[0] == '"' {
			err = text(&p.text)(at, raw)
		} else {
			err = elements(tokenID(&p.tokens, vocab))(at, raw)
		}
		if err == nil && p.text == "" && p.tokens == nil {
			return invalid(at, "", "%s is empty", at)
		}
		*to = append(*to, p)
		return err
	}
	return func(at string, raw json.RawMessage) error {
		if raw[0] != '"' && raw[0] != '[' {
			return wrongKind(at, "a string, tokens, or a list of either", raw)
		}
		if first := following(raw[1:]); raw[0] == '[' && (first[0] == '"' || first[0] == '[') {
			return elements(one)(at, raw)
		}
		return one(at, raw)
	}
}

func (r *completionRequest) job(base lever.Request) (*job, error) {
	j := &job{
		reply: newOpenAI(completionForm, r.served, r.usage != nil && *r.usage), prompt: "prompt", options: &r.sampling, request: base, prompts: r.prompts, echo: r.echo,
	}
	if n := r.logprobs; n != nil {
		j.logprobs, j.top = true, int(*n)
	}
	if len(r.prompts) == 0 {
		return nil, invalid("prompt", "", "the prompt is empty")
	}
	j.request.Raw = true
	err := r.apply(&j.request)
	if r.maxTokens != nil && *r.maxTokens == 0 {
		if !r.echo {
			return nil, invalid("max_tokens", "", "max_tokens 0 asks for no text; with echo it gives that of the prompt, and with logprobs how likely its tokens are")
		}
		j.promptOnly, j.request.MaxTokens = true, 1
	}
	return j, err
}
