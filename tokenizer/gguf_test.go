package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lever-go/lever/internal/gguf"
)

// tinyMetadata returns the tiny vocabulary as GGUF metadata, padded with unused tokens.
func tinyMetadata(t testing.TB) map[string]any {
	t.Helper()
	var doc struct {
		AddedTokens []struct {
			ID      int
			Content string
			Special bool
		} `json:"added_tokens"`
		Model struct {
			Vocab  map[string]int
			Merges []string
		}
	}
	if err := json.Unmarshal(tinyJSON(t), &doc); err != nil {
		t.Fatal(err)
	}
	const padding = 5
	tokens, kinds := make([]string, tinySize+padding), make([]int32, tinySize+padding)
	for token, id := range doc.Model.Vocab {
		tokens[id], kinds[id] = token, 1
	}
	for _, a := range doc.AddedTokens {
		tokens[a.ID], kinds[a.ID] = a.Content, int32(userDefinedPiece)
		if a.Special {
			kinds[a.ID] = int32(controlPiece)
		}
	}
	for i := range padding {
		tokens[tinySize+i], kinds[tinySize+i] = "[PAD]", int32(unusedPiece)
	}
	return map[string]any{
		"general.architecture":        "llama",
		"tokenizer.ggml.model":        "gpt2",
		"tokenizer.ggml.pre":          "llama-bpe",
		"tokenizer.ggml.tokens":       tokens,
		"tokenizer.ggml.token_type":   kinds,
		"tokenizer.ggml.merges":       doc.Model.Merges,
		"tokenizer.ggml.bos_token_id": uint32(tinyBOS),
		"tokenizer.ggml.eos_token_id": uint32(tinyBOS + 4),
		"tokenizer.chat_template":     "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}",
	}
}

func TestGGUF(t *testing.T) {
	want := tiny(t)
	var file bytes.Buffer
	if err := gguf.Write(&file, gguf.Content{Metadata: tinyMetadata(t)}); err != nil {
		t.Fatal(err)
	}
	tok, err := Open(fstest.MapFS{"tokenizer.gguf": {Data: file.Bytes()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := Compatible(tok, want); err != nil {
		t.Error(err)
	}
	if tok.Size() != tinySize {
		t.Errorf("Size() = %d, want %d without padding", tok.Size(), tinySize)
	}
	for _, text := range []string{"hello the world 123é", "<think><|eot_id|>"} {
		opts := EncodeOptions{ParseSpecial: true}
		if got, want := tok.Encode(text, opts), want.Encode(text, opts); !slices.Equal(got, want) {
			t.Errorf("%q encodes into %v, want %v", text, got, want)
		}
	}
	if bos, ok := tok.BOS(); bos != tinyBOS || !ok || !tok.AddBOS() {
		t.Errorf("BOS() = %d, %v, AddBOS() = %v", bos, ok, tok.AddBOS())
	}
	if got := tok.EOS(); !slices.Equal(got, []int32{tinyBOS + 4, tinyBOS + 1}) {
		t.Errorf("EOS() = %v", got)
	}
	prompt, err := tok.Chat(t.Context(), []Message{{Role: "user", Content: "hi"}}, ChatOptions{})
	if err != nil || prompt.Text != "<|begin_of_text|>hi<|eot_id|>" || prompt.Builtin != "" {
		t.Errorf("Chat gives %+v, %v", prompt, err)
	}
}

func TestGGUFAddBOS(t *testing.T) {
	for _, test := range []struct {
		pre  string
		set  any
		want bool
	}{{"llama-bpe", nil, true}, {"llama-bpe", false, false}, {"qwen2", nil, false}, {"gpt-2", true, true}} {
		meta := tinyMetadata(t)
		meta["tokenizer.ggml.pre"] = test.pre
		if test.set != nil {
			meta["tokenizer.ggml.add_bos_token"] = test.set
		}
		tok, err := FromGGUF(meta)
		if err != nil {
			t.Fatal(err)
		}
		if tok.AddBOS() != test.want {
			t.Errorf("pre %s, add_bos_token %v: AddBOS() = %v", test.pre, test.set, tok.AddBOS())
		}
	}
}

func TestGGUFIntegers(t *testing.T) {
	for _, id := range []any{int32(7), uint32(7), int64(7), uint64(7), uint16(7), int16(7), uint8(7), int8(7), int(7)} {
		meta := tinyMetadata(t)
		meta["tokenizer.ggml.bos_token_id"] = id
		tok, err := FromGGUF(meta)
		if err != nil {
			t.Errorf("%T: %v", id, err)
			continue
		}
		if bos, _ := tok.BOS(); bos != 7 {
			t.Errorf("%T: BOS() = %d", id, bos)
		}
	}
}

func TestBadGGUF(t *testing.T) {
	for _, test := range []struct {
		key    string
		value  any // nil removes the key
		kind   error
		reason string
	}{
		{"tokenizer.ggml.model", "bert", ErrUnsupported, `"bert"`},
		{"tokenizer.ggml.model", nil, ErrInvalid, "missing"},
		{"tokenizer.ggml.model", 7, ErrInvalid, "is a int"},
		{"tokenizer.ggml.pre", "sixpence", ErrUnsupported, `"sixpence"`},
		{"tokenizer.ggml.pre", nil, ErrInvalid, "missing"},
		{"tokenizer.ggml.tokens", nil, ErrInvalid, "missing"},
		{"tokenizer.ggml.tokens", []string{"a"}, ErrInvalid, "288 entries"},
		{"tokenizer.ggml.token_type", nil, ErrInvalid, "missing"},
		{"tokenizer.ggml.merges", nil, ErrInvalid, "missing"},
		{"tokenizer.ggml.merges", []string{"q q"}, ErrInvalid, "merge 0"},
		{"tokenizer.ggml.merges", []string{"q"}, ErrInvalid, "merge 0"},
		{"tokenizer.ggml.bos_token_id", uint32(tinySize), ErrInvalid, "283"},
		{"tokenizer.ggml.eos_token_id", int32(-1), ErrInvalid, "-1"},
		{"tokenizer.ggml.eot_token_id", "x", ErrInvalid, "not an integer"},
		{"tokenizer.ggml.eos_token_id", uint64(1 << 63), ErrInvalid, "9223372036854775808"},
		{"tokenizer.ggml.add_bos_token", "x", ErrInvalid, "add_bos_token"},
		{"tokenizer.chat_template", 7, ErrInvalid, "chat_template"},
	} {
		meta := tinyMetadata(t)
		meta[test.key] = test.value
		if test.value == nil {
			delete(meta, test.key)
		}
		_, err := FromGGUF(meta)
		if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.key) || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s = %v: got %v, want %v with %q", test.key, test.value, err, test.kind, test.reason)
		}
	}
}
