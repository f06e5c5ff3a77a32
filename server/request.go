package server

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/tokenizer"
)

// sampling are the fields that both kinds of requests have.
type sampling struct {
	Model         string         `json:"model"`
	MaxTokens     *int           `json:"max_tokens"`
	Temperature   *float32       `json:"temperature"`
	TopP          *float32       `json:"top_p"`
	TopK          *int           `json:"top_k"`
	MinP          *float32       `json:"min_p"`
	N             *int           `json:"n"`
	Seed          *int64         `json:"seed"`
	Stop          stops          `json:"stop"`
	Stream        bool           `json:"stream"`
	StreamOptions *streamOptions `json:"stream_options"`
	Trees         bool           `json:"lever_trees"`
	Presence      *float32       `json:"presence_penalty"`
	Frequency     *float32       `json:"frequency_penalty"`
	LogitBias     map[string]any `json:"logit_bias"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// stops is a string or a list of strings.
type stops []string

// UnmarshalJSON takes both forms.
func (s *stops) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		*s = make(stops, 1)
		return json.Unmarshal(raw, &(*s)[0])
	}
	return json.Unmarshal(raw, (*[]string)(s))
}

// maxStops bounds the work on each character of the text.
const maxStops = 16

// apply takes the fields over into a request.
func (f *sampling) apply(req *lever.Request) error {
	switch {
	case f.N != nil && *f.N != 1:
		return invalid("n", "unsupported_value", "n is %d; this server gives one answer to each request", *f.N)
	case f.Presence != nil && *f.Presence != 0:
		return unsupported("presence_penalty")
	case f.Frequency != nil && *f.Frequency != 0:
		return unsupported("frequency_penalty")
	case len(f.LogitBias) > 0:
		return unsupported("logit_bias")
	case f.StreamOptions != nil && !f.Stream:
		return invalid("stream_options", "", "stream_options without stream")
	case f.Trees && !f.Stream:
		return invalid("lever_trees", "", "lever_trees without stream")
	}
	if f.MaxTokens != nil {
		if *f.MaxTokens < 1 {
			return invalid("max_tokens", "", "the limit of %d tokens is not positive", *f.MaxTokens)
		}
		req.MaxTokens = *f.MaxTokens
	}
	s := &req.Sampling
	if f.Temperature != nil {
		if !(*f.Temperature >= 0 && *f.Temperature <= 2) {
			return invalid("temperature", "", "temperature %v is not between 0 and 2", *f.Temperature)
		}
		s.Temperature = *f.Temperature
	}
	if f.TopP != nil {
		if !(*f.TopP >= 0 && *f.TopP <= 1) {
			return invalid("top_p", "", "top_p %v is not between 0 and 1", *f.TopP)
		}
		s.TopP = max(*f.TopP, math.SmallestNonzeroFloat32) // 0 would be no limit
	}
	if f.TopK != nil {
		if *f.TopK < 0 {
			return invalid("top_k", "", "top_k %d is negative", *f.TopK)
		}
		s.TopK = *f.TopK
	}
	if f.MinP != nil {
		if !(*f.MinP >= 0 && *f.MinP <= 1) {
			return invalid("min_p", "", "min_p %v is not between 0 and 1", *f.MinP)
		}
		s.MinP = *f.MinP
	}
	if f.Seed != nil {
		s.Seed = uint64(*f.Seed)
	} else {
		var seed [8]byte
		rand.Read(seed[:]) // never fails
		s.Seed = binary.LittleEndian.Uint64(seed[:])
	}
	if len(f.Stop) > maxStops || slices.Contains(f.Stop, "") {
		return invalid("stop", "", "stop takes up to %d strings, none of them empty", maxStops)
	}
	if f.Stop != nil {
		req.StopStrings = f.Stop
	}
	return nil
}

// chatRequest is a request for an answer in a conversation.
type chatRequest struct {
	sampling
	Messages            []message       `json:"messages"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Logprobs            bool            `json:"logprobs"`
	TopLogprobs         int             `json:"top_logprobs"`
	ResponseFormat      *responseFormat `json:"response_format"`
	ReasoningEffort     string          `json:"reasoning_effort"`
	TemplateArguments   struct {
		EnableThinking *bool `json:"enable_thinking"`
	} `json:"chat_template_kwargs"`
	Tools      []json.RawMessage `json:"tools"`
	Functions  []json.RawMessage `json:"functions"`
	Modalities []string          `json:"modalities"`
	Audio      json.RawMessage   `json:"audio"`
	Prediction json.RawMessage   `json:"prediction"`
}

type message struct {
	Role      string          `json:"role"`
	Content   content         `json:"content"`
	Reasoning string          `json:"reasoning_content"`
	ToolCalls json.RawMessage `json:"tool_calls"`
}

// content is a text, or a list of parts of text.
type content string

// UnmarshalJSON takes both forms, and null.
func (c *content) UnmarshalJSON(raw []byte) error {
	if len(raw) == 0 || raw[0] != '[' {
		return json.Unmarshal(raw, (*string)(c))
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	var text strings.Builder
	for _, p := range parts {
		if p.Type != "text" {
			return invalid("messages", "unsupported_value", "content of type %q is not supported by this server; text is", p.Type)
		}
		text.WriteString(p.Text)
	}
	*c = content(text.String())
	return nil
}

type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Name   string          `json:"name"`
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

const maxTopLogprobs = 20

// request returns what the engine is asked for, but for the response format.
func (r *chatRequest) request(base lever.Request) (req lever.Request, err error) {
	req = base
	for param, raw := range map[string]bool{
		"tools": len(r.Tools) > 0, "functions": len(r.Functions) > 0, "audio": isSet(r.Audio), "prediction": isSet(r.Prediction),
		"modalities": len(r.Modalities) > 0 && !slices.Equal(r.Modalities, []string{"text"}),
	} {
		if raw {
			return req, unsupported(param)
		}
	}
	if r.MaxCompletionTokens != nil {
		r.MaxTokens = r.MaxCompletionTokens
	}
	if err := r.apply(&req); err != nil {
		return req, err
	}
	if r.TopLogprobs < 0 || r.TopLogprobs > maxTopLogprobs || r.TopLogprobs > 0 && !r.Logprobs {
		return req, invalid("top_logprobs", "", "top_logprobs is from 0 to %d, and needs logprobs", maxTopLogprobs)
	}
	if len(r.Messages) == 0 {
		return req, invalid("messages", "", "there are no messages")
	}
	if t := r.TemplateArguments.EnableThinking; t != nil {
		req.NoThinking = !*t
	}
	if r.ReasoningEffort == "none" {
		req.NoThinking = true
	}
	for i, m := range r.Messages {
		if m.Role == "developer" {
			m.Role = "system"
		}
		switch m.Role {
		case "system", "user", "assistant":
		default:
			return req, invalid("messages", "unsupported_value", "message %d has role %q; system, developer, user and assistant are supported", i, m.Role)
		}
		if isSet(m.ToolCalls) && string(m.ToolCalls) != "[]" {
			return req, unsupported("tool_calls")
		}
		req.Messages = append(req.Messages, tokenizer.Message{Role: m.Role, Content: string(m.Content), Reasoning: m.Reasoning})
	}
	return req, nil
}

// isSet reports whether a field has a value.
func isSet(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// completionRequest is a request to continue a text.
type completionRequest struct {
	sampling
	Prompt   prompt `json:"prompt"`
	Logprobs *int   `json:"logprobs"`
	Echo     bool   `json:"echo"`
	Suffix   string `json:"suffix"`
	BestOf   *int   `json:"best_of"`
}

// prompt is a text, or a list with one.
type prompt string

// UnmarshalJSON takes both forms.
func (p *prompt) UnmarshalJSON(raw []byte) error {
	var list []string
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(p))
	}
	if json.Unmarshal(raw, &list) != nil || len(list) != 1 {
		return invalid("prompt", "unsupported_value", "prompt must be a string, or a list with one; tokens are not supported by this server")
	}
	*p = prompt(list[0])
	return nil
}

const maxCompletionLogprobs = 5

func (r *completionRequest) request(base lever.Request) (req lever.Request, err error) {
	req = base
	switch {
	case r.Echo:
		return req, unsupported("echo")
	case r.Suffix != "":
		return req, unsupported("suffix")
	case r.BestOf != nil && *r.BestOf != 1:
		return req, unsupported("best_of")
	case r.Logprobs != nil && (*r.Logprobs < 0 || *r.Logprobs > maxCompletionLogprobs):
		return req, invalid("logprobs", "", "logprobs is from 0 to %d", maxCompletionLogprobs)
	case r.Prompt == "":
		return req, invalid("prompt", "", "the prompt is empty")
	}
	req.Prompt, req.Raw = string(r.Prompt), true
	return req, r.apply(&req)
}
