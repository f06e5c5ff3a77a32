package jinja

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/golden.json anew, with Jinja2")

const goldenFile = "golden.json"

// goldenVars are what the templates of the golden file see.
const goldenVars = `{
	"messages": [
		{"role": "system", "content": "Be brief. "},
		{"role": "user", "content": "One?"},
		{"role": "assistant", "content": "<think>\nhm\n</think>\n\nTwo.", "tool_calls": [{"function": {"name": "f", "arguments": {"b": 1, "a": [1.5, null, true]}}}]},
		{"role": "user", "content": " Drei \u00e9\u4e2d\ud83d\ude00 <b>\"x\" & 'y'</b>\n"}
	],
	"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"B": {"type": "string"}, "a": {"type": ["null", "integer"]}}, "items": 3}}}],
	"tree": [{"n": 1, "sub": [{"n": 2, "sub": []}, {"n": 3, "sub": [{"n": 4, "sub": []}]}]}],
	"name": "Ann", "n": 7, "f": 2.5, "no": null, "yes": true, "empty": "", "list": [3, 1, 2], "words": ["b", "A", "c", "a"], "dict": {"b": 1, "A": 2, "c": {"d": [1]}},
	"long": "line one\nline two\n\n  line three", "bos_token": "<s>"
}`

// goldenTemplates use what chat templates are made of, one construct or a few each.
func goldenTemplates(t testing.TB) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "constructs.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var templates []string
	for _, block := range strings.Split(string(data), "\n====\n") {
		templates = append(templates, strings.ReplaceAll(block, "\\r", "\r"))
	}
	return templates
}

// TestGolden compares with what Jinja2 3.1 made of the templates: go test -run Golden -update wrote the file with testdata/reference.py.
func TestGolden(t *testing.T) {
	path := filepath.Join("testdata", goldenFile)
	var cases []referenceCase
	for _, template := range goldenTemplates(t) {
		cases = append(cases, referenceCase{template, json.RawMessage(goldenVars)})
	}
	if *update {
		data, err := json.MarshalIndent(jinja2(t, cases), "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want []rendering
	if err := json.Unmarshal(data, &want); err != nil || len(want) != len(cases) {
		t.Fatalf("%d results of %d templates, %v: run with -update", len(want), len(cases), err)
	}
	for i, c := range cases {
		c.check(t, want[i])
	}
}
