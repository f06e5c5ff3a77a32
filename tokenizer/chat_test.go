package tokenizer

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

var conversation = []Message{
	{Role: "system", Content: "Be brief. "},
	{Role: "user", Content: "One?"},
	{Role: "assistant", Content: "<think>\nhm\n</think>\n\nTwo."},
	{Role: "user", Content: "Three?\n"},
}

// withTemplate returns the tiny tokenizer with a template.
func withTemplate(t testing.TB, template string) *Tokenizer {
	t.Helper()
	tok, err := Open(withFiles(t, "chat_template.jinja", template, "tokenizer_config.json", `{"eos_token": "<|eot_id|>"}`))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestTemplates runs what templates of Llama-3.1 to 3.3 and Qwen3 are made of. What is wanted is what Jinja2 gives.
func TestTemplates(t *testing.T) {
	for _, test := range []struct{ name, template, want string }{
		{"text", "plain", "plain"},
		{"last line end", "a\n", "a"},
		{"trim_blocks", "{% if true %}\na\n{% endif %}\nb", "a\nb"},
		{"lstrip_blocks", "a\n   {% if true %}\nb\n   {% endif %}\nc", "a\nb\nc"},
		{"whitespace control", "a  \n{%- if true -%}\n  b  \n{%- endif %}c", "abc"},
		{"space after another tag", "{% if true %}\n{{ 1 }} {% if true %} 2{% endif %}\n{# x #} {% endif %}", "1  2 "},
		{"plus", "a\n  {%+ if true %}b{% endif +%}\nc", "a\n  b\nc"},
		{"line ends in tags", "{{ 'a\n'\n+ {'b': {'c': 'd'}}['b']['c']\n}}{% for i in [\n1\n] %}{{i}}{% endfor %}", "a\nd1"},
		{"tags in strings", "{{ '}} {% if %} {{' }}{% if '%}' %} {% endif %}", "}} {% if %} {{ "},
		{"braces", "{ {a} {", "{ {a} {"},
		{"comment", "a {#- not this #} b", "a b"},
		{"escapes", `{{ 'a\n"b"' + "\t'c'" }}`, "a\n\"b\"\t'c'"},
		{"special tokens", "{{ bos_token }}|{{ eos_token }}", "<|begin_of_text|>|<|eot_id|>"},
		{"attribute and item", "{{ messages[0].role }} {{ messages[0]['content'] }}", "system Be brief. "},
		{"from the end", "{{ messages[-1].role }} {{ messages[3:][-1].content | trim }}", "user Three?"},
		{"slice", "{% for m in messages[1:3] %}{{ m.role }} {% endfor %}", "user assistant "},
		{"reversed", "{% for m in messages[::-1] %}{{ m.role[0] }}{{ loop.index0 }}{% endfor %}", "u0a1u2s3"},
		{"loop", "{% for m in messages %}{{ loop.index }}{% if loop.first %}F{% endif %}{% if loop.last %}L{% endif %}{% if not loop.last %},{% endif %}{% endfor %}",
			"1F,2,3,4L"},
		{"loop with a condition", "{% for m in messages if m.role == 'user' %}{{ loop.length }}{{ m.content }}{% endfor %}", "2One?2Three?\n"},
		{"else of a loop", "{% for m in [] %}x{% else %}none{% endfor %}", "none"},
		{"break and continue", "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}", "023"},
		{"set within if", "{% if true %}{% set a = 1 %}{% endif %}{{ a }}", "1"},
		{"set within for", "{% set a = 1 %}{% for i in [1] %}{% set a = 2 %}{% endfor %}{{ a }}", "1"},
		{"namespace", "{% set ns = namespace(found=false, n=messages|length - 1) %}{% for m in messages %}{% if m.role == 'assistant' %}{% set ns.found = true %}{% endif %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.found }} {{ ns.n }}",
			"True 7"},
		{"messages replaced", "{% set first = messages[0]['content'] | trim %}{% set messages = messages[1:] %}{{ first }} {{ messages | length }}", "Be brief. 3"},
		{"defined", "{% if not tools is defined %}{% set tools = none %}{% endif %}{% if tools is none and x is not defined and messages is defined %}yes{% endif %}", "yes"},
		{"types", "{{ 'a' is string }} {{ 1 is string }} {{ messages is iterable }} {{ messages[0] is mapping }} {{ none is none }}", "True False True True True"},
		{"true and false", "{{ 0 is false }} {{ false is false }} {{ 1 is true }}", "False True False"},
		{"in", "{{ 'role' in messages[0] }} {{ 'x' in messages[0] }} {{ 'ri' in 'brief' }} {{ 'a' not in ['a'] }}", "True False True False"},
		{"logic", "{% if (messages[0].role == 'user') or (messages[0].role == 'system' and not false) %}yes{% endif %}", "yes"},
		{"inline if", "{{ 'a' if messages else 'b' }}{{ 'c' if false }}", "a"},
		{"arithmetic", "{{ (messages|length - 1) - 1 }} {{ 7 % 2 }} {{ 7 // 2 }}", "2 1 3"},
		{"string methods", `{{ 'x\n</think>\n\ny'.split('</think>')[-1].lstrip('\n') }} {{ 'abc'.startswith('ab') and 'abc'.endswith('c') }} {{ '\na\n'.strip('\n') }} {{ 'ab'.upper() }}`,
			"y True a AB"},
		{"thinking apart", `{% set c = messages[2].content %}{{ c.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') }}|{{ 'hm</think>'.split('</think>')[0].split('<think>')[-1] }}`,
			"hm|hm"},
		{"split", "{{ 'a b  c'.split()|length }} {{ 'a,b,c'.split(',', 1)[1] }} {{ 'a,b'.split(',', -1)[0] }}", "3 b,c a"},
		{"more methods", "{{ 'a-b'.replace('-', '+') }} {{ ', '.join(['x', 'y']) }} {{ 'hello'.find('l') }} {{ 'aB'.capitalize() }} {{ 'x'.startswith(('y', 'x')) }}",
			"a+b x, y 2 Ab True"},
		{"filters", "{{ ['b', 'a'] | join('+') }} {{ ' x ' | trim }} {{ 'ab' | upper }} {{ [1, 2] | last }} {{ x | default('d') }} {{ 'ab' | reverse }} {{ [1, 2] | reverse | first }}",
			"b+a x AB 2 d ba 2"},
		{"selectattr", "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list | length }} {{ (messages | rejectattr('role', 'equalto', 'user') | list)[-1].role }}",
			"2 assistant"},
		{"items", "{% for k, v in messages[1].items() %}{{ k }}={{ v }};{% endfor %}{% for k, v in {'b': 1, 'a': 2} | items %}{{ k }}{{ v }}{% endfor %}",
			"role=user;content=One?;b1a2"},
		{"dict methods", "{{ messages[0].get('role') }} {{ messages[0].get('x', 'y') }} {{ messages[0].keys() | join(',') }}", "system y role,content"},
		{"tojson", `{{ {'b': 'é<\'"\n', 'a': [1, 1.5, true, none], 'c': {}} | tojson }}`, `{"b": "é<'\"\n", "a": [1, 1.5, true, null], "c": {}}`},
		{"tojson with indent", `{{ {'a': [1], 'b': []} | tojson(indent=2) }}`, "{\n  \"a\": [\n    1\n  ],\n  \"b\": []\n}"},
		{"unpadded date", "{{ strftime_now('%-d.%-m.%y %e %j %-I %h [%Z] %D %c %q %') }}", "4.3.26  4 063 5 Mar [] 03/04/26 Wed Mar  4 05:06:07 2026 %q %"},
		{"date", "{{ strftime_now('%d %b %Y, %A %H:%M %p %%') }} {{ date_string }}", "04 Mar 2026, Wednesday 05:06 AM % 04 Mar 2026"},
	} {
		opts := ChatOptions{Date: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
		prompt, err := withTemplate(t, test.template).Chat(t.Context(), conversation, opts)
		switch {
		case err != nil:
			t.Errorf("%s: %v", test.name, err)
		case prompt.Fallback != nil:
			t.Errorf("%s: %v", test.name, prompt.Fallback)
		case prompt.Text != test.want:
			t.Errorf("%s: got %q, want %q", test.name, prompt.Text, test.want)
		}
	}
}

// thinkingTemplate is a conversation in ChatML whose earlier thoughts are left out, with tools.
const thinkingTemplate = `{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- for tool in tools %}
        {{- tool | tojson }}
    {%- endfor %}
    {{- '<|im_end|>\n' }}
{%- endif %}
{%- set ns = namespace(seeking=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.seeking and message.role == "user" and message.content is string %}
        {%- set ns.seeking = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content %}
    {%- if message.role == "assistant" and '</think>' in content and loop.index0 < ns.last %}
        {%- set content = content.split('</think>')[-1].lstrip('\n') %}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\n' + content }}
    {%- for call in message.tool_calls %}
        {{- '\n<tool_call>' + call.function.name + ' ' }}{{ call.function.arguments | tojson }}
    {%- endfor %}
    {{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}`

func TestThinkingTemplate(t *testing.T) {
	tok := withTemplate(t, thinkingTemplate)
	const turns = "<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\nTwo.<|im_end|>\n<|im_start|>user\nThree?\n<|im_end|>\n"
	for _, test := range []struct {
		opts ChatOptions
		want string
	}{
		{ChatOptions{}, turns},
		{ChatOptions{AddGenerationPrompt: true}, turns + "<|im_start|>assistant\n"},
		{ChatOptions{AddGenerationPrompt: true, NoThinking: true}, turns + "<|im_start|>assistant\n<think>\n\n</think>\n\n"},
		{ChatOptions{Tools: []json.RawMessage{[]byte(`{"name":"f","a":1}`)}}, "<|im_start|>system\n{\"name\": \"f\", \"a\": 1}<|im_end|>\n" + turns},
	} {
		prompt, err := tok.Chat(t.Context(), conversation[1:], test.opts)
		if err != nil || prompt.Fallback != nil || prompt.Text != test.want {
			t.Errorf("%+v: got %q, %v, %v, want %q", test.opts, prompt.Text, prompt.Fallback, err, test.want)
		}
	}
	prompt, err := tok.Chat(t.Context(), []Message{{Role: "assistant", ToolCalls: []ToolCall{{Name: "f", Arguments: []byte(`{"z": [1], "a": "é"}`)}}}}, ChatOptions{})
	want := "<|im_start|>assistant\n\n<tool_call>f {\"z\": [1], \"a\": \"é\"}<|im_end|>\n"
	if err != nil || prompt.Text != want {
		t.Errorf("tool call: got %q, %v, want %q", prompt.Text, err, want)
	}
}

func TestBuiltinTemplates(t *testing.T) {
	llama, err := Open(withFiles(t))
	if err != nil {
		t.Fatal(err)
	}
	qwen, err := FromTiktoken(tiktokenFile(), Qwen)
	if err != nil {
		t.Fatal(err)
	}
	const chatML = "<|im_start|>system\nBe brief. <|im_end|>\n<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\nTwo.<|im_end|>\n" +
		"<|im_start|>user\nThree?\n<|im_end|>\n"
	for _, test := range []struct {
		name    string
		tok     *Tokenizer
		opts    ChatOptions
		builtin string
		want    string
	}{
		{"Llama-3", llama, ChatOptions{AddGenerationPrompt: true}, "llama3", "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>" +
			"<|start_header_id|>user<|end_header_id|>\n\nOne?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n<think>\nhm\n</think>\n\nTwo.<|eot_id|>" +
			"<|start_header_id|>user<|end_header_id|>\n\nThree?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
		{"ChatML", qwen, ChatOptions{}, "chatml", chatML},
		{"thinking", qwen, ChatOptions{AddGenerationPrompt: true}, "chatml", chatML + "<|im_start|>assistant\n"},
		{"no thinking", qwen, ChatOptions{AddGenerationPrompt: true, NoThinking: true}, "chatml", chatML + "<|im_start|>assistant\n<think>\n\n</think>\n\n"},
	} {
		prompt, err := test.tok.Chat(t.Context(), conversation, test.opts)
		if err != nil || prompt.Text != test.want || prompt.Builtin != test.builtin || prompt.Fallback != nil {
			t.Errorf("%s: got %+v, %v, want %q", test.name, prompt, err, test.want)
		}
	}
}

func TestFallbackIsVisible(t *testing.T) {
	prompt, err := withTemplate(t, "{% include 'x' %}").Chat(t.Context(), conversation, ChatOptions{})
	if err != nil || prompt.Builtin != "llama3" || prompt.Fallback == nil || !strings.Contains(prompt.Fallback.Error(), "include") {
		t.Errorf("got %+v, %v", prompt, err)
	}
	if !strings.HasPrefix(prompt.Text, "<|begin_of_text|><|start_header_id|>system") {
		t.Errorf("got %q", prompt.Text)
	}
}

func TestNoTemplate(t *testing.T) {
	plain, err := FromJSON(editedJSON(t, func(doc map[string]any) {
		doc["added_tokens"], doc["post_processor"] = []any{}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Chat(t.Context(), conversation, ChatOptions{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
	llama, err := Open(withFiles(t))
	if err != nil {
		t.Fatal(err)
	}
	tools := ChatOptions{Tools: []json.RawMessage{[]byte("{}")}}
	if _, err := llama.Chat(t.Context(), conversation, tools); !errors.Is(err, ErrUnsupported) {
		t.Errorf("tools with a built-in template: got %v, want ErrUnsupported", err)
	}
}

func TestRefusal(t *testing.T) {
	tok := withTemplate(t, "{% if messages[0].role != 'user' %}{{ raise_exception('roles must ' + 'alternate') }}{% endif %}ok")
	if _, err := tok.Chat(t.Context(), conversation, ChatOptions{}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "roles must alternate") {
		t.Errorf("got %v, want ErrRefused", err)
	}
	if prompt, err := tok.Chat(t.Context(), conversation[1:], ChatOptions{}); err != nil || prompt.Text != "ok" {
		t.Errorf("got %+v, %v", prompt, err)
	}
}

func TestTemplateSources(t *testing.T) {
	const list = `{"chat_template": [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "plain"}]}`
	tools := []json.RawMessage{[]byte("{}")}
	for _, test := range []struct {
		name  string
		files []string
		tools []json.RawMessage
		want  string
	}{
		{"a string", []string{"tokenizer_config.json", `{"chat_template": "one"}`}, nil, "one"},
		{"a list", []string{"tokenizer_config.json", list}, nil, "plain"},
		{"a list, with tools", []string{"tokenizer_config.json", list}, tools, "tools"},
		{"a file comes first", []string{"tokenizer_config.json", list, "chat_template.jinja", "file"}, nil, "file"},
	} {
		tok, err := Open(withFiles(t, test.files...))
		if err != nil {
			t.Fatal(err)
		}
		if prompt, err := tok.Chat(t.Context(), conversation, ChatOptions{Tools: test.tools}); err != nil || prompt.Text != test.want {
			t.Errorf("%s: got %+v, %v, want %q", test.name, prompt, err, test.want)
		}
	}
}

// A template that wants more than its bounds, or what there is not, gives way to a built-in one.
func TestHostileTemplates(t *testing.T) {
	for _, test := range []struct{ name, template, reason string }{
		{"another file", "{% include 'go.mod' %}", `tag "include" is not known`},
		{"endless recursion", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested deeper"},
		{"time", "{% set r = range(9999) %}{% for i in r %}{% for j in r %}{% endfor %}{% endfor %}", "steps"},
		{"memory", "{{ 'x' * 1000000000 }}", "bytes"},
		{"output", "{% for i in range(9999) %}" + strings.Repeat("x", 100) + "{% endfor %}", "bytes of output"},
		{"a long name", "{% set x = " + strings.Repeat("y", 100_000) + " %}{{ x.y }}", "is undefined"},
	} {
		prompt, err := withTemplate(t, test.template).Chat(t.Context(), conversation, ChatOptions{})
		if err != nil || prompt.Fallback == nil || !strings.Contains(prompt.Fallback.Error(), test.reason) {
			t.Errorf("%s: got %v, %v, want a fall-back because of %q", test.name, prompt.Fallback, err, test.reason)
		}
		if prompt.Fallback != nil && len(prompt.Fallback.Error()) > 400 {
			t.Errorf("%s: an error of %d bytes", test.name, len(prompt.Fallback.Error()))
		}
	}
}

// The steps that messages take, however many, are within the bounds.
func TestManyMessages(t *testing.T) {
	messages := make([]Message, 20_000)
	for i := range messages {
		messages[i].Role = []string{"user", "assistant"}[i%2]
	}
	prompt, err := withTemplate(t, thinkingTemplate).Chat(t.Context(), messages, ChatOptions{})
	if err != nil || prompt.Fallback != nil || strings.Count(prompt.Text, "<|im_end|>") != len(messages) {
		t.Errorf("%v, %v, %d turns", err, prompt.Fallback, strings.Count(prompt.Text, "<|im_end|>"))
	}
}

func TestBadToolJSON(t *testing.T) {
	tok := withTemplate(t, "{{ tools }}{{ messages }}")
	for _, raw := range []string{"{", "[1,", `{"a":}`, "1 2", strings.Repeat("[", 1000), `{"a"`} {
		text, err := tok.renderTemplate(t.Context(), "x", conversation, ChatOptions{Tools: []json.RawMessage{[]byte(raw)}})
		if err == nil || !strings.Contains(err.Error(), "tool 0") {
			t.Errorf("tool %q: got %q, %v", raw, text, err)
		}
		call := Message{ToolCalls: []ToolCall{{Name: "f", Arguments: []byte(raw)}}}
		if text, err := tok.renderTemplate(t.Context(), "x", []Message{call}, ChatOptions{}); err == nil || !strings.Contains(err.Error(), "arguments of f") {
			t.Errorf("arguments %q: got %q, %v", raw, text, err)
		}
	}
}

func TestOpenFSOnlyReadsItsFiles(t *testing.T) {
	fsys := fstest.MapFS{"tokenizer.json": {Data: tinyJSON(t)}, "other.json": {Data: []byte("{")}}
	if _, err := Open(fsys); err != nil {
		t.Error(err)
	}
}

func TestRenderingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tok := withTemplate(t, "{% for m in messages %}{{ m.content }}{% endfor %}")
	if _, err := tok.Chat(ctx, conversation, ChatOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the error of the context", err)
	}
}
