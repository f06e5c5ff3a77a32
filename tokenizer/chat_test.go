package tokenizer

import (
	"context"
	"encoding/json"
	"errors"
	"os"
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
	prompt, err := withTemplate(t, "{% macro f() %}{% endmacro %}").Chat(t.Context(), conversation, ChatOptions{})
	if err != nil || prompt.Builtin != "llama3" || prompt.Fallback == nil || !strings.Contains(prompt.Fallback.Error(), "macro") {
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

// TestHostileTemplates runs templates that try to read files, to crash, or to take memory or time.
func TestHostileTemplates(t *testing.T) {
	if err := os.WriteFile(t.TempDir()+"/secret", []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	nested := func(open, inner, end string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	for _, test := range []struct{ name, template, reason string }{
		{"include", "{% include 'go.mod' %}", "include"},
		{"import", "{% import 'go.mod' as x %}", "import"},
		{"from", "{% from 'go.mod' import x %}", "from"},
		{"extends", "{% extends 'go.mod' %}", "extends"},
		{"endless recursion", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "macro"},
		{"endless recursive loop", "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "recursive"},
		{"division by zero", "{{ 1 % 0 }}", "divide by zero"},
		{"repetition", "{{ 'x' * 1000000000 }}", "operator *"},
		{"power", "{{ 9 ** 99 }}", "operator **"},
		{"endless range", "{% for i in range(1000000000) %}{% endfor %}", "range of more"},
		{"endless range of step 0", "{% for i in range(0, 9, 0) %}{% endfor %}", "step 0"},
		{"doubling", strings.Repeat("{% set x = (x or 'xxxxxxxxxxxxxxxx') ~ (x or 'x') %}", 60), "value too large"},
		{"doubling in a loop", "{% set ns = namespace(x='xx') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}", "value too large"},
		{"doubling of a list", strings.Repeat("{% set x = (x or [1]) + (x or [1]) %}", 60), "value too large"},
		{"nested doubling", strings.Repeat("{% set x = [x, x] %}", 60) + "{{ x }}", "value too large"},
		{"nesting", "{% set ns = namespace(x=[]) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}", "too deep"},
		{"a namespace in itself", "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}", "namespace within"},
		{"a namespace in its list", "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}", "namespace within"},
		{"a message in itself", "{% set m = messages[0] %}{% set m.Pairs = [m] %}{{ m }}", "no namespace"},
		{"an item set", "{% set messages[0] = messages %}", "only {% set"},
		{"a block set", "{% set x %}{% endset %}", "only {% set"},
		{"replace", "{{ ('x' * 9)|replace('x', 'y') }}", "operator *"},
		{"replace in a chain", "{{ 'xxxxxxxxxxxxxxxx'" + strings.Repeat("|replace('x', 'xxxxxxxxxxxxxxxx')", 9) + " }}", "replace: more than"},
		{"join", "{% set s = range(3000)|join(',') %}{{ range(3000)|join(s) }}", "join: more than"},
		{"output", "{% for i in range(3000) %}{% for j in range(3000) %}xxxxxxxx{% endfor %}{% endfor %}", "more output"},
		{"time", "{% for i in range(3000) %}{% for j in range(3000) %}{% if i %}{% endif %}{% endfor %}{% endfor %}", "runs too long"},
		{"parentheses", "{{ " + nested("(", "1", ")", 5000) + " }}", "nested deeper"},
		{"brackets", "{{ " + nested("[", "1", "]", 5000) + " }}", "nested deeper"},
		{"blocks", nested("{% if true %}", "", "{% endif %}", 5000), "nested deeper"},
		{"a long tag", "{{ 1" + strings.Repeat(" + 1", 5000) + " }}", "a tag of more than"},
		{"a long template", strings.Repeat("x", maxTemplate+1), "bytes long"},
		{"indent", "{{ [1]|tojson(indent=1000000000) }}", "indent"},
		{"a stray sign", "{{ 'a'@messages[0].role }}", "cannot read"},
		{"an endless number", "{{ 0.é }}", "cannot read"},
		{"another endless number", "{{ 1.5.é }}", "cannot read"},
		{"unknown function", "{{ open('/etc/passwd') }}", "not callable"},
		{"unknown filter", "{{ 'x'|center(1000000000) }}", "center"},
		{"unknown method", "{{ 'x'.center(1000000000) }}", "center"},
		{"unclosed tag", "{{ 1", "without an end"},
		{"unclosed block", "{% if true %}", "EOF"},
		{"unclosed string", "{{ 'a }}", ""},
		{"wrong bracket", "{{ (1] }}", "delimiters"},
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

func FuzzJinja(f *testing.F) {
	f.Add(thinkingTemplate, "hello", true)
	f.Add("{{ bos_token }}{% for m in messages %}{{ m['content'] | trim }}{% endfor %}", " x ", false)
	f.Add("{% set ns = namespace(a=1) %}{% set ns.a = [ns.a, ns.a] %}{{ ns.a | tojson(indent=2) }}", "", true)
	f.Add("{{ messages[::-1][0].content.split('a', 2)[-1].lstrip('x') }}", "banana", false)
	f.Add("{{ raise_exception('no') }}", "", false)
	f.Add("{{ ((1) }}{% if %}{#", "", false)
	f.Add("{{ 0.é }}", "", false)
	tok := tiny(f)
	f.Fuzz(func(t *testing.T, template, content string, prompt bool) {
		messages := []Message{{Role: "user", Content: content}}
		text, err := tok.renderTemplate(t.Context(), template, messages, ChatOptions{AddGenerationPrompt: prompt})
		if limit := baseSize + sizeFactor*(len(template)+messages[0].size()); len(text) > limit {
			t.Errorf("%d bytes of output from %d of input", len(text), limit)
		}
		if err != nil && text != "" {
			t.Errorf("text %q beside an error", text)
		}
	})
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
