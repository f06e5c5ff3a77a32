package toolcall

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lever-go/lever/grammar"
)

// Schemas whose arguments are written one by one: which texts are allowed, and what they come to.
func TestArgumentsOneByOne(t *testing.T) {
	all := models(t)
	const open, end = "<tool_call>\n<function=f>\n", "</function>\n</tool_call>"
	parameter := func(name, value string) string {
		return "<parameter=" + name + ">\n" + value + "\n</parameter>\n"
	}
	for _, c := range []struct{ model, schema, text, want string }{
		{"coder", `{"properties": {"a": {"type": "string"}}}`, open + parameter("a", "3") + end, `{"a": "3"}`},
		{"coder", `{"properties": {"a": {"type": ["string", "null"]}}}`, open + parameter("a", "null") + end, `{"a": "null"}`},
		{"coder", `{"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}}`, open + parameter("a", "x\ny") + end, `{"a": "x\ny"}`},
		{"coder", `{"properties": {"a": {"enum": ["red", "green", 3]}}}`, open + parameter("a", "red") + end, `{"a": "red"}`},
		{"coder", `{"properties": {"a": {"enum": ["red", "green", 3]}}}`, open + parameter("a", "blue") + end, ""},
		{"coder", `{"properties": {"a": {"type": "string", "pattern": "^[a-c]+$"}}}`, open + parameter("a", "abc") + end, `{"a": "abc"}`},
		{"coder", `{"properties": {"a": {"type": "string", "pattern": "^[a-c]+$"}}}`, open + parameter("a", "abd") + end, ""},
		{"coder", `{"properties": {"a": {"type": "string", "minLength": 2}}}`, open + parameter("a", "a") + end, ""},
		{"coder", `{"properties": {"a": {"type": "string", "maxLength": 2000}}}`, open + parameter("a", "<b>") + end, `{"a": "<b>"}`},
		{"coder", `{"properties": {"a": {"type": "string", "maxLength": 2000}}}`, open + parameter("a", "a\nb") + end, ""},
		{"coder", `{"properties": {"a": {}}}`, open + parameter("a", `["x", {"y": null}]`) + end, `{"a": ["x", {"y": null}]}`},
		{"coder", `{"properties": {"a": {"type": "array", "items": {"type": "string"}}}}`, open + parameter("a", `["</function>\n"]`) + end, `{"a": ["</function>\n"]}`},
		{"coder", `{"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "boolean"}}}`, open + parameter("a", "true") + end, `{"a": true}`},
		{"coder", `{"properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["b"]}`, open + parameter("b", "1") + end, `{"b": 1}`},
		{"coder", `{"properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["b"]}`, open + parameter("b", "1") + parameter("a", "x") + end, ""},
		{"coder", `{"properties": {"a": {"type": "string"}}, "additionalProperties": true}`, open + parameter("c", "1") + end, ""},
		{"coder", `{"properties": {"a": {"type": "array", "contains": {"const": 3}}, "b": {"type": "string"}}, "required": ["a"]}`, open + parameter("a", "[1]") + parameter("b", "y") + end, `{"a": [1], "b": "y"}`},
		{"pythonic", `{"properties": {"a": {"type": "array"}, "b": {"type": "number"}, "c": {"type": "string"}}}`, `[f(a=[None, {"x": True}, "True)"], b=-1.5e3, c="\"\\")]`, `{"a": [null, {"x": true}, "True)"], "b": -1.5e3, "c": "\"\\"}`},
		{"pythonic", `{"properties": {"a": {"enum": [null, true, "None"]}}}`, `[f(a=None)]`, `{"a": null}`},
		{"pythonic", `{"properties": {"a": {"enum": [null, true, "None"]}}}`, `[f(a=null)]`, ""},
		{"pythonic", `{"properties": {"a": {"type": "string"}}}`, `[f(a='x')]`, ""},
	} {
		m := all[c.model]
		g := m.grammar(t, []Tool{{Name: "f", Parameters: json.RawMessage(c.schema)}}, Choice{})
		tokens, ok := m.follow(g.Constraint(t.Context(), ""), c.text, true)
		if ok != (c.want != "") {
			t.Errorf("%s: %s: %q: allowed up to %q", c.model, c.schema, c.text, m.tok.Decode(tokens))
		}
		if c.want == "" {
			continue
		}
		if got := read(t, g, "", tokens); len(got.calls) != 1 || string(got.calls[0].Arguments) != c.want || got.text != "" {
			t.Errorf("%s: %s: %q: got %+v, want %s", c.model, c.schema, c.text, got, c.want)
		}
	}
	for _, c := range []struct{ model, schema, want string }{
		{"coder", `{"properties": {"a": {"type": "array", "contains": {"const": 3}}}}`, `keyword "contains"`},
		{"coder", `{"properties": {"a<": {"type": "string"}}}`, `property "a<" can't be the name of a parameter`},
		{"pythonic", `{"properties": {"a b": {"type": "string"}}}`, `property "a b" can't be the name of a parameter`},
		{"coder", `{"anyOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "string"}}}]}`, "any but one list of properties"},
		{"coder", `{"properties": {"a": {"type": "string"}}, "minProperties": 2}`, "minProperties 2"},
		{"coder", `{"properties": {"a": false}, "required": ["a"]}`, `property "a" is required and not allowed`},
	} {
		m := all[c.model]
		_, err := m.syntax.Grammar(t.Context(), m.vocabulary, []Tool{{Name: "f", Parameters: json.RawMessage(c.schema), Strict: true}}, Choice{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %s: %v, want %q", c.model, c.schema, err, c.want)
		}
	}
}

// Deltas come as the model writes: what can't be the end of a text any more is told.
func TestDeltasOfParameters(t *testing.T) {
	c := newConverter(&grammar.Parameters{Before: "<p ", Equals: ">", After: "</p>", Raw: "</p>"}, map[string]bool{"a": true}, "</f>", "</f><f ")
	for _, step := range []struct{ text, want string }{
		{"", "{"}, {"<p a", ""}, {">", `"a": "`}, {"x<", "x"}, {"/", ""}, {"q\n", `</q\n`}, {"é", "é"}, {"</p>", `"`}, {"<p b>", `, "b": `}, {"12", "12"}, {"</p>", ""}, {"<", ""}, {"/", "}"},
	} {
		for i := range len(step.text) {
			c.take(step.text[i])
		}
		if got := string(c.json); got != step.want {
			t.Errorf("%q: %q, want %q", step.text, got, step.want)
		}
		c.json = nil
	}
}
