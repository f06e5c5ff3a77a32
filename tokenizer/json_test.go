package tokenizer

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/testdata"
)

func TestMergesInBothForms(t *testing.T) {
	data := editedJSON(t, func(doc map[string]any) {
		model := member(doc, "model")
		var pairs []any
		for _, line := range model["merges"].([]any) {
			left, right, _ := strings.Cut(line.(string), " ")
			pairs = append(pairs, []any{left, right})
		}
		model["merges"] = pairs
	})
	tok, err := FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	want := tiny(t)
	text := "hello the world 123    aaaa\n\né"
	if got, want := tok.Encode(text, EncodeOptions{}), want.Encode(text, EncodeOptions{}); !slices.Equal(got, want) {
		t.Errorf("merges as pairs give %v, as strings %v", got, want)
	}
	if err := Compatible(tok, want); err != nil {
		t.Error(err)
	}
}

func TestIgnoreMerges(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		data := editedJSON(t, func(doc map[string]any) {
			model := member(doc, "model")
			model["ignore_merges"] = ignore
			model["merges"] = []any{"h e"} // so that "hello" is a token that no merge makes
		})
		tok, err := FromJSON(data)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(tok.Encode("hello", EncodeOptions{})); ignore != (got == 1) {
			t.Errorf("ignore_merges %v: %d tokens", ignore, got)
		}
	}
}

func TestNFCTokenizer(t *testing.T) {
	data := editedJSON(t, func(doc map[string]any) {
		doc["normalizer"] = map[string]any{"type": "Sequence", "normalizers": []any{map[string]any{"type": "NFC"}}}
		doc["added_tokens"] = append(doc["added_tokens"].([]any),
			map[string]any{"id": tinySize, "content": "é!", "normalized": true},
			map[string]any{"id": tinySize + 1, "content": "é?", "normalized": false})
	})
	tok, err := FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		text string
		want []int32
	}{
		{"e\u0301", []int32{275}},
		{"e\u0301!", []int32{tinySize}},
		{"é?", []int32{tinySize + 1}},
		{"e\u0301?", []int32{275, tok.bytes['?']}},
	} {
		if got := tok.Encode(test.text, EncodeOptions{}); !slices.Equal(got, test.want) {
			t.Errorf("%+q encodes into %v, want %v", test.text, got, test.want)
		}
	}
}

func TestGPT2PreTokenizer(t *testing.T) {
	data := editedJSON(t, func(doc map[string]any) {
		doc["pre_tokenizer"] = map[string]any{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}
	})
	tok, err := FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.Encode("12312", EncodeOptions{}); len(got) != 2 {
		t.Errorf("five digits are %v", got)
	}
}

func TestBadJSON(t *testing.T) {
	list := func(doc map[string]any, key string, items ...any) { doc[key] = append(doc[key].([]any), items...) }
	split := func(doc map[string]any) map[string]any {
		return member(doc, "pre_tokenizer")["pretokenizers"].([]any)[0].(map[string]any)
	}
	for _, test := range []struct {
		name   string
		edit   func(doc map[string]any)
		kind   error
		reason string
	}{
		{"model type", func(d map[string]any) { member(d, "model")["type"] = "WordPiece" }, ErrUnsupported, `"WordPiece"`},
		{"no scores", func(d map[string]any) { member(d, "model")["type"] = "Unigram" }, ErrInvalid, "without scores"},
		{"dropout", func(d map[string]any) { member(d, "model")["dropout"] = 0.1 }, ErrUnsupported, "dropout"},
		{"prefix", func(d map[string]any) { member(d, "model")["continuing_subword_prefix"] = "##" }, ErrUnsupported, "##"},
		{"suffix", func(d map[string]any) { member(d, "model")["end_of_word_suffix"] = "</w>" }, ErrUnsupported, "</w>"},
		{"no vocabulary", func(d map[string]any) { member(d, "model")["vocab"] = map[string]any{} }, ErrInvalid, "no vocab"},
		{"a byte missing", func(d map[string]any) {
			delete(member(d, "model", "vocab"), "z")
		}, ErrUnsupported, "byte 0x7A"},
		{"an id far away", func(d map[string]any) { member(d, "model", "vocab")["zz"] = 1 << 30 }, ErrInvalid, "1073741824"},
		{"a negative id", func(d map[string]any) { member(d, "model", "vocab")["zz"] = -1 }, ErrInvalid, "-1"},
		{"an id twice", func(d map[string]any) { member(d, "model", "vocab")["zz"] = 5 }, ErrInvalid, "same id 5"},
		{"an id that is no number", func(d map[string]any) { member(d, "model", "vocab")["zz"] = "x" }, ErrInvalid, "vocab"},
		{"merge of no tokens", func(d map[string]any) { list(member(d, "model"), "merges", "q q") }, ErrInvalid, `"q" and "q"`},
		{"merge of one", func(d map[string]any) { list(member(d, "model"), "merges", "q") }, ErrInvalid, `"q" is not two`},
		{"merge of three", func(d map[string]any) { member(d, "model")["merges"] = []any{[]any{"a", "b", "c"}} }, ErrInvalid, "3 parts"},
		{"merges of both forms", func(d map[string]any) { list(member(d, "model"), "merges", []any{"a", "a"}) }, ErrInvalid, "merges"},
		{"normalizer", func(d map[string]any) { d["normalizer"] = map[string]any{"type": "Lowercase"} }, ErrUnsupported, `"Lowercase"`},
		{"decoder", func(d map[string]any) { d["decoder"] = map[string]any{"type": "Metaspace"} }, ErrUnsupported, `"Metaspace"`},
		{"no pre-tokenizer", func(d map[string]any) { d["pre_tokenizer"] = nil }, ErrUnsupported, "pre_tokenizer"},
		{"pre-tokenizer", func(d map[string]any) { d["pre_tokenizer"] = map[string]any{"type": "Whitespace"} }, ErrUnsupported, `"Whitespace"`},
		{"words alone", func(d map[string]any) { d["pre_tokenizer"] = map[string]any{"type": "WhitespaceSplit"} }, ErrUnsupported, "without a Metaspace"},
		{"words, of which the first gets a space", func(d map[string]any) {
			d["pre_tokenizer"] = map[string]any{"type": "Sequence", "pretokenizers": []any{
				map[string]any{"type": "WhitespaceSplit"}, map[string]any{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"},
			}}
		}, ErrUnsupported, `"first" behind WhitespaceSplit`},
		{"pattern", func(d map[string]any) { split(d)["pattern"] = map[string]any{"Regex": `\w+`} }, ErrUnsupported, `\\w+`},
		{"pattern that is a string", func(d map[string]any) { split(d)["pattern"] = map[string]any{"String": " "} }, ErrUnsupported, "string"},
		{"behavior", func(d map[string]any) { split(d)["behavior"] = "Removed" }, ErrUnsupported, `"Removed"`},
		{"step", func(d map[string]any) { split(d)["type"] = "BertPreTokenizer" }, ErrUnsupported, `"BertPreTokenizer"`},
		{"empty added token", func(d map[string]any) { list(d, "added_tokens", map[string]any{"id": 3, "content": ""}) }, ErrInvalid, "empty"},
		{"long added token", func(d map[string]any) {
			list(d, "added_tokens", map[string]any{"id": tinySize, "content": strings.Repeat("x", 513)})
		}, ErrUnsupported, "513 bytes"},
		{"post-processor", func(d map[string]any) {
			member(d, "post_processor")["single"] = []any{map[string]any{"SpecialToken": map[string]any{"id": "<bos>"}}}
		}, ErrInvalid, "<bos>"},
	} {
		_, err := FromJSON(editedJSON(t, test.edit))
		if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.reason) || !strings.HasPrefix(err.Error(), "tokenizer: tokenizer.json: ") {
			t.Errorf("%s: got %v, want %v with %q", test.name, err, test.kind, test.reason)
		}
	}
	for _, text := range []string{"", "{", "[]", "null", `{"model":7}`, `{"model":{"merges":[[`, "\xff"} {
		if _, err := FromJSON([]byte(text)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: got %v, want ErrInvalid", text, err)
		}
	}
}

func FuzzTokenizerJSON(f *testing.F) {
	data := tinyJSON(f)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte(`{"model":{"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]},"pre_tokenizer":{"type":"ByteLevel"}}`))
	f.Add([]byte(`{"model":{"vocab":{"a":2147483647},"merges":[["a","b"]]}}`))
	categoryPages() // made once, whatever the input
	f.Fuzz(func(t *testing.T, data []byte) {
		var tok *Tokenizer
		var err error
		testdata.CheckAllocation(t, len(data), 1<<20, 512, func() { tok, err = FromJSON(data) })
		if err != nil {
			return
		}
		if tok.Size() > 2*len(data)+2048 {
			t.Errorf("%d tokens from %d bytes", tok.Size(), len(data))
		}
		const text = "hello the world, 123\n"
		if got := tok.Decode(tok.Encode(text, EncodeOptions{})); got != text && tok.pieces == nil && tok.normal == nil {
			t.Errorf("%q comes back as %q", text, got)
		}
	})
}
