package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/lever-go/lever"
)

// decode returns the job of a request, or what is wrong with it.
func decode(t *testing.T, q question, body string) (*job, *apiError) {
	t.Helper()
	err := q.fields().decode([]byte(body))
	var j *job
	if err == nil {
		j, err = q.job(lever.Request{})
	}
	var e *apiError
	if err != nil && !errors.As(err, &e) {
		t.Errorf("%s: %v is no error of the API", body, err)
	}
	return j, e
}

const hello = `{"messages": [{"role": "user", "content": "hi"}]`

// What a field asks for is done, or refused by the field's name.
func TestFieldsAreHonouredOrRefused(t *testing.T) {
	for _, c := range []struct{ fields, param, code string }{
		{``, "", ""},
		{`"user": "me", "metadata": {"a": 1}, "store": false, "seed": -3, "service_tier": "auto", "prompt_cache_key": "k"`, "", ""},
		{`"presence_penalty": -2, "frequency_penalty": 1.5, "repetition_penalty": 1.1, "logit_bias": {"3": -100, "99": 1.5}, "repeat_last_n": -1`, "", ""},
		{`"presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {}, "n": 1, "modalities": ["text"], "stop": null`, "", ""},
		{`"repeat_penalty": 1.0, "typical_p": 1, "mirostat": 0, "mirostat_tau": 5, "repeat_last_n": 64, "n_predict": -1, "grammar": ""`, "", ""},
		{`"top_k": -1, "min_p": 0.05, "max_tokens": 5.0, "temperature": 0`, "", ""},
		{`"grammar": null, "nonsense": null`, "", ""},
		{`"tools": [], "tool_choice": "auto", "parallel_tool_calls": true`, "", ""},
		{`"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"`, "", ""},
		{`"tools": [{"type": "function", "function": {"name": "f", "strict": true}}], "tool_choice": {"type": "function", "function": {"name": "f"}}`, "", ""},
		{`"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}], "parallel_tool_calls": false`, "", ""},
		{`"reasoning_effort": "none"`, "", ""},
		{`"stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false}`, "", ""},

		{`"tools": [{"type": "web_search"}]`, "tools[0].type", "unsupported_value"},
		{`"tool_choice": "any"`, "tool_choice", "unsupported_value"},
		{`"tools": [{"type": "function", "function": {"name": "f"}}], "response_format": {"type": "json_object"}`, "response_format", "unsupported_parameter"},
		{`"functions": [{}]`, "functions", "unsupported_parameter"},
		{`"grammar": "root ::= \"yes\""`, "grammar", "unsupported_parameter"},
		{`"guided_regex": "a+"`, "guided_regex", "unsupported_parameter"},
		{`"guided_choice": ["a"]`, "guided_choice", "unsupported_parameter"},
		{`"structured_outputs": {"regex": "a"}`, "structured_outputs", "unsupported_parameter"},
		{`"repeat_penalty": 0`, "repeat_penalty", ""},
		{`"presence_penalty": 2.5`, "presence_penalty", ""},
		{`"frequency_penalty": "1"`, "frequency_penalty", ""},
		{`"logit_bias": {"50256": -100}`, "logit_bias", ""},
		{`"logit_bias": {"1": -101}`, "logit_bias.1", ""},
		{`"logit_bias": [[1, 2]]`, "logit_bias", ""},
		{`"typical_p": 0.9`, "typical_p", "unsupported_parameter"},
		{`"mirostat": 2`, "mirostat", "unsupported_parameter"},
		{`"n_predict": 8`, "n_predict", "unsupported_parameter"},
		{`"num_ctx": 4096`, "num_ctx", "unsupported_parameter"},
		{`"options": {"num_predict": 3}`, "options", "unsupported_parameter"},
		{`"store": true`, "store", "unsupported_parameter"},
		{`"nonsense": 1`, "nonsense", "unsupported_parameter"},
		{`"reasoning_effort": "high"`, "reasoning_effort", "unsupported_value"},
		{`"chat_template_kwargs": {"custom": 1}`, "chat_template_kwargs.custom", "unsupported_parameter"},
		{`"stream": true, "stream_options": {"more": 1}`, "stream_options.more", "unsupported_parameter"},
		{`"n": 0`, "n", ""},
		{`"n": 65`, "n", ""},
		{`"prompt": "a"`, "prompt", "unsupported_parameter"},

		{`"messages": [{"role": "user", "content": "hi", "name": "Jo"}]`, "messages[0].name", "unsupported_parameter"},
		{`"messages": [{"role": "user", "content": "hi"}, {"role": "tool", "content": "3", "tool_call_id": "a"}]`, "messages[1].tool_call_id", ""},
		{`"messages": [{"role": "assistant", "tool_calls": [{}]}]`, "messages[0].tool_calls[0].function.name", ""},
		{`"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "3"}}]}]`, "messages[0].tool_calls[0].function.arguments", ""},
		{`"messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, {"role": "tool", "tool_call_id": "a", "content": "3"}]`, "", ""},
		{`"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:"}}]}]`, "messages[0].content[1].type", "unsupported_value"},
		{`"messages": [{"role": "robot", "content": "hi"}]`, "messages[0].role", "unsupported_value"},
		{`"messages": [` + strings.Repeat(`{"role": "user"},`, 100) + `{"role": "user"}]`, "messages", "context_length_exceeded"},
	} {
		body := "{" + c.fields
		if !strings.HasPrefix(c.fields, `"messages"`) {
			body = hello + strings.TrimSuffix(", "+c.fields, ", ")
		}
		j, err := decode(t, &chatRequest{sampling: sampling{vocab: 100}, conversation: conversation{context: 100}}, body+"}")
		param, code := "", ""
		if err != nil {
			if err.status != http.StatusBadRequest || err.Param == nil {
				t.Errorf("%s: %+v", c.fields, err)
				continue
			}
			if param = *err.Param; err.Code != nil {
				code = *err.Code
			}
		}
		if param != c.param || code != c.code || (err == nil) != (j != nil) {
			t.Errorf("%s: %q, %q, want %q, %q: %v", c.fields, param, code, c.param, c.code, err)
		}
		if err != nil && !strings.Contains(err.Message, strings.Split(c.param, ".")[0]) && !strings.HasSuffix(c.param, ".type") {
			t.Errorf("%s: %q does not name %q", c.fields, err.Message, c.param)
		}
	}
	for _, c := range []struct{ fields, param string }{
		{`"best_of": 1, "echo": false, "suffix": "", "n": 3`, ""},
		{`"max_tokens": 0, "echo": true`, ""},
		{`"max_tokens": 0`, "max_tokens"},
		{`"best_of": 2`, "best_of"},
		{`"echo": "yes"`, "echo"},
		{`"suffix": "b"`, "suffix"},
		{`"logprobs": 6`, "logprobs"},
		{`"messages": []`, "messages"},
	} {
		_, err := decode(t, &completionRequest{}, `{"prompt": "a", `+c.fields+"}")
		if (err == nil) != (c.param == "") || err != nil && *err.Param != c.param {
			t.Errorf("%s: %v", c.fields, err)
		}
	}
}

// A value of the wrong kind is told by the field's name and in JSON's words, whatever the field and the kind.
func TestWrongKindsAreToldInWordsOfJSON(t *testing.T) {
	goWords := []string{"server.", "int64", "float", "string:", "[]", "struct", "Go ", "json:", "unmarshal", "slice"}
	values := []string{`"5"`, `5`, `5.5`, `true`, `[1]`, `{"a": 1}`, `1e999`, `[[]]`, `-1`, `""`, `[{"role": 1}]`, `[{"role": "user", "content": {"a": 1}}]`, `[{"content": [3]}]`}
	short := conversation{context: 10}
	for _, ask := range []func() question{
		func() question { return &chatRequest{conversation: short} }, func() question { return &completionRequest{} }, func() question { return &messagesRequest{conversation: short} },
		func() question { return &responsesRequest{conversation: short} }, func() question { return &ollamaChat{conversation: short} }, func() question { return &ollamaGenerate{} },
	} {
		refused := 0
		for name := range ask().fields() {
			for _, value := range values {
				_, err := decode(t, ask(), `{"`+name+`": `+value+`}`)
				if err == nil {
					continue
				}
				if refused++; err.Param != nil && !strings.HasPrefix(*err.Param, name) && *err.Param != "messages" && *err.Param != "prompt" && *err.Param != "input" {
					t.Errorf("%s: %s is told of %s", name, value, *err.Param)
				}
				for _, word := range goWords {
					if text := strings.ReplaceAll(err.Message, name, ""); strings.Contains(text, word) {
						t.Errorf("%s: %s: %q has %q", name, value, err.Message, word)
					}
				}
			}
		}
		if refused < 80 {
			t.Errorf("only %d values were refused", refused)
		}
	}
	for _, c := range []struct{ body, param, message string }{
		{hello + `, "max_tokens": "5"}`, "max_tokens", "max_tokens must be an integer from 1 to 2147483647, not a string"},
		{hello + `, "max_tokens": 1.5}`, "max_tokens", "max_tokens must be an integer from 1 to 2147483647, not 1.5"},
		{hello + `, "temperature": []}`, "temperature", "temperature must be a number from 0 to 2, not a list"},
		{hello + `, "stream": "yes"}`, "stream", "stream must be true or false, not a string"},
		{hello + `, "stop": [1]}`, "stop[0]", "stop[0] must be a string, not a number"},
		{hello + `, "stop": {}}`, "stop", "stop must be a string or a list of strings, not an object"},
		{hello + `, "response_format": "json"}`, "response_format", "response_format must be an object, not a string"},
		{`{"messages": "hi"}`, "messages", "messages must be a list, not a string"},
		{`{"messages": [{"role": "user", "content": 3}]}`, "messages[0].content", "messages[0].content must be a string or a list of parts, not a number"},
		{`{"messages": [], "messages": []}`, "messages", "messages is there twice"},
		{`{"messages": [{"role": "user", "role": "user"}]}`, "messages[0].role", "messages[0].role is there twice"},
		{`{"messages": ["hi"]}`, "messages[0]", "messages[0] must be an object, not a string"},
	} {
		_, err := decode(t, &chatRequest{conversation: conversation{context: 10}}, c.body)
		if err == nil || err.Param == nil || *err.Param != c.param || err.Message != c.message {
			t.Errorf("%s: %v, want %q", c.body, err, c.message)
		}
	}
}

// What the answer must look like is taken from whichever field says so, and from one alone.
func TestFormats(t *testing.T) {
	const schema = `{"type": "boolean"}`
	for _, c := range []struct{ fields, from, values, param string }{
		{`"response_format": {"type": "text"}`, "", "", ""},
		{`"response_format": {"type": "json_object"}`, "response_format", "", ""},
		{`"response_format": {"type": "json_object", "schema": ` + schema + `}`, "response_format", schema, ""},
		{`"response_format": {"type": "json_schema", "schema": ` + schema + `}`, "response_format", schema, ""},
		{`"response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": true, "schema": ` + schema + `}}`, "response_format", schema, ""},
		{`"json_schema": ` + schema, "json_schema", schema, ""},
		{`"guided_json": true`, "guided_json", "true", ""},
		{`"response_format": {"type": "json_schema"}`, "", "", "response_format"},
		{`"response_format": {"type": "text", "schema": ` + schema + `}`, "", "", "response_format.type"},
		{`"response_format": {"type": "xml"}`, "", "", "response_format.type"},
		{`"response_format": {"type": "json_object", "strict": true}`, "", "", "response_format.strict"},
		{`"response_format": {"type": "json_schema", "json_schema": {"schema": {}}, "schema": {}}`, "", "", "response_format.schema"},
		{`"response_format": {"type": "json_object"}, "guided_json": ` + schema, "", "", "guided_json"},
		{`"guided_json": "{}"`, "", "", "guided_json"},
	} {
		for _, q := range []question{&chatRequest{conversation: conversation{context: 10}}, &completionRequest{}} {
			start := hello
			if _, ok := q.(*completionRequest); ok {
				start = `{"prompt": "a"`
			}
			j, err := decode(t, q, start+", "+c.fields+"}")
			if c.param != "" {
				if err == nil || *err.Param != c.param {
					t.Errorf("%s: %v, want an error about %s", c.fields, err, c.param)
				}
				continue
			}
			if err != nil || j.options.format.from != c.from || string(j.options.format.values) != c.values || j.request.NoThinking != (c.from != "") {
				t.Errorf("%s: %v, %+v", c.fields, err, j)
			}
		}
	}
}

// each finds what a decoder finds, in any layout.
func FuzzEach(f *testing.F) {
	for _, seed := range []string{
		`[]`, `{}`, `[1, -2.5e3 ,true,null]`, `{"a": [1, {"b": "]}"}], "c\"d\u00e9": "\\", "": {} }`, "[\n\t\"\\\"\" ,\r[[], [{}]],{\"x\":[0]}]", `{"a":1,"a":2}`, `["` + "\xff" + `"]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		raw := json.RawMessage(strings.TrimSpace(text))
		if !json.Valid(raw) || raw[0] != '[' && raw[0] != '{' {
			return
		}
		d := json.NewDecoder(strings.NewReader(text))
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		err := each(raw, func(name string, i int, value json.RawMessage) error {
			if raw[0] == '{' {
				if token, err := d.Token(); err != nil || token != name {
					t.Errorf("name %q, not %v, %v", name, token, err)
				}
			}
			var want json.RawMessage
			if err := d.Decode(&want); err != nil || string(want) != string(value) {
				t.Errorf("value %d is %s, not %s, %v", i, value, want, err)
			}
			return nil
		})
		if err != nil || d.More() {
			t.Errorf("it ends with %v, and there is more: %v", err, d.More())
		}
	})
}
