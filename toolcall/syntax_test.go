package toolcall

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lever-go/lever/grammar"
	"github.com/lever-go/lever/tokenizer"
)

// open returns the demo models' tokenizer with some more added tokens and a chat template. Those of calls and thoughts without a
// bar in them are tokens of the text, the others control tokens.
func open(t testing.TB, template string, tokens ...string) *tokenizer.Tokenizer {
	t.Helper()
	const dir = "../internal/demo/stores/target.lever/"
	raw, err := os.ReadFile(dir + "tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]json.RawMessage
	var list []map[string]any
	if err := errors.Join(json.Unmarshal(raw, &doc), json.Unmarshal(doc["added_tokens"], &list)); err != nil {
		t.Fatal(err)
	}
	for i, token := range tokens {
		list = append(list, map[string]any{
			"id": 4096 + i, "content": token, "special": !strings.HasSuffix(token, "tool_call>") && !strings.HasSuffix(token, "think>") || strings.Contains(token, "|"),
			"single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
		})
	}
	doc["added_tokens"], err = json.Marshal(list)
	if err == nil {
		raw, err = json.Marshal(doc)
	}
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Open(fstest.MapFS{"tokenizer.json": {Data: raw}})
	if err != nil {
		t.Fatal(err)
	}
	return tok.WithTemplate(template)
}

// Templates that write calls as those of the families do.
const (
	// llama has no tag, and takes one call.
	llama = `{{- bos_token }}{% for m in messages %}{% set role = 'ipython' if m.role == 'tool' else m.role %}<|start_header_id|>{{ role }}<|end_header_id|>

{% if loop.first and tools %}Functions: {% for t in tools %}{{ t | tojson }}
{% endfor %}{% endif %}{% if m.tool_calls %}{% if m.tool_calls | length > 1 %}{{ raise_exception('one call at a time') }}{% endif %}{% set f = m.tool_calls[0].function %}{"name": "{{ f.name }}", "parameters": {{ f.arguments | tojson }}}{% else %}{{ m.content }}{% endif %}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}`

	// qwen has a tag that is a token of the text, and thinks.
	qwen = `{% if tools %}<|im_start|>system
{% for t in tools %}{{ t | tojson }}
{% endfor %}<|im_end|>
{% endif %}{% for m in messages %}<|im_start|>{{ 'user' if m.role == 'tool' else m.role }}
{{ m.content }}{% for c in m.tool_calls %}{% if not loop.first or m.content %}{{ '\n' }}{% endif %}<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is defined and not enable_thinking %}<think>

</think>

{% endif %}{% endif %}`

	// mistral has a control token before a list, whose calls have ids.
	mistral = `{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{% if tools %}{{ tools | tojson }}{% endif %}{{ m.content }}[/INST]{% elif m.tool_calls %}[TOOL_CALLS][{% for c in m.tool_calls %}{% if c.id | length != 9 %}{{ raise_exception('ids have nine characters') }}{% endif %}{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}, "id": "{{ c.id }}"}{% if not loop.last %}, {% endif %}{% endfor %}]<|eot_id|>{% else %}{{ m.content }}<|eot_id|>{% endif %}{% endfor %}`

	// named is as later models of Mistral do: control tokens around the name.
	named = `{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{% if tools %}{{ tools | tojson }}{% endif %}{{ m.content }}[/INST]{% elif m.tool_calls %}{% for c in m.tool_calls %}[TOOL_CALLS]{{ c.function.name }}[ARGS]{{ c.function.arguments | tojson }}{% endfor %}<|eot_id|>{% else %}{{ m.content }}<|eot_id|>{% endif %}{% endfor %}`

	// harmony has channels; calls in conversations name the function before the channel, others in the channel's name.
	harmony = `<|start|>system<|message|>Channels: analysis, commentary, final.<|end|>{% if tools %}<|start|>developer<|message|>{% for t in tools %}type {{ t.function.name }} = (_: {{ t.function.parameters | tojson }}) => any;
{% endfor %}<|end|>{% endif %}{% for m in messages %}{% if m.tool_calls %}{% if m.thinking %}<|start|>assistant<|channel|>analysis<|message|>{{ m.thinking }}<|end|>{% endif %}{% set f = m.tool_calls[0].function %}<|start|>assistant to=functions.{{ f.name }}<|channel|>commentary json<|message|>{{ f.arguments | tojson }}<|call|>{% elif m.role == 'assistant' %}<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|end|>{% elif m.role == 'tool' %}<|start|>functions.any to=assistant<|channel|>commentary<|message|>{{ m.content | tojson }}<|end|>{% else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}`

	// pythonic calls as Python does, in a list, with texts in the wrong quotes, as published templates have them.
	pythonic = `{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>

{% if loop.first and tools %}{{ tools | tojson }}{% endif %}{% if m.tool_calls %}[{% for c in m.tool_calls %}{{ c.function.name }}({% for k in c.function.arguments %}{{ k }}={{ '%sr' | format(c.function.arguments[k]) }}{% if not loop.last %}, {% endif %}{% endfor %}){% if not loop.last %}, {% endif %}{% endfor %}]{% else %}{{ m.content }}{% endif %}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}`

	// tagged calls as Python does, between control tokens.
	tagged = `{% for m in messages %}<|im_start|>{{ m.role }}
{% if loop.first and tools %}{{ tools | tojson }}{% endif %}{{ m.content }}{% if m.tool_calls %}<|tool_call_start|>[{% for c in m.tool_calls %}{{ c.function.name }}({% for k, v in c.function.arguments | items %}{{ k }}={% if v is string %}"{{ v }}"{% else %}{{ v }}{% endif %}{% if not loop.last %}, {% endif %}{% endfor %}){% if not loop.last %}, {% endif %}{% endfor %}]<|tool_call_end|>{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

	// coder has a tag for each argument, as Qwen3-Coder and Qwen3.5 do.
	coder = `{% if tools %}<|im_start|>system
{% for t in tools %}<function><name>{{ t.function.name }}</name>{{ t | tojson }}</function>
{% endfor %}<|im_end|>
{% endif %}{% for m in messages %}<|im_start|>{{ 'user' if m.role == 'tool' else m.role }}
{% if m.role == 'assistant' %}<think>

</think>

{% endif %}{{ m.content }}{% for c in m.tool_calls %}{% if not loop.first or m.content %}{{ '\n' }}{% endif %}<tool_call>
<function={{ c.function.name }}>
{% for k, v in c.function.arguments | items %}<parameter={{ k }}>
{{ v | tojson if v is mapping or (v is sequence and v is not string) else v | string }}
</parameter>
{% endfor %}</function>
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

	// keys has tags for the names of arguments and for their values, as GLM-4.5 does.
	keys = `{% for m in messages %}<|im_start|>{{ m.role }}
{% if loop.first and tools %}{{ tools | tojson }}{% endif %}{{ m.content }}{% for c in m.tool_calls %}{{ '\n' }}<tool_call>{{ c.function.name }}
{% for k, v in c.function.arguments.items() %}<arg_key>{{ k }}</arg_key>
<arg_value>{{ v if v is string else v | tojson }}</arg_value>
{% endfor %}</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant{% endif %}`

	// invoke has attributes, as MiniMax-M2 does.
	invoke = `{% for m in messages %}<|im_start|>{{ m.role }}
{% if loop.first and tools %}{{ tools | tojson }}{% endif %}{{ m.content }}{% if m.tool_calls %}<calls>
{% for c in m.tool_calls %}<invoke name="{{ c.function.name }}">
{% for k, v in c.function.arguments | items %}<parameter name="{{ k }}">{{ v if v is string else v | tojson }}</parameter>
{% endfor %}</invoke>
{% endfor %}</calls>{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

	// phi has a control token behind each call, too.
	phi = `{% for t in tools %}{{ t.function | tojson }}{% endfor %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls %}<|tool_call|>{{ c.function | tojson }}<|/tool_call|>{% endfor %}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}`
)

var harmonyTokens = []string{"<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>"}

// The end of a message in channels is not that of a turn.
func TestEndsOfChannels(t *testing.T) {
	tok := open(t, harmony, harmonyTokens...)
	var ends []string
	for _, id := range tok.EOS() {
		ends = append(ends, tok.Token(id))
	}
	if slices.Contains(ends, "<|end|>") || !slices.Contains(ends, "<|return|>") || !slices.Contains(ends, "<|call|>") {
		t.Errorf("a text ends with any of %q", ends)
	}
	for thinking, want := range map[bool]string{false: "<|start|>assistant", true: "<|start|>assistant<|channel|>final<|message|>"} {
		got, err := tok.Chat(t.Context(), []tokenizer.Message{
			{Role: "user", Content: "Hi"}, {Role: "assistant", Reasoning: "Hm.", ToolCalls: []tokenizer.ToolCall{{Name: "f", Arguments: []byte("{}")}}}, {Role: "tool", Content: "x", Name: "f"},
		}, tokenizer.ChatOptions{AddGenerationPrompt: true, NoThinking: thinking})
		if err != nil || !strings.HasSuffix(got.Text, want) || !strings.Contains(got.Text, "analysis<|message|>Hm.<|end|>") {
			t.Errorf("%v: %q", err, got.Text)
		}
	}
}

func TestFind(t *testing.T) {
	for _, c := range []struct {
		name, template string
		tokens         []string
		want           Syntax
	}{
		{"llama", llama, nil, Syntax{opens: []string{`{"name": "`}, triggers: []string{`{"name"`}, anchored: true, middle: `", "parameters": `, end: "}"}},
		{"llama with a tag for programs", llama, []string{"<|python_tag|>"}, Syntax{
			opens: []string{`{"name": "`, "\xFF<|python_tag|>" + `{"name": "`}, triggers: []string{`{"name"`, "\xFF<|python_tag|>"}, anchored: true, middle: `", "parameters": `, end: "}",
		}},
		{"qwen", qwen, []string{"<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "</think>"}, Syntax{
			opens: []string{"<tool_call>\n{\"name\": \""}, triggers: []string{"<tool_call>"}, middle: `", "arguments": `, between: "}\n</tool_call>\n<tool_call>\n{\"name\": \"", end: "}\n</tool_call>", mayThink: true,
		}},
		{"hermes: the tag is plain text", qwen, []string{"<|im_start|>", "<|im_end|>"}, Syntax{
			opens: []string{"<tool_call>\n{\"name\": \""}, triggers: []string{"<tool_call>"}, middle: `", "arguments": `, between: "}\n</tool_call>\n<tool_call>\n{\"name\": \"", end: "}\n</tool_call>",
		}},
		{"mistral", mistral, []string{"[TOOL_CALLS]", "[/INST]"}, Syntax{
			opens: []string{"\xFF[TOOL_CALLS][{\"name\": \""}, triggers: []string{"\xFF[TOOL_CALLS]"}, middle: `", "arguments": `, between: `}, {"name": "`, end: "}]",
		}},
		{"later ones of Mistral", named, []string{"[TOOL_CALLS]", "[/INST]", "[ARGS]"}, Syntax{
			opens: []string{"\xFF[TOOL_CALLS]"}, triggers: []string{"\xFF[TOOL_CALLS]"}, middle: "\xFF[ARGS]", between: "\xFF[TOOL_CALLS]",
		}},
		{"gpt-oss", harmony, harmonyTokens, Syntax{
			opens: []string{"\xFF<|channel|>commentary to=functions."}, triggers: []string{"\xFF<|channel|>commentary to=functions."}, middle: " \xFF<|constrain|>json\xFF<|message|>", mayThink: true,
		}},
		{"phi", phi, []string{"<|tool_call|>", "<|/tool_call|>", "<|end|>", "<|assistant|>"}, Syntax{
			opens: []string{"\xFF<|tool_call|>{\"name\": \""}, triggers: []string{"\xFF<|tool_call|>"}, middle: `", "arguments": `,
			between: "}\xFF<|/tool_call|>\xFF<|tool_call|>{\"name\": \"", end: "}\xFF<|/tool_call|>",
		}},
		{"pythonic", pythonic, nil, Syntax{
			opens: []string{"["}, anchored: true, middle: "(", between: "), ", end: ")]", parameters: &grammar.Parameters{Equals: "=", Between: ", ", Python: true},
		}},
		{"pythonic with tags", tagged, []string{"<|im_start|>", "<|im_end|>", "<|tool_call_start|>", "<|tool_call_end|>"}, Syntax{
			opens: []string{"\xFF<|tool_call_start|>["}, triggers: []string{"\xFF<|tool_call_start|>"}, middle: "(", between: "), ", end: ")]\xFF<|tool_call_end|>",
			parameters: &grammar.Parameters{Equals: "=", Between: ", ", Python: true},
		}},
		{"coder", coder, []string{"<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"}, Syntax{
			opens: []string{"<tool_call>\n<function="}, triggers: []string{"<tool_call>"}, middle: ">\n<", between: "/function>\n</tool_call>\n<tool_call>\n<function=", end: "/function>\n</tool_call>",
			parameters: &grammar.Parameters{Before: "parameter=", Equals: ">\n", After: "\n</parameter>\n<", Raw: "\n</parameter>"},
		}},
		{"keys", keys, []string{"<|im_start|>", "<|im_end|>"}, Syntax{
			opens: []string{"<tool_call>"}, triggers: []string{"<tool_call>"}, middle: "\n<", between: "/tool_call>\n<tool_call>", end: "/tool_call>",
			parameters: &grammar.Parameters{Before: "arg_key>", Equals: "</arg_key>\n<arg_value>", After: "</arg_value>\n<", Raw: "</arg_value>"},
		}},
		{"invoke", invoke, []string{"<|im_start|>", "<|im_end|>"}, Syntax{
			opens: []string{"<calls>\n<invoke name=\""}, triggers: []string{"<calls>"}, middle: "\">\n<", between: "/invoke>\n<invoke name=\"", end: "/invoke>\n</calls>",
			parameters: &grammar.Parameters{Before: "parameter name=\"", Equals: "\">", After: "</parameter>\n<", Raw: "</parameter>"},
		}},
	} {
		got, err := Find(t.Context(), open(t, c.template, c.tokens...))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if g, w := got.String(), c.want.String(); g != w || got.anchored != c.want.anchored || got.mayThink != c.want.mayThink {
			t.Errorf("%s: %s\nwant %s", c.name, g, w)
		}
	}
}

// Models that know no calls, or write them otherwise, are told so.
func TestFindRefuses(t *testing.T) {
	for name, c := range map[string]struct{ template, want string }{
		"no tools":      {`{% for m in messages %}{{ m.role }}: {{ m.content }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}`, "does not tell the model of tools"},
		"other quotes":  {`{{ tools | tojson }}{% for m in messages %}<|eot_id|>{% for c in m.tool_calls %}{{ c.function.name }}{ {%- for k, v in c.function.arguments | items %}{{ k }}:{% if v is string %}~{{ v }}~{% else %}{{ v }}{% endif %},{% endfor %}}{% endfor %}<|eot_id|>{% endfor %}`, "neither with a JSON object"},
		"no calls":      {`{{ tools | tojson }}{% for m in messages %}{{ m.role }}: {{ m.content }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}`, "neither with a JSON object"},
		"as Python's":   {`{{ tools | tojson }}{% for m in messages %}<|eot_id|>{% for c in m.tool_calls %}[{{ c.function.name }}(probe_argument='first probe')]{% endfor %}<|eot_id|>{% endfor %}`, "neither with a JSON object"},
		"refuses calls": {`{{ tools | tojson }}{% for m in messages %}{% if m.tool_calls %}{{ raise_exception('no') }}{% endif %}<|eot_id|>{% endfor %}`, "can't take calls"},
		"refuses tools": {`{% if tools %}{{ raise_exception('no') }}{% endif %}`, "can't take tools"},
		"nothing opens": {`{{ tools | tojson }}{% for m in messages %}{% if not m.tool_calls %}<|eot_id|>{% endif %}{% for c in m.tool_calls %}{{ c.function.name }}({{ c.function.arguments | tojson }}){% endfor %}<|eot_id|>{% endfor %}`, "nothing before the name"},
		"no end":        {`{{ tools | tojson }}{% for m in messages %}:{% for c in m.tool_calls %}<x>{{ c.function.name }}({{ c.function.arguments | tojson }}){% endfor %}.{% endfor %}`, "no token that ends a turn"},
		"no template":   {`{% include 'x' %}`, "can't take tools"},
		"ids of calls":  {`{{ tools | tojson }}{% for m in messages %}<|eot_id|>{% for c in m.tool_calls %}<x>{{ c.function.name }} {{ c.id }}{{ c.function.arguments | tojson }}{% endfor %}<|eot_id|>{% endfor %}`, "with ids"},
	} {
		_, err := Find(t.Context(), open(t, c.template))
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
