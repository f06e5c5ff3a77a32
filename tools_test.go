package lever_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
)

// toolTemplate is a chat template for the demo models that knows calls.
const toolTemplate = `{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>

{% if loop.first and tools %}{% for t in tools %}{{ t | tojson }}
{% endfor %}{% endif %}{{ m.content }}{% for c in m.tool_calls %}<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}`

// toolTemplates write calls in one syntax each.
var toolTemplates = map[string]string{
	"tagged":   toolTemplate,
	"untagged": strings.NewReplacer("<tool_call>\n", "", "\n</tool_call>", "", `"arguments"`, `"parameters"`).Replace(toolTemplate), // as Llama 3.1 does
	"pythonic": writing(`{% if m.tool_calls %}[{% endif %}`, `{{ c.function.name }}({% for k, v in c.function.arguments | items %}{{ k }}={% if v is string %}"{{ v }}"{% else %}{{ v }}{% endif %}{% if not loop.last %}, {% endif %}{% endfor %}){% if loop.last %}]{% else %}, {% endif %}`),
	"xml": writing("", `<tool_call>
<function={{ c.function.name }}>
{% for k, v in c.function.arguments | items %}<parameter={{ k }}>
{{ v }}
</parameter>
{% endfor %}</function>
</tool_call>`),
}

// writing returns toolTemplate with another syntax.
func writing(before, call string) string {
	begin, rest, _ := strings.Cut(toolTemplate, "{% for c in m.tool_calls %}")
	_, end, _ := strings.Cut(rest, "{% endfor %}")
	return begin + before + "{% for c in m.tool_calls %}" + call + "{% endfor %}" + end
}

func openCaller(t *testing.T) *lever.Engine {
	t.Helper()
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	engine, err := lever.Open(t.Context(), lever.Config{Model: pair.Target, Draft: pair.Draft, ChatTemplate: toolTemplate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	return engine
}

// In trees the calls are those of plain decoding, in fewer passes, and what is emitted is the result.
func TestCallsInTrees(t *testing.T) {
	engine := openCaller(t)
	order := toolcall.Tool{Name: "order_pizza", Parameters: json.RawMessage(`{"type": "object", "properties": {
		"size": {"enum": ["small", "medium", "large"]}, "toppings": {"type": "array", "items": {"enum": ["ham", "olives", "onions"]}, "maxItems": 3},
		"address": {"type": "object", "properties": {"street": {"type": "string", "maxLength": 12}, "number": {"type": "integer", "minimum": 1, "maximum": 999}}, "required": ["street", "number"], "additionalProperties": false}},
		"required": ["size", "toppings", "address"], "additionalProperties": false}`)}
	for _, options := range []sampling.Options{{}, {Temperature: 0.8, Seed: 3}} {
		var parts strings.Builder
		req := lever.Request{
			Prompt: "Order a pizza for Tom.", MaxTokens: 200, Sampling: options, Tools: []toolcall.Tool{order}, ToolChoice: toolcall.Choice{Required: true, Single: true},
			ToolCall: func(d toolcall.Delta) error { parts.WriteString(d.Name + d.Arguments); return nil },
		}
		got, err := engine.Generate(t.Context(), req, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Policy, req.ToolCall = spec.None{}, nil
		plain, err := engine.Generate(t.Context(), req, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.TokenIDs, plain.TokenIDs) || len(got.ToolCalls) != 1 || got.Text != "" || got.Finish != spec.FinishStop {
			t.Fatalf("got %+v\nwant %+v", got, plain)
		}
		call := got.ToolCalls[0]
		if !json.Valid(call.Arguments) || call.Name != "order_pizza" || parts.String() != "order_pizza"+string(call.Arguments) {
			t.Errorf("%s, in parts %s", call.Arguments, parts.String())
		}
		t.Logf("%s: %d tokens, %d of them forced, in %d passes; plain decoding with forced tokens takes %d", call.Arguments, got.Tokens, got.Forced, got.Passes, plain.Passes)
		if 2*got.Passes > got.Tokens || got.Passes > plain.Passes {
			t.Errorf("%d tokens took %d passes; without trees %d", got.Tokens, got.Passes, plain.Passes)
		}
	}
	// Free text with tools is what it is without the constraint, as long as no call opens.
	req := lever.Request{Prompt: "Tom has 3 apples.", MaxTokens: 24, Tools: []toolcall.Tool{order}}
	tokens, err := engine.Encode(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	got, err := engine.Generate(t.Context(), req, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := engine.Generate(t.Context(), lever.Request{Tokens: tokens, MaxTokens: 24}, nil)
	if err != nil || !slices.Equal(got.TokenIDs, want.TokenIDs) {
		t.Errorf("%v: got %q, want %q", err, got.Text, want.Text)
	}
}

func TestConverse(t *testing.T) {
	engine := openCaller(t)
	type arguments struct {
		City string `json:"city" jsonschema:"where"`
		Days int    `json:"days,omitempty"`
	}
	fail, called := errors.New("no weather today"), 0
	var result error
	weather, err := lever.NewFunction("get_weather", "The weather of the next days.", func(_ context.Context, in arguments) (map[string]int, error) {
		called++
		return map[string]int{"degrees": 20}, result
	})
	if err != nil {
		t.Fatal(err)
	}
	if schema := string(weather.Tool.Parameters); !strings.Contains(schema, `"required":["city"]`) || !strings.Contains(schema, `"where"`) {
		t.Errorf("schema %s", schema)
	}
	weather.Tool.Parameters = json.RawMessage(`{"type": "object", "properties": {"city": {"enum": ["Rome"]}}, "required": ["city"], "additionalProperties": false}`)
	for _, c := range []struct {
		err  error
		told string
	}{{nil, `{"degrees":20}`}, {fail, "error: no weather today"}} {
		result = c.err
		req := lever.Request{Prompt: "How warm is it?", MaxTokens: 60, ToolChoice: toolcall.Choice{Required: true, Single: true}}
		messages, got, err := engine.Converse(t.Context(), req, []lever.Function{weather}, nil)
		if err != nil && !errors.Is(err, lever.ErrTurns) {
			t.Fatal(err)
		}
		if len(messages) < 4 || messages[1].ToolCalls[0].Name != "get_weather" || messages[2].Role != "tool" || messages[2].Content != c.told || messages[2].ToolCallID != messages[1].ToolCalls[0].ID {
			t.Errorf("%+v, %+v", messages, got)
		}
	}
	if called < 2 {
		t.Errorf("called %d times", called)
	}
	if _, err := lever.NewFunction("f", "", func(context.Context, func()) (string, error) { return "", nil }); err == nil {
		t.Error("a function of functions has a schema")
	}
	if _, _, err := engine.Converse(t.Context(), lever.Request{Prompt: "Hello."}, []lever.Function{{Tool: weather.Tool}}, nil); err == nil {
		t.Error("a function without Call: no error")
	}
	if _, err := engine.Generate(t.Context(), lever.Request{Prompt: "Hello.", ToolChoice: toolcall.Choice{Required: true}}, nil); err == nil {
		t.Error("a call that is required without tools: no error")
	}
	_, _, err = engine.Converse(t.Context(), lever.Request{Messages: []tokenizer.Message{}}, []lever.Function{weather}, nil)
	if !errors.Is(err, spec.ErrEmptyPrompt) {
		t.Errorf("no prompt: %v", err)
	}
}
