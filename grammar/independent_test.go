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
        for error in validator.iter_errors(load(text)):
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
