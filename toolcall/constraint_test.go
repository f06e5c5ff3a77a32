package toolcall

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lever-go/lever/grammar"
	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/lever-go/lever/tokenizer"
)

// model is a tokenizer and what is made of it.
type model struct {
	tok        *tokenizer.Tokenizer
	vocabulary *grammar.Vocabulary
	syntax     *Syntax
}

func newModel(t testing.TB, template string, tokens ...string) *model {
	t.Helper()
	m := &model{tok: open(t, template, tokens...)}
	var err error
	if m.vocabulary, err = grammar.NewVocabulary(m.tok.Size(), func(id int32) string { return Spell(m.tok, id) }, m.tok.EOS()); err != nil {
		t.Fatal(err)
	}
	if m.syntax, err = Find(t.Context(), m.tok); err != nil {
		t.Fatal(err)
	}
	return m
}

// models are one of each syntax.
func models(t testing.TB) map[string]*model {
	return map[string]*model{
		"llama":    newModel(t, llama, "<|python_tag|>"),
		"qwen":     newModel(t, qwen, "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "</think>"),
		"hermes":   newModel(t, qwen, "<|im_start|>", "<|im_end|>"),
		"mistral":  newModel(t, mistral, "[TOOL_CALLS]", "[/INST]"),
		"named":    newModel(t, named, "[TOOL_CALLS]", "[/INST]", "[ARGS]"),
		"harmony":  newModel(t, harmony, harmonyTokens...),
		"pythonic": newModel(t, pythonic),
		"tagged":   newModel(t, tagged, "<|im_start|>", "<|im_end|>", "<|tool_call_start|>", "<|tool_call_end|>"),
		"coder":    newModel(t, coder, "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "</think>"),
		"keys":     newModel(t, keys, "<|im_start|>", "<|im_end|>"),
		"invoke":   newModel(t, invoke, "<|im_start|>", "<|im_end|>"),
		"phi":      newModel(t, phi, "<|tool_call|>", "<|/tool_call|>", "<|end|>", "<|assistant|>"),
	}
}

var weather = []Tool{
	{Name: "get_weather", Parameters: json.RawMessage(`{"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}, "days": {"type": "integer", "minimum": 1, "maximum": 7}}, "required": ["city"], "additionalProperties": false}`)},
	{Name: "get_time"},
	{Name: "note", Parameters: json.RawMessage(`{"properties": {"text": {"type": "string"}}, "required": ["text"]}`)},
	{Name: "stop", Parameters: json.RawMessage(`{"properties": {"now": {"type": "boolean"}}, "required": ["now"], "additionalProperties": false}`)},
}

func (m *model) grammar(t testing.TB, tools []Tool, choice Choice) *Grammar {
	t.Helper()
	g, err := m.syntax.Grammar(t.Context(), m.vocabulary, tools, choice)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// said is what an answer comes to.
type said struct {
	text  string
	calls []tokenizer.ToolCall
}

// read has a stream read tokens, and checks that the deltas add up to the calls.
func read(t testing.TB, g *Grammar, prompt string, tokens []int32) said {
	t.Helper()
	s := g.Stream(prompt)
	var text strings.Builder
	var calls []tokenizer.ToolCall
	take := func() {
		for _, d := range s.Deltas() {
			if d.ID != "" {
				calls = append(calls, tokenizer.ToolCall{ID: d.ID, Name: d.Name})
			}
			if d.Index != len(calls)-1 || (d.ID == "") != (d.Name == "") {
				t.Fatalf("delta %+v after %d calls", d, len(calls))
			}
			calls[d.Index].Arguments = append(calls[d.Index].Arguments, d.Arguments...)
		}
	}
	for _, token := range tokens {
		if !slices.Contains(g.end, token) {
			text.WriteString(s.Next(token))
			take()
		}
	}
	text.WriteString(s.Flush())
	take()
	for i, call := range s.Calls() {
		if i >= len(calls) || call.Name != calls[i].Name || call.ID != calls[i].ID || string(call.Arguments) != string(calls[i].Arguments) {
			t.Fatalf("deltas make %+v, the calls are %+v", calls, s.Calls())
		}
	}
	return said{text.String(), s.Calls()}
}

// encode returns the tokens of a spelled text.
func (m *model) encode(spelled string) []int32 {
	return m.tok.Encode(strings.ReplaceAll(spelled, control, ""), tokenizer.EncodeOptions{ParseSpecial: true})
}

// follow has a text written, token by token, the longest that is allowed first, and returns the tokens; ok is whether all of it is allowed.
func (m *model) follow(c *Constraint, spelled string, end bool) (tokens []int32, ok bool) {
	state := 0
	for spelled != "" {
		allowed, next := c.Allowed(state), int32(-1)
		for token := range int32(m.tok.Size()) {
			text := Spell(m.tok, token)
			if text != "" && has(allowed, token) && strings.HasPrefix(spelled, text) && (next < 0 || len(text) > len(Spell(m.tok, next))) {
				next = token
			}
		}
		if next < 0 {
			return tokens, false
		}
		tokens, spelled = append(tokens, next), spelled[len(Spell(m.tok, next)):]
		state = c.Next(state, next)
	}
	return tokens, !end || c.Next(state, m.tok.EOS()[0]) >= 0
}

func TestAnswers(t *testing.T) {
	all := models(t)
	const city = `{"city": "Rome", "days": 3}`
	const think = "\xFF<|channel|>analysis\xFF<|message|>Hm.\xFF<|end|>\xFF<|start|>assistant"
	const callOf, withJSON = "\xFF<|channel|>commentary to=functions.", " \xFF<|constrain|>json\xFF<|message|>"
	for _, c := range []struct {
		model, prompt, text string
		choice              Choice
		want                string // the text, and what is called; "no" if it is not allowed
	}{
		{"qwen", "", "It is <b>late</b>.", Choice{}, "It is <b>late</b>."},
		{"qwen", "", "One moment.\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": " + city + "}\n</tool_call>", Choice{}, "One moment. get_weather" + city},
		{"qwen", "", "<tool_call>\n{\"name\": \"get_time\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{\"name\": \"stop\", \"arguments\": {\"now\": true}}\n</tool_call>", Choice{}, ` get_time{} stop{"now": true}`},
		{"qwen", "", "<tool_call>\n{\"name\": \"get_time\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{\"name\": \"stop\", \"arguments\": {\"now\": true}}\n</tool_call>", Choice{Single: true}, "no"},
		{"qwen", "", "<think>\n<tool_call> or not?\n</think>\n\n<tool_call>\n{\"name\": \"get_time\", \"arguments\": {}}\n</tool_call>", Choice{}, "<think>\n<tool_call> or not?\n</think> get_time{}"},
		{"qwen", "", "<think>\nhm\n</think>\n\n<tool_call>\n{\"name\": \"get_time\", \"arguments\": {}}\n</tool_call>", Choice{Required: true}, "<think>\nhm\n</think> get_time{}"},
		{"qwen", "assistant\n<think>\n", "<tool_call>\n</think>\n\n<tool_call>\n{\"name\": \"get_time\", \"arguments\": {}}\n</tool_call>", Choice{Required: true}, "<tool_call>\n</think> get_time{}"},
		{"qwen", "<think>\n\n</think>\n\n", "<tool_call>\n{\"name\": \"get_time\", \"arguments\": {}}\n</tool_call>", Choice{Required: true}, " get_time{}"},
		{"qwen", "", "<tool_call>\n{\"name\": \"get_time\", \"arguments\": {}}\n</tool_call>", Choice{Name: "stop"}, "no"},
		{"qwen", "", "<tool_call>\n{\"name\": \"other\"", Choice{}, "no"},
		{"qwen", "", "No.", Choice{Required: true}, "no"},
		{"qwen", "", "<tool_call>\n{\"name\": \"get_time\", \"arguments\": {}}\n</tool_call>. And", Choice{}, "no"},
		{"hermes", "", "a <tool_calls> b <tool_call", Choice{}, "a <tool_calls> b <tool_call"},
		{"hermes", "", "a<tool_call>\n{\"name\": \"stop\", \"arguments\": {\"now\": false}}\n</tool_call>", Choice{}, `a stop{"now": false}`},
		{"llama", "", `{"name": "get_weather", "parameters": ` + city + "}", Choice{}, " get_weather" + city},
		{"llama", "", "\xFF<|python_tag|>" + `{"name": "get_time", "parameters": {}}`, Choice{}, " get_time{}"},
		{"llama", "", `{"name": "Ann"}`, Choice{}, "no"},
		{"llama", "", `{"named": "Ann"}`, Choice{}, `{"named": "Ann"}`},
		{"llama", "", `{"age": 3}`, Choice{}, `{"age": 3}`},
		{"llama", "", `It is {"name": "Ann"}`, Choice{}, `It is {"name": "Ann"}`},
		{"llama", "", "\n{\"name\": \"get_time\", \"parameters\": {}}", Choice{}, " get_time{}"},
		{"mistral", "", "\xFF[TOOL_CALLS]" + `[{"name": "get_time", "arguments": {}}, {"name": "stop", "arguments": {"now": true}}]`, Choice{}, ` get_time{} stop{"now": true}`},
		{"named", "", "So: \xFF[TOOL_CALLS]get_weather\xFF[ARGS]" + `{"city": "\"}{"}` + "\xFF[TOOL_CALLS]get_time\xFF[ARGS]{}", Choice{Required: false}, `So: get_weather{"city": "\"}{"} get_time{}`},
		{"named", "", "So \xE2\xFF[TOOL_CALLS]get_time\xFF[ARGS]{}", Choice{}, "So \uFFFD get_time{}"},
		{"harmony", "", "\xFF<|channel|>commentary\xFF<|message|>I \xE2\xFF<|end|>\xFF<|start|>assistant" + callOf + "get_time" + withJSON + "{}", Choice{}, "I \uFFFD get_time{}"},
		{"harmony", "", think + "\xFF<|channel|>final\xFF<|message|>It is late.", Choice{}, "<think>\nHm.\n</think>\n\nIt is late."},
		{"harmony", "", "\xFF<|channel|>final\xFF<|message|>It is late.", Choice{}, "It is late."},
		{"harmony", "", think + "\xFF<|channel|>analysis\xFF<|message|>Well.\xFF<|end|>\xFF<|start|>assistant\xFF<|channel|>final\xFF<|message|>So.", Choice{}, "<think>\nHm.\n\nWell.\n</think>\n\nSo."},
		{"harmony", "", think + callOf + "get_weather" + withJSON + city, Choice{}, "<think>\nHm.\n</think>\n\n get_weather" + city},
		{"harmony", "", think + callOf + "get_time" + withJSON + "{}", Choice{Required: true}, "<think>\nHm.\n</think>\n\n get_time{}"},
		{"harmony", "", callOf + "get_time" + withJSON + "{}", Choice{Required: true}, " get_time{}"},
		{"harmony", "", "\xFF<|channel|>commentary\xFF<|message|>I look.\xFF<|end|>\xFF<|start|>assistant" + callOf + "stop" + withJSON + `{"now": true}`, Choice{}, `I look. stop{"now": true}`},
		{"harmony", "<|channel|>final<|message|>", "It is late.", Choice{}, "It is late."},
		{"harmony", "", callOf + "other" + withJSON + "{}", Choice{}, "no"},
		{"harmony", "", callOf + "get_time" + withJSON + "{}", Choice{Name: "stop"}, "no"},
		{"harmony", "", think + "\xFF<|channel|>final\xFF<|message|>It is late.", Choice{Required: true}, "no"},
		{"harmony", "", "It is late.", Choice{}, "no"},
		{"harmony", "", think + "It is late.", Choice{}, "no"},
		{"harmony", "", "\xFF<|channel|>other\xFF<|message|>", Choice{}, "no"},
		{"phi", "", "\xFF<|tool_call|>" + `{"name": "get_time", "arguments": {}}` + "\xFF<|/tool_call|>", Choice{Name: "get_time", Required: true}, " get_time{}"},
		{"pythonic", "", `[get_weather(city="Rome", days=3)]`, Choice{}, " get_weather" + city},
		{"pythonic", "", `[get_weather(city="R\"(\u00e9"), get_time(), stop(now=False)]`, Choice{}, ` get_weather{"city": "R\"(\u00e9"} get_time{} stop{"now": false}`},
		{"pythonic", "", `[get_weather(days=3)]`, Choice{}, "no"},
		{"pythonic", "", `[get_weather(city="Rome", days=8)]`, Choice{}, "no"},
		{"pythonic", "", `[get_weather(city="Rome",`, Choice{Required: true}, "no"},
		{"pythonic", "", `[get_weather is a function]`, Choice{}, `[get_weather is a function]`},
		{"pythonic", "", `[get_tim](x) and [get_time()]`, Choice{}, `[get_tim](x) and [get_time()]`},
		{"tagged", "", "So: \xFF<|tool_call_start|>[stop(now=True)]\xFF<|tool_call_end|>", Choice{}, `So: stop{"now": true}`},
		{"coder", "", "I look.\n<tool_call>\n<function=get_weather>\n<parameter=city>\nRome\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>", Choice{}, "I look. get_weather" + city},
		{"coder", "", "<tool_call>\n<function=get_weather>\n<parameter=city>\n\n</\"<b\\\n</parameter>\n</function>\n</tool_call>", Choice{}, ` get_weather{"city": "\n</\"<b\\"}`},
		{"coder", "", "<tool_call>\n<function=get_time>\n</function>\n</tool_call>\n<tool_call>\n<function=stop>\n<parameter=now>\nfalse\n</parameter>\n</function>\n</tool_call>", Choice{}, ` get_time{} stop{"now": false}`},
		{"coder", "", "<tool_call>\n<function=get_weather>\n<parameter=days>\n3\n</parameter>\n</function>", Choice{}, "no"},
		{"coder", "", "<tool_call>\n<function=get_weather>\n<parameter=city>\nRomeRomeRome\n</parameter>", Choice{}, "no"},
		{"coder", "", "<think>\n<tool_call>\n</think>\n\n<tool_call>\n<function=get_time>\n</function>\n</tool_call>", Choice{Required: true}, "<think>\n<tool_call>\n</think> get_time{}"},
		{"keys", "", "\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Rome</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>", Choice{}, " get_weather" + city},
		{"keys", "", "<tool_call>get_time\n</tool_call>\n<tool_call>get_time\n</tool_call>", Choice{}, " get_time{} get_time{}"},
		{"invoke", "", "<calls>\n<invoke name=\"get_weather\">\n<parameter name=\"city\">Rome</parameter>\n<parameter name=\"days\">3</parameter>\n</invoke>\n<invoke name=\"get_time\">\n</invoke>\n</calls>", Choice{}, " get_weather" + city + " get_time{}"},
	} {
		m := all[c.model]
		g := m.grammar(t, weather, c.choice)
		written, ok := m.follow(g.Constraint(t.Context(), c.prompt), c.text, true)
		if ok != (c.want != "no") {
			t.Errorf("%s: %q, %+v: allowed up to %q", c.model, c.text, c.choice, m.tok.Decode(written))
		}
		if c.want == "no" {
			continue
		}
		bytewise := make([]int32, 0, len(c.text))
		for i := range len(c.text) {
			bytewise = append(bytewise, m.tok.Encode(c.text[i:i+1], tokenizer.EncodeOptions{})...)
		}
		if strings.Contains(c.text, control) {
			bytewise = written
		}
		// The text may be cut into tokens in any way.
		for _, tokens := range [][]int32{written, m.encode(c.text), bytewise} {
			got := read(t, g, c.prompt, tokens)
			text := got.text
			for _, call := range got.calls {
				text += " " + call.Name + string(call.Arguments)
			}
			if text != c.want {
				t.Errorf("%s: %q: got %q, want %q", c.model, c.text, text, c.want)
			}
		}
	}
}

// The mask of a state is what each token says, in free text and in calls; and every answer comes to an end in which all calls are whole.
func TestMaskIsWhatEachTokenSays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := models(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		for _, choice := range []Choice{{}, {Required: true}, {Single: true, Name: "get_weather"}, {Required: true, Single: true, Name: "note"}} {
			g := m.grammar(t, weather, choice)
			c := g.Constraint(t.Context(), "")
			var tokens []int32
			state, opened := 0, m.encode(m.syntax.opens[0])
			for len(tokens) < 200 {
				allowed := slices.Clone(c.Allowed(state))
				var can []int32
				for token := range int32(m.tok.Size()) {
					if has(allowed, token) {
						can = append(can, token)
					}
					if len(tokens)%8 == 0 && (c.Next(state, token) >= 0) != has(allowed, token) {
						t.Fatalf("%s, %+v: after %q token %q: %v", name, choice, m.tok.Decode(tokens), m.tok.Token(token), has(allowed, token))
					}
				}
				next := can[random.IntN(len(can))]
				if len(tokens) >= 2 && len(tokens) < 2+len(opened) && has(allowed, opened[len(tokens)-2]) {
					next = opened[len(tokens)-2]
				}
				if end := g.end[0]; len(tokens) > 30 && has(allowed, end) {
					next = end
				}
				tokens = append(tokens, next)
				if state = c.Next(state, next); slices.Contains(g.end, next) {
					break
				}
			}
			if err := c.Err(); err != nil {
				t.Fatal(err)
			}
			for _, call := range read(t, g, "", tokens).calls {
				if !json.Valid(call.Arguments) {
					t.Errorf("%s: %q", name, call.Arguments)
				}
			}
		}
	}
}

// checker validates the arguments of calls with the package jsonschema of Python.
const checker = `
import json, sys
import jsonschema
for line in sys.stdin:
    case = json.loads(line)
    jsonschema.Draft202012Validator(case["schema"]).validate(json.loads(case["arguments"]))
print("checked")
`

// schema returns a random schema of arguments, which come to an end soon.
func schema(r *rand.Rand, depth int) map[string]any {
	properties := map[string]any{}
	var required []string
	for i := range r.IntN(4) {
		name := string(rune('a'+i)) + strconv.Itoa(r.IntN(100))
		var value map[string]any
		switch kind := r.IntN(7); {
		case kind == 0:
			value = map[string]any{"type": "boolean"}
		case kind == 1:
			value = map[string]any{"type": "integer", "minimum": -r.IntN(30), "maximum": r.IntN(300)}
		case kind == 2:
			value = map[string]any{"enum": []any{"x" + strconv.Itoa(r.IntN(9)), "xyz", 3, nil}}
		case kind == 3:
			value = map[string]any{"type": "string", "maxLength": r.IntN(9), "description": "A text."}
		case kind == 4:
			value = map[string]any{"type": "array", "items": map[string]any{"type": []string{"boolean", "null"}}, "maxItems": r.IntN(3)}
		case kind == 5:
			value = map[string]any{"anyOf": []any{map[string]any{"const": "unit"}, map[string]any{"type": "string", "pattern": "^[a-f]{2}$"}}}
		case depth > 0:
			value = schema(r, depth-1)
		default:
			value = map[string]any{"type": "number", "exclusiveMinimum": 0, "maximum": 9}
		}
		properties[name] = value
		if r.IntN(3) > 0 {
			required = append(required, name)
		}
	}
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		s["required"] = required
	}
	return s
}

// Calls of random tools are the same in trees as by plain decoding, greedy and sampled, and their arguments satisfy the schemas, as another
// implementation sees it.
func TestRandomToolsInTrees(t *testing.T) {
	all := models(t)
	r := rand.New(rand.NewPCG(3, 4))
	var cases bytes.Buffer
	forced, tokens, passes, fewer := 0, 0, 0, 0
	const schemas = 200
	for i := range schemas {
		var tools []Tool
		schemas := map[string]json.RawMessage{}
		for n := range 1 + r.IntN(3) {
			raw, err := json.Marshal(schema(r, 1))
			if err != nil {
				t.Fatal(err)
			}
			name := "f" + strconv.Itoa(r.IntN(9)) + strconv.Itoa(n)
			tools = append(tools, Tool{Name: name, Parameters: raw, Strict: true})
			schemas[name] = raw
		}
		syntaxes := []string{"llama", "qwen"}
		if i%4 == 0 {
			syntaxes = append(syntaxes, "pythonic", "coder", "keys")
		}
		for _, name := range syntaxes {
			m := all[name]
			g := m.grammar(t, tools, Choice{Required: true, Single: true})
			request := spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 300, StopTokens: m.tok.EOS()}
			if i%2 == 1 {
				request.Sampling = sampling.Options{Temperature: 1, Seed: uint64(i)}
			}
			target := spectest.NewHashModel(uint64(i), m.tok.Size(), 400)
			generate := func(o spec.Options) spec.Result {
				request.Constraint = g.Constraint(context.Background(), thinkEnd)
				return spectest.Generate(t, o, request, nil)
			}
			plain := generate(spec.Options{Target: target})
			if i%8 == 0 { // what trees do does not depend on the schema
				chain, err := baseline.NewChain(4, 0)
				if err != nil {
					t.Fatal(err)
				}
				got := generate(spec.Options{Target: target, Draft: spectest.NewHashModel(uint64(i), m.tok.Size(), 400), Policy: chain})
				if !slices.Equal(got.Tokens, plain.Tokens) {
					t.Errorf("%s: %v\nwant %v", name, got.Tokens, plain.Tokens)
				}
				passes, fewer = passes+plain.Stats.Passes, fewer+got.Stats.Passes
			}
			forced, tokens = forced+plain.Stats.Forced, tokens+len(plain.Tokens)
			answer := read(t, g, thinkEnd, plain.Tokens)
			if answer.text != "" || len(answer.calls) != 1 || plain.Finish != spec.FinishStop {
				t.Fatalf("%s: %q and %d calls, %s", name, answer.text, len(answer.calls), plain.Finish)
			}
			call := answer.calls[0]
			if err := json.NewEncoder(&cases).Encode(map[string]any{"schema": schemas[call.Name], "arguments": string(call.Arguments)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d tokens of %d were forced; in trees %d passes of %d were left", forced, tokens, fewer, passes)
	if 2*forced < tokens || 2*fewer > passes {
		t.Errorf("only %d tokens of %d were forced; in trees %d passes of %d were left", forced, tokens, fewer, passes)
	}
	const interpreter = "/usr/bin/python3"
	if err := exec.Command(interpreter, "-c", "import jsonschema").Run(); err != nil {
		t.Skipf("%s has no package jsonschema: %v", interpreter, err)
	}
	command := exec.Command(interpreter, "-W", "ignore", "-c", checker)
	command.Stdin = &cases
	if out, err := command.CombinedOutput(); err != nil || string(out) != "checked\n" {
		t.Fatalf("%v: %s", err, out)
	}
}

// What is wrong with tools is told, and what can't be enforced is refused of strict ones only.
func TestToolsThatAreRefused(t *testing.T) {
	m := newModel(t, llama)
	contains := json.RawMessage(`{"type": "object", "properties": {"a": {"type": "array", "contains": {"const": 3}}}, "required": ["a"]}`)
	for _, c := range []struct {
		tools  []Tool
		choice Choice
		want   string
	}{
		{nil, Choice{}, "no tools"},
		{[]Tool{{Name: ""}}, Choice{}, `name "" is not`},
		{[]Tool{{Name: "a b"}}, Choice{}, `name "a b" is not`},
		{[]Tool{{Name: "a"}, {Name: "a"}}, Choice{}, "another one of the name a"},
		{[]Tool{{Name: "a"}}, Choice{Name: "b"}, `no tool of the name "b"`},
		{[]Tool{{Name: "a", Parameters: json.RawMessage(`3`)}}, Choice{}, "tool a: the schema of the parameters is not a JSON object"},
		{[]Tool{{Name: "a", Parameters: json.RawMessage(`{"type": "string"}`)}}, Choice{}, `tool a: the parameters have type "string"`},
		{[]Tool{{Name: "a"}, {Name: "b", Parameters: contains, Strict: true}}, Choice{}, "tool b: grammar: schema: "},
	} {
		if _, err := m.syntax.Grammar(t.Context(), m.vocabulary, c.tools, c.choice); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.tools, err, c.want)
		}
	}
	g := m.grammar(t, []Tool{{Name: "b", Parameters: contains}}, Choice{})
	if _, ok := m.follow(g.Constraint(t.Context(), ""), `{"name": "b", "parameters": {"x": [1, {}]}}`, true); !ok {
		t.Error("the arguments of a tool that is not strict can't be any object")
	}
}

// A constraint whose context is done says so, and goes on allowing something.
func TestConstraintEndsWithItsContext(t *testing.T) {
	m := newModel(t, llama)
	ctx, cancel := context.WithCancel(t.Context())
	c := m.grammar(t, weather, Choice{Required: true}).Constraint(ctx, "")
	cancel()
	if mask := c.Allowed(0); c.Err() == nil || !has(mask, m.tok.EOS()[0]) {
		t.Errorf("%v", c.Err())
	}
}
