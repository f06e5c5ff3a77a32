package jinja

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// referenceCase is a template with its variables, a JSON object.
type referenceCase struct {
	Template string          `json:"template"`
	Vars     json.RawMessage `json:"vars"`
}

// rendering is what came of a template.
type rendering struct {
	Text  *string `json:"text,omitempty"`
	Error string  `json:"error,omitempty"`
}

const python = "/usr/bin/python3"

// jinja2 renders templates with the original.
func jinja2(t *testing.T, cases []referenceCase) []rendering {
	t.Helper()
	if err := exec.Command(python, "-c", "import jinja2").Run(); err != nil {
		t.Skipf("%s has no jinja2: %v", python, err)
	}
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-W", "ignore", "testdata/reference.py")
	cmd.Stdin = bytes.NewReader(in)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var results []rendering
	if err := json.Unmarshal(out, &results); err != nil || len(results) != len(cases) {
		t.Fatalf("%d results of %d cases, %v", len(results), len(cases), err)
	}
	return results
}

var errRaised = errors.New("raised")

// render renders a case as the reference does.
func (c referenceCase) render(t *testing.T) (string, error) {
	t.Helper()
	template, err := Parse(c.Template)
	if err != nil {
		return "", err
	}
	vars := map[string]Value{
		"raise_exception": Func(func(Args) (Value, error) { return nil, errRaised }),
		"strftime_now": Func(func(a Args) (Value, error) {
			s, _ := stringOf(a.Values[0])
			replaced := strings.NewReplacer("%d", "04", "%b", "Mar", "%Y", "2026", "%B", "March", "%m", "03", "%H", "05", "%M", "06", "%S", "07", "%A", "Wednesday", "%-d", "4")
			return replaced.Replace(s), nil
		}),
	}
	given, err := FromJSON(c.Vars, func(s string) string { return s })
	if err != nil {
		t.Fatal(err)
	}
	dict := given.(*Dict)
	for i, key := range dict.keys {
		vars[key.(string)] = dict.values[i]
	}
	return template.Render(t.Context(), vars, testLimits)
}

var testLimits = Limits{Steps: 1 << 20, Bytes: 1 << 24, Output: 1 << 20}

// check compares what c gives with what it should.
func (c referenceCase) check(t *testing.T, want rendering) bool {
	t.Helper()
	got, err := c.render(t)
	switch {
	case err != nil && want.Text != nil:
		t.Errorf("%.300q\ngives %v\nwant  %q", c.Template, err, *want.Text)
	case err == nil && want.Text == nil:
		t.Errorf("%.300q\ngives %q\nwant  error %s", c.Template, got, want.Error)
	case err == nil && got != *want.Text:
		t.Errorf("%.300q\ngives %q\nwant  %q", c.Template, got, *want.Text)
	default:
		return true
	}
	return false
}

// TestPublicTemplates compares the templates of a folder, which LEVER_CHAT_TEMPLATES names, with the original over several conversations.
func TestPublicTemplates(t *testing.T) {
	folder := os.Getenv("LEVER_CHAT_TEMPLATES")
	if folder == "" {
		t.Skip("LEVER_CHAT_TEMPLATES names no folder of chat templates")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.jinja"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates in %s: %v", folder, err)
	}
	conversations, err := os.ReadFile("testdata/conversations.json")
	if err != nil {
		t.Fatal(err)
	}
	var vars []json.RawMessage
	if err := json.Unmarshal(conversations, &vars); err != nil {
		t.Fatal(err)
	}
	var cases []referenceCase
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range vars {
			cases = append(cases, referenceCase{string(source), v})
		}
	}
	texts, same, templates := 0, 0, 0
	results := jinja2(t, cases)
	for i, file := range files {
		whole := true
		for j := range vars {
			c := cases[i*len(vars)+j]
			want := results[i*len(vars)+j]
			if want.Text != nil {
				texts++
			}
			got, err := c.render(t)
			switch {
			case want.Text != nil && err == nil && got == *want.Text:
				same++
			case want.Text == nil && err != nil:
			case want.Text == nil:
				whole = false
				t.Errorf("%s, conversation %d: got %d bytes, want error %s", filepath.Base(file), j, len(got), want.Error)
			case err != nil:
				whole = false
				t.Errorf("%s, conversation %d: %v", filepath.Base(file), j, err)
			default:
				whole = false
				at := 0
				for at < min(len(got), len(*want.Text)) && got[at] == (*want.Text)[at] {
					at++
				}
				t.Errorf("%s, conversation %d: got …%.80q, want …%.80q", filepath.Base(file), j, got[max(0, at-30):], (*want.Text)[max(0, at-30):])
			}
		}
		if whole {
			templates++
		}
	}
	t.Logf("%d of %d templates, %d of %d texts are the same", templates, len(files), same, texts)
}
