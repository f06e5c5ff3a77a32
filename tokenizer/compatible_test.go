package tokenizer

import (
	"strings"
	"testing"
)

func TestCompatible(t *testing.T) {
	added := func(items ...any) func(map[string]any) {
		return func(doc map[string]any) { doc["added_tokens"] = append(doc["added_tokens"].([]any), items...) }
	}
	for _, test := range []struct {
		name   string
		edit   func(doc map[string]any)
		reason string // if empty, compatible
	}{
		{"the same", func(map[string]any) {}, ""},
		{"an added token more", added(map[string]any{"id": tinySize, "content": "<x>"}), ""},
		{"an added token with another name", func(doc map[string]any) {
			doc["added_tokens"].([]any)[6].(map[string]any)["content"] = "<|reserved|>"
		}, ""},
		{"an ordinary token more", func(doc map[string]any) { member(doc, "model", "vocab")["zz"] = tinySize }, `token 283 is "" in the first and "zz"`},
		{"two tokens exchanged", func(doc map[string]any) {
			vocab := member(doc, "model", "vocab")
			vocab["x"], vocab["y"] = vocab["y"], vocab["x"]
		}, `token 120 is "x" in the first and "y"`},
		{"an added token in place of text", added(map[string]any{"id": 262, "content": "<x>"}), `token 262 is "hello" in the first and "<x>"`},
	} {
		other, err := FromJSON(editedJSON(t, test.edit))
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		err = Compatible(tiny(t), other)
		switch {
		case test.reason == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.reason != "" && (err == nil || !strings.Contains(err.Error(), test.reason)):
			t.Errorf("%s: got %v, want %q", test.name, err, test.reason)
		}
	}
}
