package grammar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// pieces are what the tokens of a small vocabulary spell, besides all single bytes.
var pieces = []string{
	`{"`, `":`, `": `, `": "`, `", "`, `"}`, `"},`, `}, {`, `, `, `,\n`, "\n  ", "\n", `true`, `tr`, `ue`, `false`, `null`, ` "`, `"name`, `name`, `na`, `me"`,
	`12`, `123`, `-1`, `0.`, `.5`, `e+`, `[]`, `[[`, `]]`, `{}`, `hello`, ` wor`, `ld"`, `é`, "\xc3", "\xa9x", `\u`, `\n`, `\"`, `00`, `d8`, `"a`, `"ab"`, `"b`, `x": `,
	`name`, // a second time
}

const (
	eos   = 256
	other = 257 // another token that ends texts
	first = 258 // of pieces
)

func testVocabulary(t testing.TB) *Vocabulary {
	t.Helper()
	v, err := NewVocabulary(first+len(pieces), func(token int32) string {
		switch {
		case token < eos:
			return string([]byte{byte(token)})
		case token >= first:
			return pieces[token-first]
		}
		return "<end>"
	}, []int32{eos, other})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func allowed(mask []uint64) (tokens []int32) {
	for i := range len(mask) * 64 {
		if mask[i/64]>>(i%64)&1 == 1 {
			tokens = append(tokens, int32(i))
		}
	}
	return tokens
}

func (v *Vocabulary) spell(tokens []int32) string {
	var b strings.Builder
	for _, token := range tokens {
		b.WriteString(v.text[token])
	}
	return b.String()
}

// schemas are those that the tests draw from.
var schemas = []string{
	`{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"], "additionalProperties": false}`,
	`{"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": ["number", "null"]}, "c": {"const": {"x": [1, "é\n"]}}}, "required": ["b"]}`,
	`{"type": "object", "properties": {"a": {"type": "null"}, "ab": {"type": "null"}, "é": {}}, "additionalProperties": {"type": "integer"}}`,
	`{"type": "object", "additionalProperties": {"enum": ["a", "ab", "abc", 1, 12, null]}}`,
	`{"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 3}, "minItems": 1, "maxItems": 3}`,
	`{"type": "array", "minItems": 2}`,
	`{"type": "array", "maxItems": 0, "items": {"type": "string"}}`,
	`{"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 2}, {"enum": ["a"]}]}`,
	`{"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 2}}, "required": ["value"]}}}`,
	`{"type": "object", "required": ["x", "y"], "properties": {"x": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}}}`,
	`{"type": "string"}`, `{"type": "number"}`, `{"const": null}`, `{"enum": [[1, 2], {"a": {}}]}`, `true`, `{}`, `{"minLength": 2, "maxLength": 2}`,
	// Sets that get a class of their own, one that another one covers, and a run that ends where the next set begins.
	`{"pattern": "^[a-z \",\\\\\\n]{1,40}$"}`, `{"pattern": "^[^a,]*\\p{L}{2,9}[\\p{L}\\dé ]{0,4}$"}`,
	`{"pattern": "^[a-zé]{1,5}(-[A-F0-9]+)?$"}`, `{"type": ["string", "null"], "pattern": "x.z|\"[^a]\\\\", "maxLength": 9}`, `{"pattern": "", "maxLength": 3}`,
	`{"type": "object", "required": ["when"], "properties": {"when": {"pattern": "^\\d{4}-\\d\\d-\\d\\d$"}, "who": {"pattern": "^(?<first>\\w+) \\p{Lu}", "maxLength": 12}}}`,
}

// valid reports whether a value satisfies a schema of the kind above: the definition, in its simplest form.
func valid(root, schema, value any) bool {
	if schema == true {
		return true
	}
	s := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		target := root
		for _, name := range strings.Split(ref, "/")[1:] {
			target = target.(map[string]any)[name]
		}
		return valid(root, target, value)
	}
	if list, ok := s["anyOf"].([]any); ok && !slices.ContainsFunc(list, func(s any) bool { return valid(root, s, value) }) {
		return false
	}
	same := func(a, b any) bool { return fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b) }
	if c, ok := s["const"]; ok && !same(c, value) {
		return false
	}
	if list, ok := s["enum"].([]any); ok && !slices.ContainsFunc(list, func(c any) bool { return same(c, value) }) {
		return false
	}
	count := func(name string, otherwise int) int {
		if n, ok := s[name].(float64); ok {
			return int(n)
		}
		return otherwise
	}
	kind := ""
	switch x := value.(type) {
	case nil:
		kind = "null"
	case bool:
		kind = "boolean"
	case float64:
		if kind = "number"; x == float64(int64(x)) {
			kind = "integer"
		}
	case string:
		kind = "string"
		if n := len([]rune(x)); n < count("minLength", 0) || n > count("maxLength", n) {
			return false
		}
		if p, ok := s["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(x) {
			return false
		}
	case []any:
		kind = "array"
		if n := len(x); n < count("minItems", 0) || n > count("maxItems", n) {
			return false
		}
		if items, ok := s["items"]; ok {
			for _, item := range x {
				if !valid(root, items, item) {
					return false
				}
			}
		}
	case map[string]any:
		kind = "object"
		required, _ := s["required"].([]any)
		for _, name := range required {
			if _, ok := x[name.(string)]; !ok {
				return false
			}
		}
		properties, _ := s["properties"].(map[string]any)
		for name, v := range x {
			if p, ok := properties[name]; ok {
				if !valid(root, p, v) {
					return false
				}
			} else if a, ok := s["additionalProperties"]; ok && (a == false || !valid(root, a, v)) {
				return false
			}
		}
	}
	switch types := s["type"].(type) {
	case string:
		return types == kind || types == "number" && kind == "integer"
	case []any:
		return slices.Contains(types, any(kind)) || slices.Contains(types, any("number")) && kind == "integer"
	}
	return true
}

// closing tells how much a token does to end a text soon.
func closing(v *Vocabulary, token int32) int {
	text := v.text[token]
	switch {
	case token == eos:
		return 9
	case len(text) != 1:
		return 0
	}
	return 1 + strings.Index(`0]}na"`, text)
}

// write follows a matcher with random tokens, and ends soon.
func write(t rapid.TB, v *Vocabulary, m *Matcher, random *rand.Rand) []int32 {
	var tokens []int32
	state := 0
	for {
		choices := allowed(m.Allowed(state))
		if len(choices) == 0 {
			t.Fatalf("after %q nothing is allowed", v.spell(tokens))
		}
		token := choices[random.IntN(len(choices))]
		if len(tokens) > 30 { // finish
			token = slices.MaxFunc(choices, func(a, b int32) int { return closing(v, a) - closing(v, b) })
		}
		if state = m.Next(state, token); state < 0 {
			t.Fatalf("after %q token %q is in the mask and refused", v.spell(tokens), v.text[token])
		}
		if token == eos || token == other {
			if got := allowed(m.Allowed(state)); !slices.Equal(got, []int32{eos, other}) {
				t.Fatalf("after the end %v is allowed", got)
			}
			return tokens
		}
		if tokens = append(tokens, token); len(tokens) > 2000 {
			t.Fatalf("no end to %.200q", v.spell(tokens))
		}
	}
}

// Whatever a model prefers, what comes out is JSON that satisfies the schema.
func TestTextSatisfiesTheSchema(t *testing.T) {
	v := testVocabulary(t)
	rapid.Check(t, func(t *rapid.T) {
		schema := rapid.SampledFrom(schemas).Draw(t, "schema")
		g, err := v.JSONSchema(context.Background(), []byte(schema))
		if err != nil {
			t.Fatal(err)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		text := v.spell(write(t, v, g.Matcher(context.Background()), rand.New(rand.NewPCG(seed, 1))))
		var s, value any
		if err := errors.Join(json.Unmarshal([]byte(schema), &s), json.Unmarshal([]byte(text), &value)); err != nil {
			t.Fatalf("%q of %s: %v", text, schema, err)
		}
		if !valid(s, s, value) {
			t.Fatalf("%s does not satisfy %s", text, schema)
		}
	})
}

func TestTextIsAnObject(t *testing.T) {
	v := testVocabulary(t)
	g := v.JSON()
	rapid.Check(t, func(t *rapid.T) {
		text := v.spell(write(t, v, g.Matcher(context.Background()), rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))))
		var value map[string]any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

// The mask is what trying each token gives, and a token is left out of it only if another one spells the same text, or more of
// the only text that can follow.
func TestMaskIsWhatEachTokenSays(t *testing.T) {
	v := testVocabulary(t)
	rapid.Check(t, func(t *rapid.T) {
		g, err := v.JSONSchema(context.Background(), []byte(rapid.SampledFrom(schemas).Draw(t, "schema")))
		if rapid.IntRange(0, 5).Draw(t, "any") == 0 {
			g, err = v.JSON(), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		m := g.Matcher(context.Background())
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		state := 0
		for range 20 {
			mask := slices.Clone(m.Allowed(state))
			tokens := allowed(mask)
			for token := range int32(v.size) {
				in := slices.Contains(tokens, token)
				if next := m.Next(state, token); in != (next >= 0) {
					t.Fatalf("token %d %q: in the mask %v, next state %d", token, v.text[token], in, next)
				}
				at := m.states[state].state
				if in || at == 0 || v.text[token] == "" {
					continue
				}
				for i := range len(v.text[token]) {
					if at = m.machine.step(at, v.text[token][i]); at == dead {
						break
					}
				}
				if at != dead && (len(tokens) != 1 || !strings.HasPrefix(v.text[tokens[0]], v.text[token])) {
					t.Fatalf("token %q can follow, but only %v are allowed", v.text[token], tokens)
				}
			}
			if state = m.Next(state, tokens[random.IntN(len(tokens))]); m.states[state].state == 0 {
				break
			}
		}
	})
}

// Texts that satisfy a schema in the layout of the package can be written.
func TestTextsThatCanBeWritten(t *testing.T) {
	v := testVocabulary(t)
	for _, c := range []struct {
		schema string
		yes    []string
		no     []string
	}{
		{schemas[0], []string{`{"name": "é\u00e9\ud83d\ude00 \"x\"", "age": -12}`}, []string{`{"name":"a", "age": 1}`, `{"age": 1, "name": ""}`, `{"name": "\ud83d", "age": 1}`, `{"name": "a", "age": 01}`, `{"name": "a", "age": 1.0}`, `{}`}},
		{schemas[1], []string{`{"b": null}`, `{"a": true, "b": -0.5e+10, "c": {"x": [1, "é\n"]}}`}, []string{`{"a": true}`, `{"b": 1, "z": 1}`, `{"b": 1e999}`}},
		{schemas[2], []string{`{}`, `{"a": null, "b": 1}`, `{"abc": 3, "": 5}`, `{"ab": null, "é": {"q": []}, "x": 1}`, `{"ac": 0}`}, []string{`{"a": 1}`, `{"x": 1, "a": null}`, `{"\u0061": 1}`, `{"é": null, "ab": 3}`, `{"ab": 7}`}},
		{schemas[3], []string{`{"k": "ab", "\"": 12, "l": 1, "m": "abc", "n": "a"}`}, []string{`{"k": "b"}`}},
		{schemas[4], []string{`["a"]`, `["abc", "é😀", "\u00e9\ud83d\ude00x"]`}, []string{`[]`, `["abcd"]`, `["a", "a", "a", "a"]`, `[""]`}},
		{schemas[6], []string{`[]`}, []string{`["a"]`}},
		{schemas[8], []string{`{"value": 1, "children": [{"value": 2, "children": []}, {"value": 3}]}`}, []string{`{"value": 1, "children": [{}]}`}},
		{`{"type": "number"}`, []string{`0`, `-0`, `10`, `0.5`, `1E5`, `123456789012345.123456789012345e-99`}, []string{`01`, `.5`, `5.`, `1e`, `+1`, `1e100`}},
		{`{"type": "integer", "maximum": 9, "nullable": true}`, []string{`3`, `null`}, []string{`10`, `"a"`}},
		{`{"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "nullable": false}}}`, []string{`{"a": ""}`}, []string{`{"a": null}`}},
		{`{"allOf": [{"type": "string", "nullable": true}, {"type": ["string", "null"]}]}`, []string{`"a"`, `null`}, []string{`1`}},
	} {
		g, err := v.JSONSchema(context.Background(), []byte(c.schema))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range c.yes {
			if !accepts(g, text) {
				t.Errorf("%s can't be written to %s", text, c.schema)
			}
		}
		for _, text := range c.no {
			if accepts(g, text) {
				t.Errorf("%s can be written to %s", text, c.schema)
			}
		}
	}
	for _, text := range []string{`{}`, `{ }`, "{\n  \"a\": [\n    1,\n    {\"b\": null}\n  ]\n}", `{"a":1,"b":[1,2]}`, `{"a": true, "b": "x"}`} {
		if !accepts(v.JSON(), text) {
			t.Errorf("%q is no JSON object", text)
		}
	}
	for _, text := range []string{`[]`, `{"a"}`, `{"a": 1,}`, ` {}`, `{} `} {
		if accepts(v.JSON(), text) {
			t.Errorf("%q is a JSON object", text)
		}
	}
}

// accepts follows a text byte by byte.
func accepts(g *Grammar, text string) bool {
	m := newMachine(g.automaton, newWork(context.Background(), compileSteps))
	at := m.start(g.start)
	for i := range len(text) {
		if at = m.step(at, text[i]); at == dead {
			return false
		}
	}
	return m.states.at(at).done
}

// Where only one text can follow, it is written with the longest tokens, without a choice.
func TestForcedTokens(t *testing.T) {
	v := testVocabulary(t)
	g, err := v.JSONSchema(context.Background(), []byte(`{"type": "object", "properties": {"name": {"enum": ["hello world"]}}, "required": ["name"]}`))
	if err != nil {
		t.Fatal(err)
	}
	m := g.Matcher(context.Background())
	var texts []string
	for state := 0; ; {
		tokens := allowed(m.Allowed(state))
		if len(tokens) != 1 {
			break
		}
		texts = append(texts, v.text[tokens[0]])
		state = m.Next(state, tokens[0])
	}
	if want := []string{`{"`, `name`, `": "`, `hello`, ` wor`, `ld"`, `}`}; !slices.Equal(texts, want) {
		t.Errorf("forced %q, want %q", texts, want)
	}
}

func TestSchemasThatAreRefused(t *testing.T) {
	v := testVocabulary(t)
	for schema, want := range map[string]string{
		`{"type": "string", "pattern": "(?<=a)b"}`:                                  `at #: pattern "(?<=a)b": a look-behind: unsupported`,
		`{"enum": ["a"], "minLength": 2}`:                                           `at #: none of the values listed satisfies the rest`,
		`{"enum": ["a"], "pattern": "b"}`:                                           `at #: none of the values listed satisfies the rest`,
		`{"enum": ["a", "b"], "const": "c"}`:                                        `at #: none of the values listed satisfies the rest`,
		`{"oneOf": [{}, {"type": "string"}]}`:                                       `at #: oneOf: a value could satisfy branch 0 and branch 1`,
		`{"properties": {"a": {"type": "integer", "minimum": 3.5, "maximum": 3}}}`:  `at #/properties/a: no number is in that range`,
		`{"type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 10}`:         `at #: no number is in that range`,
		`{"type": "integer", "multipleOf": 123456789}`:                              `at #: multiples of 123456789 in so large a range: unsupported`,
		`{"type": "number", "multipleOf": 0}`:                                       `at #: multipleOf is not above 0`,
		`{"type": "number", "minimum": "3"}`:                                        `at #: minimum is not a number`,
		`{"type": "number", "minimum": 1e1000}`:                                     `at #: the exponent of 1e1000 is outside ±400: unsupported`,
		`{"items": {"contains": {"type": "null"}, "type": "array"}}`:                `at #/items: keyword "contains": unsupported`,
		`{"if": {"type": "null"}, "then": false}`:                                   `at #: keyword "if": unsupported`,
		`{"not": {"type": "integer"}}`:                                              `at #: keyword "not": unsupported`,
		`{"not": {"minimum": 3}}`:                                                   `at #: keyword "not": unsupported`,
		`{"not": {}}`:                                                               `at #: schema false, which no value satisfies`,
		`{"type": "array", "uniqueItems": true}`:                                    `uniqueItems, unless the items are at most 8 listed values: unsupported`,
		`{"allOf": [{"type": "string"}, {"type": "integer"}]}`:                      `no type is left`,
		`{"required": ["a"], "properties": {"a": {"$ref": "#"}}}`:                   `it has no end`,
		`{"pattern": "(a)\\1"}`:                                                     `the back-reference \1: unsupported`,
		`{"pattern": "\\bword"}`:                                                    `the word boundary \b: unsupported`,
		`{"pattern": "(?i)a"}`:                                                      `flags, (?i): unsupported`,
		`{"pattern": "[[:alpha:]]"}`:                                                `a class [[:name:]]: unsupported; write`,
		`{"pattern": "\\p{Emoji}"}`:                                                 `the class \p{Emoji}: unsupported`,
		`{"pattern": "\\Aa"}`:                                                       `the escape \A: unsupported`,
		`{"pattern": "a{5000}"}`:                                                    `a repetition of 5000`,
		`{"pattern": "((a{4000}){4000}){4000}"}`:                                    `too large`,
		`{"pattern": "^(a?){4000}$"}`:                                               `too large`,
		`{"pattern": "(((){4000}){4000}){4000}|a", "maxLength": 0, "minLength": 1}`: `from 1 to 0`,
		`{"pattern": "a$b"}`:                                                        `no string of the wanted length matches`,
		`{"pattern": "^abc$", "maxLength": 2}`:                                      `no string of the wanted length matches`,
		`{"pattern": "^[]$"}`:                                                       `no string of the wanted length matches`,
		`{"pattern": "(a"}`:                                                         `a bracket ( is not closed`,
		`{"pattern": "a)b"}`:                                                        `")b" closes nothing`,
		`{"pattern": "[a"}`:                                                         `a bracket [ is not closed`,
		`{"pattern": "+a"}`:                                                         `'+' has nothing to repeat`,
		`{"pattern": "a{3,2}"}`:                                                     `{3,2} is in the wrong order`,
		`{"pattern": "[z-a]"}`:                                                      `the range z-a is in the wrong order`,
		`{"$ref": "other.json"}`:                                                    `only #/…, an $anchor or an $id within the schema: unsupported`,
		`{"$ref": "#/$defs/a"}`:                                                     `there is no "$defs"`,
		`{"$ref": "#"}`:                                                             `leads back to itself`,
		`{"anyOf": [{"$ref": "#"}, {"type": "null"}]}`:                              `leads back to itself`,
		`{"type": "text"}`:                                                          `there is no type "text"`,
		`{"type": []}`:                                                              `no type`,
		`{"type": 3}`:                                                               `at #: type:`,
		`{"enum": []}`:                                                              `enum is not a list of values`,
		`{"enum": ["a"], "type": "integer"}`:                                        `none of the values`,
		`{"minItems": 3, "maxItems": 2}`:                                            `from 3 to 2`,
		`{"minLength": 1000000}`:                                                    `minLength 1000000, more than 4096: unsupported`,
		`{"maxLength": -1}`:                                                         `maxLength is not a count`,
		`{"minLength": -1}`:                                                         `minLength is not a count`,
		`{"required": ["a"], "additionalProperties": false}`:                        `"a" is required and not allowed`,
		`{"anyOf": []}`:                                                             `anyOf of nothing`,
		`false`:                                                                     `schema false`,
		`3`:                                                                         `not an object`,
		`{`:                                                                         `not JSON`,
		`{"properties": 3}`:                                                         `at #: properties: not an object`,
		strings.Repeat(`{"items":`, 200) + `{}` + strings.Repeat(`}`, 200): `nested deeper`,
	} {
		_, err := v.JSONSchema(context.Background(), []byte(schema))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", schema, err, want)
		}
		if strings.HasSuffix(want, "unsupported") && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v is not ErrUnsupported", schema, err)
		}
	}
}

func TestVocabulariesThatAreRefused(t *testing.T) {
	byteOf := func(token int32) string { return string([]byte{byte(token)}) }
	for _, c := range []struct {
		size int
		end  []int32
		want string
	}{
		{-1, nil, "-1 tokens"}, {1 << 25, []int32{0}, "33554432 tokens"}, {256, nil, "no token ends a text"}, {256, []int32{256}, "token 256"}, {200, []int32{3}, "single byte 0x03"}, {257, []int32{7}, "single byte 0x07"},
	} {
		if _, err := NewVocabulary(c.size, byteOf, c.end); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d tokens: %v, want %q", c.size, err, c.want)
		}
	}
}

// A token that is longer than any model has is never allowed, and the others are, also those that it begins with.
func TestTooLongToken(t *testing.T) {
	long := strings.Repeat("a", maxText)
	v, err := NewVocabulary(259, func(token int32) string {
		switch token {
		case 257:
			return long
		case 258:
			return long + "a"
		}
		return string([]byte{byte(token)})
	}, []int32{256})
	if err != nil {
		t.Fatal(err)
	}
	g, err := v.JSONSchema(t.Context(), []byte(`{"type": "string"}`))
	if err != nil {
		t.Fatal(err)
	}
	m := g.Matcher(t.Context())
	state := m.Next(0, '"')
	if mask := allowed(m.Allowed(state)); !slices.Contains(mask, 'a') || !slices.Contains(mask, 257) || slices.Contains(mask, 258) {
		t.Errorf("%d tokens are allowed, the last %d", len(mask), mask[len(mask)-1])
	}
	if m.Next(state, 257) < 0 || m.Next(state, 258) >= 0 {
		t.Error("the longest token is refused, or a longer one is not")
	}
}

// Any schema is taken or refused, and what is taken can be written.
func FuzzJSONSchema(f *testing.F) {
	for _, schema := range schemas {
		f.Add([]byte(schema), uint64(1))
	}
	v := testVocabulary(f)
	f.Fuzz(func(t *testing.T, schema []byte, seed uint64) {
		g, err := v.JSONSchema(context.Background(), schema)
		if err != nil {
			return
		}
		m := g.Matcher(context.Background())
		random := rand.New(rand.NewPCG(seed, 1))
		var tokens []int32
		for state := 0; len(tokens) < 200; {
			choices := allowed(m.Allowed(state))
			if len(choices) == 0 {
				t.Fatalf("after %q nothing is allowed", v.spell(tokens))
			}
			token := choices[random.IntN(len(choices))]
			if state = m.Next(state, token); token == eos || token == other {
				var value any
				if text := v.spell(tokens); json.Unmarshal([]byte(text), &value) != nil {
					t.Fatalf("%q is not JSON", text)
				}
				return
			}
			tokens = append(tokens, token)
		}
	})
}
