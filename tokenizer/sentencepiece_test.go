package tokenizer

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lever-go/lever/internal/testdata"
)

func sentencePieceModel(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/sentencepiece/" + name + ".model")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func openModel(t testing.TB, name string) *Tokenizer {
	t.Helper()
	tok, err := Open(fstest.MapFS{"tokenizer.model": {Data: sentencePieceModel(t, name)}})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// asGGUF returns a model of SentencePiece as the metadata of a GGUF file.
func asGGUF(t testing.TB, name string) map[string]any {
	t.Helper()
	s, err := parseSentencePiece(sentencePieceModel(t, name))
	if err != nil {
		t.Fatal(err)
	}
	kinds := make([]int32, len(s.kinds))
	for i, k := range s.kinds {
		kinds[i] = int32(k)
	}
	model := "llama"
	if s.unigram {
		model = "t5"
	}
	return map[string]any{"tokenizer.ggml.model": model, "tokenizer.ggml.tokens": s.texts, "tokenizer.ggml.scores": s.scores,
		"tokenizer.ggml.token_type": kinds, "tokenizer.ggml.add_space_prefix": true, "tokenizer.ggml.remove_extra_whitespaces": s.collapse,
		"tokenizer.ggml.bos_token_id": uint32(1), "tokenizer.ggml.eos_token_id": uint32(2)}
}

func TestSentencePiece(t *testing.T) {
	for _, name := range []string{"bpe", "unigram"} {
		t.Run(name, func(t *testing.T) {
			tok := openModel(t, name)
			fromMeta, err := FromGGUF(asGGUF(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if err := Compatible(tok, fromMeta); err != nil {
				t.Error(err)
			}
			rows := readJSON[[]struct {
				Text, Decoded string
				IDs           []int32
				Rounding      bool // decides, in the file of SentencePiece alone
			}](t, "testdata/sentencepiece/"+name+".json")
			for _, row := range rows {
				if got := tok.Encode(row.Text, EncodeOptions{}); !slices.Equal(got, row.IDs) {
					t.Errorf("Encode(%q) = %v %q, want %v %q", row.Text, got, spelled(tok, got), row.IDs, spelled(tok, row.IDs))
				}
				if got := fromMeta.Encode(row.Text, EncodeOptions{}); !slices.Equal(got, row.IDs) && !row.Rounding && !strings.Contains(row.Text, "\n") && !strings.Contains(row.Text, "<turn>") {
					t.Errorf("GGUF: Encode(%q) = %v, want %v", row.Text, got, row.IDs)
				}
				if name == "unigram" {
					continue // SentencePiece writes ⁇ for the unknown token
				}
				if got := tok.Decode(row.IDs); got != row.Decoded {
					t.Errorf("Decode(%v) = %q, want %q", row.IDs, got, row.Decoded)
				}
				stream, text := tok.NewStream(), ""
				for _, id := range row.IDs {
					text += stream.Next(id)
				}
				if text += stream.Flush(); strings.TrimPrefix(text, " ") != row.Decoded {
					t.Errorf("streamed %q, want %q", text, row.Decoded)
				}
			}
		})
	}
}

func TestSentencePieceTokens(t *testing.T) {
	tok := openModel(t, "bpe")
	if id := tok.bytes['\t']; tok.Token(id) != "\t" || tok.IsSpecial(id) {
		t.Errorf("the token of a tab is %q", tok.Token(id))
	}
	if ids := tok.Encode("\xff\xf0\x9f", EncodeOptions{}); strings.Join(spelled(tok, ids), "") != " \xff\xf0\x9f" {
		t.Errorf("bytes that are not UTF-8 become %q", spelled(tok, ids))
	}
	if ids := tok.Encode("a</s>", EncodeOptions{}); slices.Contains(ids, 2) {
		t.Errorf("text forges the end: %v", ids)
	}
	if ids := tok.Encode("a</s>", EncodeOptions{ParseSpecial: true, AddBOS: tok.AddBOS()}); ids[0] != 1 || ids[len(ids)-1] != 2 || !tok.IsSpecial(2) {
		t.Errorf("control tokens: %v", ids)
	}
	if !slices.Equal(tok.EOS(), []int32{2}) {
		t.Errorf("EOS() = %v", tok.EOS())
	}
}

// asJSON returns a BPE model of SentencePiece as a tokenizer.json, with merges instead of scores.
func asJSON(t testing.TB, tok *Tokenizer, normalizer, preTokenizer any) []byte {
	t.Helper()
	s, err := parseSentencePiece(sentencePieceModel(t, "bpe"))
	if err != nil {
		t.Fatal(err)
	}
	vocab := map[string]int{}
	for id, text := range s.texts {
		vocab[text] = id
	}
	type rule struct {
		rank  int32
		parts [2]string
	}
	var rules []rule
	for pair, to := range tok.merges {
		rules = append(rules, rule{to.rank, [2]string{s.texts[pair>>32], s.texts[uint32(pair)]}})
	}
	slices.SortFunc(rules, func(a, b rule) int { return int(a.rank - b.rank) })
	merges := [][2]string{}
	for _, r := range rules {
		merges = append(merges, r.parts)
	}
	data, err := json.Marshal(map[string]any{
		"added_tokens":  []any{map[string]any{"id": 1, "content": "<s>", "special": true}},
		"normalizer":    normalizer,
		"pre_tokenizer": preTokenizer,
		"model":         map[string]any{"type": "BPE", "byte_fallback": true, "fuse_unk": true, "unk_token": "<unk>", "vocab": vocab, "merges": merges},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wordsJSON returns the unigram model as a tokenizer.json with the steps of T5's, which split at white space, but NFKC in place of its own table.
func wordsJSON(t testing.TB) []byte {
	t.Helper()
	type object = map[string]any
	s, err := parseSentencePiece(sentencePieceModel(t, "unigram"))
	if err != nil {
		t.Fatal(err)
	}
	var vocab, control []any
	for id, text := range s.texts {
		vocab = append(vocab, []any{text, s.scores[id]})
		if s.kinds[id] == controlPiece || s.kinds[id] == unknownPiece {
			control = append(control, object{"id": id, "content": text, "special": true})
		}
	}
	metaspace := object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}
	data, err := json.Marshal(object{
		"added_tokens":  control,
		"normalizer":    object{"type": "NFKC"},
		"pre_tokenizer": object{"type": "Sequence", "pretokenizers": []any{object{"type": "WhitespaceSplit"}, metaspace}},
		"decoder":       metaspace,
		"model":         object{"type": "Unigram", "unk_id": slices.Index(s.kinds, unknownPiece), "vocab": vocab},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A unigram model in a tokenizer.json that splits at white space gives the tokens that the library @huggingface/tokenizers gives.
func TestUnigramOfWords(t *testing.T) {
	tok, err := FromJSON(wordsJSON(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range readJSON[[]struct {
		Text string
		IDs  []int32
	}](t, "testdata/sentencepiece/words.json") {
		if got := tok.Encode(row.Text, EncodeOptions{ParseSpecial: true}); !slices.Equal(got, row.IDs) {
			t.Errorf("Encode(%q) = %v %q, want %v %q", row.Text, got, spelled(tok, got), row.IDs, spelled(tok, row.IDs))
		}
	}
}

func TestMetaspace(t *testing.T) {
	type object = map[string]any
	model := openModel(t, "bpe")
	replace := object{"type": "Replace", "pattern": object{"String": " "}, "content": "▁"}
	metaspace := func(scheme string) object {
		return object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false}
	}
	for _, test := range []struct {
		name                     string
		normalizer, preTokenizer any
		want                     string // the text of all tokens
	}{
		{"prepend", object{"type": "Sequence", "normalizers": []any{object{"type": "Prepend", "prepend": "▁"}, replace}}, nil, "  a b<s> c"},
		{"replace", replace, nil, " a b<s>c"},
		{"always", nil, metaspace("always"), " a b<s> c"},
		{"first", nil, metaspace("first"), " a b<s>c"},
		{"never", nil, metaspace("never"), " a b<s>c"},
	} {
		tok, err := FromJSON(asJSON(t, model, test.normalizer, test.preTokenizer))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := strings.Join(spelled(tok, tok.Encode(" a▁b<s>c", EncodeOptions{ParseSpecial: true})), ""); got != test.want {
			t.Errorf("%s: tokens %q, want %q", test.name, got, test.want)
		}
	}
	if _, err := FromJSON(asJSON(t, model, nil, nil)); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "Metaspace") {
		t.Errorf("no step for spaces: %v", err)
	}
}

// Added tokens take white space along, or stand only between words.
func TestAddedTokenSides(t *testing.T) {
	data := editedJSON(t, func(doc map[string]any) {
		for i, a := range []map[string]any{{"content": "<l>", "lstrip": true}, {"content": "<r>", "rstrip": true}, {"content": "<w>", "single_word": true}} {
			a["id"] = tinySize + i
			doc["added_tokens"] = append(doc["added_tokens"].([]any), a)
		}
	})
	tok, err := FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"a \t<l> b": "a<l> b", "a <r>\n b": "a <r>b", "<r> <l>": "<r><l>", "a <w> b": "a <w> b",
	} {
		if got := strings.Join(spelled(tok, tok.Encode(text, EncodeOptions{})), ""); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if ids := tok.Encode("a<w>b <w>", EncodeOptions{}); slices.Index(ids, tinySize+2) != len(ids)-1 {
		t.Errorf("<w> is found inside a word: %v", ids)
	}
}

func TestBadSentencePiece(t *testing.T) {
	whole := sentencePieceModel(t, "unigram")
	for name, data := range map[string][]byte{
		"cut": whole[:len(whole)-3], "empty piece": {0x0a, 0, 0, 0}, "no pieces": {0x12, 0, 0}, "a long length": {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0},
	} {
		if _, err := fromSentencePiece(data); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	if _, err := fromSentencePiece(append(slices.Clone(whole), 0x12, 2, 0x18, 3)); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "model type 3") {
		t.Errorf("a model of words: %v", err)
	}
}

func FuzzSentencePiece(f *testing.F) {
	for _, name := range []string{"bpe", "unigram"} {
		data := sentencePieceModel(f, name)
		f.Add(data[:len(data)/8], "Hello world\n")
	}
	f.Add([]byte("\x0a\x05\x0a\x01a\x18\x06"), "a")
	f.Add([]byte("\x0a\x0a\x0a\x03abc\x15\x00\x00\xc0\x7f\x12\x02\x18\x01\x1a\x0c\x12\x0a\x04\x00\x00\x00\xff\xff\xff\xff\xff\xff"), "abcabc")
	categoryPages()
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		var tok *Tokenizer
		var err error
		testdata.CheckAllocation(t, len(data), 1<<20, 1024, func() { tok, err = fromSentencePiece(data) })
		if err != nil {
			return
		}
		tok.Decode(tok.Encode(text[:min(len(text), 1000)], EncodeOptions{ParseSpecial: true}))
	})
}

func FuzzCharsmap(f *testing.F) {
	f.Add([]byte{4, 0, 0, 0, 0, 4, 0, 0, 'x', 0}, "text")
	f.Add([]byte{8, 0, 0, 0, 'a', 1, 0, 0x80, 0xff, 0xff, 0xff, 0xff}, "aa")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		if m, err := parseCharsmap(data); err == nil {
			if out := m.apply(text); len(out) > len(text)*(len(data)+1) {
				t.Errorf("%d bytes become %d", len(text), len(out))
			}
		}
	})
}
