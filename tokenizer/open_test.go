package tokenizer

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// withFiles returns the tiny vocabulary with other files beside it, name and content in turn.
func withFiles(t testing.TB, namesAndContents ...string) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{"tokenizer.json": {Data: tinyJSON(t)}}
	for i := 0; i < len(namesAndContents); i += 2 {
		fsys[namesAndContents[i]] = &fstest.MapFile{Data: []byte(namesAndContents[i+1])}
	}
	return fsys
}

func TestOpen(t *testing.T) {
	tok := tiny(t)
	if bos, ok := tok.BOS(); bos != tinyBOS || !ok || !tok.AddBOS() {
		t.Errorf("BOS() = %d, %v, AddBOS() = %v", bos, ok, tok.AddBOS())
	}
	if got := tok.EOS(); !slices.Equal(got, []int32{tinyBOS + 1, tinyBOS + 4}) {
		t.Errorf("EOS() = %v", got)
	}
	if tok.Size() != tinySize || !tok.IsSpecial(tinyBOS) || tok.IsSpecial(0) {
		t.Errorf("Size() = %d, IsSpecial(BOS) = %v", tok.Size(), tok.IsSpecial(tinyBOS))
	}
}

func TestEnds(t *testing.T) {
	for _, test := range []struct {
		name                  string
		tokenizer, generation string
		bos                   int32 // -1: none
		addBOS                bool
		eos                   []int32
	}{
		{"no files", "", "", tinyBOS, true, []int32{277, 280}},
		{"one stop token", "", `{"eos_token_id": 280}`, tinyBOS, true, []int32{280}},
		{"several", "", `{"eos_token_id": [280, 5, 280]}`, tinyBOS, true, []int32{280, 5}},
		{"none", "", `{"eos_token_id": null}`, tinyBOS, true, []int32{277, 280}},
		{"both files", `{"eos_token": "<|end_of_text|>"}`, `{"eos_token_id": 280}`, tinyBOS, true, []int32{280, 277}},
		{"no BOS wanted", `{"add_bos_token": false}`, "", tinyBOS, false, []int32{277, 280}},
		{"no BOS at all", `{"bos_token": null}`, `{"bos_token_id": 276}`, -1, false, []int32{277, 280}},
		{"BOS as object", `{"bos_token": {"content": "<|eot_id|>"}}`, "", 280, true, []int32{277, 280}},
		{"EOS of ordinary text", `{"eos_token": "hello"}`, "", tinyBOS, true, []int32{277, 280, 262}},
	} {
		var files []string
		if test.tokenizer != "" {
			files = append(files, "tokenizer_config.json", test.tokenizer)
		}
		if test.generation != "" {
			files = append(files, "generation_config.json", test.generation)
		}
		tok, err := Open(withFiles(t, files...))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		bos, ok := tok.BOS()
		if bos != test.bos || ok != (test.bos >= 0) || tok.AddBOS() != test.addBOS || !slices.Equal(tok.EOS(), test.eos) {
			t.Errorf("%s: BOS %d, AddBOS %v, EOS %v, want %d, %v, %v", test.name, bos, tok.AddBOS(), tok.EOS(), test.bos, test.addBOS, test.eos)
		}
	}
}

func TestOpenPrefers(t *testing.T) {
	fsys := withFiles(t, "tokenizer.model", "not read", "tokenizer.gguf", "not read")
	if _, err := Open(fsys); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"tokenizer.model", "qwen.tiktoken"} {
		tok, err := Open(fstest.MapFS{name: {Data: tiktokenFile()}})
		if err != nil {
			t.Error(err)
			continue
		}
		if _, qwen := tok.Special("<|im_start|>"); qwen != (name == "qwen.tiktoken") {
			t.Errorf("%s is not read as its family's", name)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	for _, test := range []struct {
		name, content string
		kind          error
		reason        string
	}{
		{"tokenizer.json", "{", ErrInvalid, ""},
		{"tokenizer_config.json", "{", ErrInvalid, ""},
		{"tokenizer_config.json", `{"bos_token": "<nil>"}`, ErrInvalid, `bos_token "<nil>"`},
		{"tokenizer_config.json", `{"eos_token": 7}`, ErrInvalid, "eos_token"},
		{"tokenizer_config.json", `{"chat_template": 7}`, ErrInvalid, "chat_template"},
		{"tokenizer_config.json", `{"chat_template": [7]}`, ErrInvalid, "chat_template"},
		{"generation_config.json", "[", ErrInvalid, ""},
		{"generation_config.json", `{"eos_token_id": 283}`, ErrInvalid, "eos_token_id 283"},
		{"generation_config.json", `{"eos_token_id": "x"}`, ErrInvalid, "eos_token_id"},
		{"generation_config.json", `{"bos_token_id": -4}`, ErrInvalid, "bos_token_id -4"},
	} {
		_, err := Open(withFiles(t, test.name, test.content))
		if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), "tokenizer: "+test.name+": ") || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s %s: got %v, want %v with %q", test.name, test.content, err, test.kind, test.reason)
		}
	}
	if _, err := Open(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "tokenizer.json") {
		t.Errorf("an empty folder: got %v", err)
	}
	if _, err := Open(fstest.MapFS{"tokenizer.gguf": {Data: []byte("GGUF")}}); err == nil || !strings.Contains(err.Error(), "tokenizer.gguf") {
		t.Errorf("a truncated tokenizer.gguf: got %v", err)
	}
}
