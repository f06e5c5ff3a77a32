package grammar

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"testing"
)

// checker validates texts with the package jsonschema of Python. Numbers are decimals, so that multiples are exact. It answers with the first fault.
const checker = `
import decimal, json, sys
import jsonschema
from jsonschema import validators
decimal.getcontext().prec = 2000
load = lambda text: json.loads(text, parse_float=decimal.Decimal)
for line in sys.stdin:
    case = json.loads(line)
    schema = load(case["schema"])
    kind = validators.validator_for(schema, default=jsonschema.Draft202012Validator) if isinstance(schema, dict) else jsonschema.Draft202012Validator
    validator = kind(schema)
    for text in case["texts"]:
        try:
            error = next(validator.iter_errors(load(text)), None)
        except RecursionError: # a $ref leads back to where it stands
            continue
        if error is not None:
            sys.exit("%s: %s does not satisfy %s: %s" % (case["name"], text, case["schema"], error.message))
print("checked")
`

// python runs the checker. The package is python3-jsonschema in Debian, for the system's Python.
func python(t *testing.T, cases []checked) {
	t.Helper()
	const interpreter = "/usr/bin/python3"
	if err := exec.Command(interpreter, "-c", "import jsonschema").Run(); err != nil {
		t.Skipf("%s has no package jsonschema: %v", interpreter, err)
	}
	var input bytes.Buffer
	for _, c := range cases {
		if err := json.NewEncoder(&input).Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(interpreter, "-W", "ignore", "-c", checker)
	command.Stdin = &input
	if out, err := command.CombinedOutput(); err != nil || string(out) != "checked\n" {
		t.Fatalf("%v: %s", err, out)
	}
}

type checked struct {
	Name   string   `json:"name"`
	Schema string   `json:"schema"`
	Texts  []string `json:"texts"`
}

// What is written for the schemas of libraries satisfies them, as another implementation sees it.
func TestLibrariesAgreeWithJsonschema(t *testing.T) {
	v := testVocabulary(t)
	var cases []checked
	for name, schema := range librarySchemas {
		g, err := v.JSONSchema(context.Background(), []byte(schema))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c := checked{Name: name, Schema: schema}
		w := newWalker(v, g)
		random := rand.New(rand.NewPCG(1, 2))
		for range 40 {
			c.Texts = append(c.Texts, w.text(t, random, random.IntN(30)))
		}
		cases = append(cases, c)
	}
	python(t, cases)
}

// schemaWriter writes schemas in which keywords stand beside each other as they never should.
type schemaWriter struct{ *rand.Rand }

type schemaObject = map[string]any

func pick[T any](r schemaWriter, list ...T) T { return list[r.IntN(len(list))] }

// some returns a list of schemas.
func (r schemaWriter) some(depth int) []any {
	list := make([]any, 1+r.IntN(3))
	for i := range list {
		list[i] = r.schema(depth - 1)
	}
	return list
}

// members returns schemas of members.
func (r schemaWriter) members(depth int, names ...string) schemaObject {
	all := schemaObject{}
	for range 1 + r.IntN(3) {
		all[pick(r, names...)] = r.schema(depth - 1)
	}
	return all
}

func (r schemaWriter) schema(depth int) any {
	if r.IntN(25) == 0 {
		return r.IntN(3) > 0
	}
	s := schemaObject{}
	names := []string{"a", "b", "ab", "é"}
	kinds := []string{"null", "boolean", "integer", "number", "string"}
	if depth > 0 {
		kinds = append(kinds, "array", "object", "array", "object")
	}
	if r.IntN(5) > 0 {
		s["type"] = pick(r, kinds...)
		if r.IntN(5) == 0 {
			s["type"] = []string{pick(r, kinds...), pick(r, kinds...)}
			if list := s["type"].([]string); list[0] == list[1] {
				s["type"] = list[0]
			}
		}
	}
	for range 1 + r.IntN(3) {
		switch r.IntN(17 + 15*min(depth, 1)) {
		case 0:
			s["minimum"] = pick(r, -12.5, 0, 1, 3.25)
		case 1:
			s["maximum"] = pick(r, -3, 2.5, 10, 150)
		case 2:
			s["exclusiveMinimum"] = pick(r, -12.5, 0, 1)
		case 3:
			s["exclusiveMaximum"] = pick(r, 2.5, 10, 150)
		case 4:
			s["multipleOf"] = pick(r, 1, 2, 5, 0.5)
		case 5:
			s["minLength"] = r.IntN(4)
		case 6:
			s["maxLength"] = r.IntN(9)
		case 7, 8:
			s["pattern"] = pick(r, "^a", "b$", "^[ab]*$", "^(?!ab)", "^(?=.*b)a", "é|a")
		case 9:
			s["enum"] = []any{pick[any](r, 1, "a", nil), pick[any](r, 2.5, "ab", true), []int{1}, schemaObject{"a": 1}}
		case 10:
			s["const"] = pick[any](r, 1, "a", nil, schemaObject{"a": "b"})
		case 11:
			s["not"] = pick[any](r, schemaObject{}, false, schemaObject{"const": 1}, schemaObject{"enum": []string{"a", "ab"}}, schemaObject{"type": "string"}, schemaObject{"type": []string{"number", "null"}})
		case 12:
			s["$ref"] = pick(r, "#/$defs/x", "#/$defs/y", "#")
		case 13:
			s["format"] = pick(r, "date", "uuid", "nothing")
		case 17, 18:
			s["properties"] = r.members(depth, names...)
		case 19:
			s["required"] = []string{pick(r, names...)}
		case 20:
			s["additionalProperties"] = r.schema(depth - 1)
		case 21:
			s["patternProperties"] = r.members(depth, "^a", "b", "[^ab]")
		case 22:
			s["propertyNames"] = pick[any](r, schemaObject{"pattern": "^a"}, schemaObject{"maxLength": 1}, schemaObject{"enum": names[:2]}, schemaObject{"type": "string"})
		case 23:
			s["minProperties"] = r.IntN(3)
		case 24:
			s["maxProperties"] = r.IntN(4)
		case 25:
			s["items"] = r.schema(depth - 1)
		case 26:
			s["prefixItems"] = r.some(depth)
		case 27:
			s["minItems"], s["maxItems"] = r.IntN(3), 2+r.IntN(2)
		case 28:
			s["uniqueItems"] = r.IntN(2) > 0
		case 29:
			s["dependentRequired"] = map[string][]string{pick(r, names...): {pick(r, names...)}}
		case 30:
			s[pick(r, "unevaluatedProperties", "unevaluatedItems")] = r.IntN(3) > 0
		case 31:
			s[pick(r, "anyOf", "oneOf", "allOf")] = r.some(depth)
		}
	}
	return s
}

// What is written satisfies the schema, whichever keywords stand beside each other.
func TestRandomSchemasAgreeWithJsonschema(t *testing.T) {
	v := testVocabulary(t)
	var cases []checked
	r := schemaWriter{rand.New(rand.NewPCG(1, 3))}
	taken := 0
	for range 400 {
		root, ok := r.schema(2).(schemaObject)
		if !ok {
			continue
		}
		root["$defs"] = schemaObject{"x": r.schema(1), "y": r.schema(1)}
		schema, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		g, err := v.JSONSchema(context.Background(), schema)
		if err != nil {
			continue
		}
		taken++
		c := checked{Name: "random", Schema: string(schema)}
		w := newWalker(v, g)
		for range 4 {
			c.Texts = append(c.Texts, w.text(t, r.Rand, r.IntN(20)))
		}
		cases = append(cases, c)
	}
	if taken < 150 {
		t.Errorf("only %d of 400 schemas were taken", taken)
	}
	python(t, cases)
}
