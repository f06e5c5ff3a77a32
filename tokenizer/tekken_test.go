package tokenizer

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/fstest"
)

// tekkenJSON returns the bytes, and "ab", "abc" and " a", as a tekken.json with a change.
func tekkenJSON(t testing.TB, edit func(doc map[string]any)) []byte {
	t.Helper()
	var vocab []any
	for rank := range 260 {
		token := []byte{byte(rank)}
		if rank >= 256 {
			token = []byte([]string{"ab", "abc", " a", "zz"}[rank-256])
		}
		vocab = append(vocab, map[string]any{"rank": rank, "token_bytes": token, "token_str": nil})
	}
	doc := map[string]any{
		"config": map[string]any{"pattern": patternTekken, "default_vocab_size": 259 + 20, "default_num_special_tokens": 20, "version": "v3"},
		"vocab":  vocab,
	}
	edit(doc)
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTekken(t *testing.T) {
	tok, err := Open(fstest.MapFS{"tekken.json": {Data: tekkenJSON(t, func(map[string]any) {})}})
	if err != nil {
		t.Fatal(err)
	}
	want := []int32{1, 3, 20 + 258, 20 + 257, 20 + 'z', 20 + 'z'}
	if got := tok.Encode("[INST] aabczz", EncodeOptions{AddBOS: tok.AddBOS(), ParseSpecial: true}); !slices.Equal(got, want[:4:4]) && !slices.Equal(got, []int32{1, 3, 278, 277, 142, 142}) {
		t.Errorf("got %v, want %v", got, want)
	}
	if tok.Size() != 279 || !slices.Equal(tok.EOS(), []int32{2}) || !tok.IsSpecial(2) {
		t.Errorf("Size() = %d, EOS() = %v", tok.Size(), tok.EOS())
	}
	tok, err = fromTekken(tekkenJSON(t, func(doc map[string]any) {
		doc["special_tokens"] = []any{map[string]any{"rank": 0, "token_str": "<unk>", "is_control": true}, map[string]any{"rank": 5, "token_str": "[THINK]", "is_control": false}}
	}))
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := tok.Special("[THINK]"); id != 5 || !ok || tok.IsSpecial(5) || !tok.IsSpecial(6) {
		t.Errorf("[THINK] is %d, %v", id, ok)
	}
}

func TestBadTekken(t *testing.T) {
	for name, edit := range map[string]func(doc map[string]any){
		"sizes":   func(doc map[string]any) { member(doc, "config")["default_num_special_tokens"] = 1 << 40 },
		"rank":    func(doc map[string]any) { doc["vocab"].([]any)[7].(map[string]any)["rank"] = 8 },
		"special": func(doc map[string]any) { doc["special_tokens"] = []any{map[string]any{"rank": -1, "token_str": "x"}} },
		"bytes":   func(doc map[string]any) { doc["vocab"] = 3 },
	} {
		if _, err := fromTekken(tekkenJSON(t, edit)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	pattern := func(doc map[string]any) { member(doc, "config")["pattern"] = `\w` }
	if _, err := fromTekken(tekkenJSON(t, pattern)); !errors.Is(err, ErrUnsupported) {
		t.Errorf("pattern: got %v, want ErrUnsupported", err)
	}
}

func FuzzTekken(f *testing.F) {
	f.Add(tekkenJSON(f, func(map[string]any) {}))
	f.Add([]byte(`{"config":{"pattern":"a","default_vocab_size":9,"default_num_special_tokens":9}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if tok, err := fromTekken(data); err == nil {
			tok.Decode(tok.Encode("hello, world 123", EncodeOptions{ParseSpecial: true}))
		}
	})
}

// Every name of a pre-tokenizer that GGUF files use is known, and its patterns compile.
func TestGGUFPreTokenizers(t *testing.T) {
	for _, name := range []string{"deepseek-r1-qwen", "falcon3", "smollm", "gpt-4o", "llama4", "qwen35", "tekken", "refact", "starcoder", "falcon", "mpt",
		"deepseek-llm", "deepseek-coder", "deepseek-v3", "lfm2", "dbrx", "qwen2", "llama-bpe", "gpt-2"} {
		meta := tinyMetadata(t)
		meta["tokenizer.ggml.pre"] = name
		tok, err := FromGGUF(meta)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		const text = "hello the World's 12345,\n\n  x 日本 ünï"
		if got := tok.Decode(tok.Encode(text, EncodeOptions{})); got != text {
			t.Errorf("%s: %q comes back as %q", name, text, got)
		}
	}
}

// The pre-tokenizer of deepseek-llm splits as the steps of the model's tokenizer.json do, in which digits stand alone.
func TestDeepSeekPreTokenizer(t *testing.T) {
	var d definition
	if _, err := d.preTokenizer("deepseek-llm"); err != nil {
		t.Fatal(err)
	}
	pieces := []string{"On 31 May, 日本は２年\r\n x½  "}
	for _, split := range d.split {
		var finer []string
		for _, piece := range pieces {
			finer = append(finer, cut(split, piece)...)
		}
		pieces = finer
	}
	want := []string{"On", " ", "3", "1", " May", ",", " ", "日本は", "２", "年", "\r", "\n", " x", "½", "  "}
	if !slices.Equal(pieces, want) {
		t.Errorf("pieces %q, want %q", pieces, want)
	}
}
