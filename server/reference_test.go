package server

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What becomes of a field of an API's public reference.
const (
	honoured = "honoured" // it changes what the engine is asked for, or how the answer is told
	declined = "refused"  // by its name
	ignored  = "harmless" // it changes nothing, and docs/clients.md says so
)

// references are the fields of requests that the public references of the APIs have (November 2026), each with a value that asks for something.
var references = []struct {
	api    string
	ask    func() question
	base   string            // what every request must have
	fields map[string]string // by field: what becomes of it, and the value
}{
	{"OpenAI's chat completions", func() question {
		return &chatRequest{sampling: sampling{vocab: 100}, conversation: conversation{context: 10}}
	}, hello, map[string]string{
		"audio": `refused {"voice": "alloy"}`, "frequency_penalty": `honoured 1`, "function_call": `refused "auto"`, "functions": `refused [{}]`, "logit_bias": `honoured {"1": 2}`,
		"logprobs": `honoured true`, "max_completion_tokens": `honoured 3`, "max_tokens": `honoured 3`, "metadata": `harmless {}`, "modalities": `refused ["audio"]`, "n": `honoured 2`,
		"parallel_tool_calls": `harmless false`, // without tools
		"prediction":          `refused {"type": "content"}`, "presence_penalty": `honoured 1`, "prompt_cache_key": `harmless "a"`, "prompt_cache_retention": `harmless "24h"`,
		"reasoning_effort": `honoured "none"`, "response_format": `honoured {"type": "json_object"}`, "safety_identifier": `harmless "a"`, "seed": `honoured 3`, "service_tier": `harmless "flex"`,
		"stop": `honoured ["a"]`, "store": `refused true`, "stream": `honoured true`, "stream_options": `refused {"include_usage": true}`, // without stream
		"temperature": `honoured 1`, "tool_choice": `refused "required"`, "tools": `honoured [{"type": "function", "function": {"name": "f"}}]`,
		"top_logprobs": `refused 3`, // without logprobs
		"top_p":        `honoured 0.5`, "user": `harmless "a"`, "verbosity": `refused "low"`, "web_search_options": `refused {}`,
	}},
	{"OpenAI's completions", func() question { return &completionRequest{sampling: sampling{vocab: 100}} }, `{"prompt": "a"`, map[string]string{
		"best_of": `refused 2`, "echo": `honoured true`, "frequency_penalty": `honoured 1`, "logit_bias": `honoured {"1": 2}`, "logprobs": `honoured 1`, "max_tokens": `honoured 3`, "n": `honoured 2`,
		"presence_penalty": `honoured 1`, "seed": `honoured 3`, "stop": `honoured "a"`, "stream": `honoured true`, "suffix": `refused "a"`, "temperature": `honoured 1`, "top_p": `honoured 0.5`, "user": `harmless "a"`,
	}},
	{"OpenAI's responses", func() question { return &responsesRequest{conversation: conversation{context: 10}} }, `{"input": "a"`, map[string]string{
		"background": `refused true`, "context_management": `refused [{}]`, "conversation": `refused "a"`, "include": `refused ["message.output_text.logprobs"]`, "instructions": `honoured "a"`,
		"max_output_tokens": `honoured 3`, "max_tool_calls": `refused 1`, "metadata": `harmless {}`, "parallel_tool_calls": `harmless false`, "previous_response_id": `refused "a"`,
		"prompt": `refused {"id": "a"}`, "prompt_cache_key": `harmless "a"`, "prompt_cache_retention": `harmless "24h"`, "reasoning": `honoured {"effort": "none"}`, "safety_identifier": `harmless "a"`,
		"service_tier": `harmless "flex"`, "store": `harmless true`, "stream": `honoured true`, "stream_options": `refused {"other": 1}`, "temperature": `honoured 1`,
		"text": `honoured {"format": {"type": "json_object"}}`, "tool_choice": `refused "required"`, "tools": `honoured [{"type": "function", "name": "f"}]`, "top_logprobs": `refused 2`,
		"top_p": `honoured 0.5`, "truncation": `refused "auto"`, "user": `harmless "a"`,
	}},
	{"Anthropic's messages", func() question { return &messagesRequest{conversation: conversation{context: 10}} }, hello, map[string]string{
		"cache_control": `harmless {"type": "ephemeral"}`, "container": `refused "a"`, "context_management": `refused {}`, "inference_geo": `refused "eu"`, "max_tokens": `honoured 3`, "mcp_servers": `refused []`,
		"metadata": `harmless {}`, "output_config": `refused {"effort": "low"}`, "output_format": `refused {}`, "service_tier": `harmless "auto"`, "stop_sequences": `honoured ["a"]`, "stream": `honoured true`,
		"system": `honoured "a"`, "temperature": `honoured 1`, "thinking": `honoured {"type": "disabled"}`, "tool_choice": `refused {"type": "any"}`, "tools": `honoured [{"name": "f", "input_schema": {}}]`,
		"top_k": `honoured 3`, "top_p": `honoured 0.5`,
	}},
	{"Ollama's chat", func() question {
		return &ollamaChat{ollamaRequest: newOllamaRequest(sampling{vocab: 100}), conversation: conversation{context: 10}}
	}, hello, map[string]string{
		"format": `honoured "json"`, "keep_alive": `harmless "5m"`, "logprobs": `refused true`, "options": `honoured {"seed": 3}`, "shift": `refused true`, "stream": `honoured false`, "think": `honoured false`,
		"tools": `honoured [{"type": "function", "function": {"name": "f"}}]`, "top_logprobs": `refused 1`, "truncate": `refused true`,
	}},
	{"Ollama's generate", func() question { return &ollamaGenerate{ollamaRequest: newOllamaRequest(sampling{vocab: 100})} }, `{"prompt": "a"`, map[string]string{
		"context": `refused [1]`, "format": `honoured "json"`, "images": `refused ["a"]`, "keep_alive": `harmless 0`, "logprobs": `refused true`, "options": `honoured {"num_predict": 3}`, "raw": `honoured true`,
		"stream": `honoured false`, "suffix": `refused "a"`, "system": `honoured "a"`, "template": `refused "a"`, "think": `honoured false`, "top_logprobs": `refused 1`,
	}},
}

// documented are the names of fields that docs/clients.md lists as without influence.
func documented(t *testing.T) []string {
	t.Helper()
	doc, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(doc), "## Fields without influence\n")
	if !found {
		t.Fatal("docs/clients.md has no section of fields without influence")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var names []string
	for _, m := range regexp.MustCompile("`([a-z_0-9]+)`").FindAllStringSubmatch(section, -1) {
		names = append(names, m[1])
	}
	return names
}

// Every field of the public references is honoured, refused by its name, or harmless and documented as that.
func TestFieldsOfReferences(t *testing.T) {
	names := documented(t)
	for _, r := range references {
		plain := asked(t, r.ask(), r.base+"}")
		for name, what := range r.fields {
			what, value, _ := strings.Cut(what, " ")
			q := r.ask()
			_, err := decode(t, q, r.base+`, "`+name+`": `+value+`}`)
			got := ""
			switch {
			case err != nil && err.Param != nil && strings.HasPrefix(*err.Param, name):
				got = declined
			case err != nil:
				t.Errorf("%s: %s: %v", r.api, name, err)
				continue
			case reflect.DeepEqual(asked(t, r.ask(), r.base+`, "`+name+`": `+value+`}`), plain):
				got = ignored
			default:
				got = honoured
			}
			if got != what {
				t.Errorf("%s: %s %s is %s, not %s", r.api, name, value, got, what)
			}
			if got == ignored && name != "parallel_tool_calls" && !slices.Contains(names, name) {
				t.Errorf("%s: docs/clients.md does not list %s as without influence", r.api, name)
			}
		}
	}
}

// asked returns what a request asks of the engine and of the answer, but for a seed that it does not give, and what identifies the answer.
func asked(t *testing.T, q question, body string) any {
	j, err := decode(t, q, body)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if j.options.seed == nil {
		j.request.Sampling.Seed = 0
	}
	options := *j.options
	options.format.from = "" // the same as format's values
	return []any{j.request, options, j.echo, j.logprobs, j.top, j.prompts}
}

// All that any API takes as harmless is documented.
func TestHarmlessFieldsAreDocumented(t *testing.T) {
	names := documented(t)
	harmlessAt := reflect.ValueOf(harmless).Pointer()
	check := func(api string, all fields) {
		for name, f := range all {
			if reflect.ValueOf(f).Pointer() == harmlessAt && !slices.Contains(names, name) {
				t.Errorf("%s: docs/clients.md does not list %s as without influence", api, name)
			}
		}
	}
	for _, r := range references {
		check(r.api, r.ask().fields())
	}
	check("Ollama's options", (&ollamaRequest{}).options())
}
