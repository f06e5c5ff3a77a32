package tokenizer

import (
	"encoding/json"
	"os"
	"testing"
)

// testdata/tiny is a vocabulary of the 256 bytes, twenty merges and seven added tokens, with Llama-3's pattern.
const (
	tinyDir  = "testdata/tiny"
	tinyBOS  = 276
	tinySize = 283
)

func tiny(t testing.TB) *Tokenizer {
	t.Helper()
	return openDir(t, tinyDir)
}

func tinyJSON(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(tinyDir + "/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// editedJSON returns the tiny tokenizer.json after a change to the parsed document.
func editedJSON(t testing.TB, edit func(doc map[string]any)) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(tinyJSON(t), &doc); err != nil {
		t.Fatal(err)
	}
	edit(doc)
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// member returns a nested object of a parsed document.
func member(doc map[string]any, names ...string) map[string]any {
	for _, name := range names {
		doc = doc[name].(map[string]any)
	}
	return doc
}
