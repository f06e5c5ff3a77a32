package tokenizer

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestEncode(t *testing.T) {
	tok := tiny(t)
	for _, test := range []struct {
		name, text string
		opts       EncodeOptions
		want       string // tokens joined by "·"
	}{
		{"empty", "", EncodeOptions{}, ""},
		{"empty with BOS", "", EncodeOptions{AddBOS: true}, "<|begin_of_text|>"},
		{"words", "hello the world", EncodeOptions{}, "hello· the· world"},
		{"partial merges", "hell the", EncodeOptions{}, "hell· the"},
		{"spaces", "a      b", EncodeOptions{}, "a·    · · ·b"},
		{"numbers", "12312", EncodeOptions{}, "123·12"},
		{"accent", "é", EncodeOptions{}, "é"},
		{"special as text", "<|eot_id|>", EncodeOptions{}, "<·|·e·o·t·_·i·d·|·>"},
		{"special", "a<|eot_id|> the", EncodeOptions{ParseSpecial: true}, "a·<|eot_id|>· the"},
		{"special twice", "<|eot_id|><|eot_id|>", EncodeOptions{ParseSpecial: true}, "<|eot_id|>·<|eot_id|>"},
		{"almost special", "<|eot_id|<|eot_id|>", EncodeOptions{ParseSpecial: true}, "<·|·e·o·t·_·i·d·|·<|eot_id|>"},
		{"plain added token", "<think>he", EncodeOptions{}, "<think>·he"},
		{"all", "<|eot_id|>hello", EncodeOptions{AddBOS: true, ParseSpecial: true}, "<|begin_of_text|>·<|eot_id|>·hello"},
		{"not UTF-8", "\xff\xc3", EncodeOptions{}, "\xff·\xc3"},
	} {
		var got []string
		for _, id := range tok.Encode(test.text, test.opts) {
			got = append(got, tok.Token(id))
		}
		if joined := strings.Join(got, "·"); joined != test.want {
			t.Errorf("%s: %q encodes into %q, want %q", test.name, test.text, joined, test.want)
		}
	}
}

func TestLongestAddedTokenWins(t *testing.T) {
	data := editedJSON(t, func(doc map[string]any) {
		doc["added_tokens"] = append(doc["added_tokens"].([]any),
			map[string]any{"id": tinySize, "content": "<a>", "special": true},
			map[string]any{"id": tinySize + 1, "content": "<a><a>!", "special": true},
			map[string]any{"id": tinySize + 2, "content": "<a>b", "special": false})
	})
	tok, err := FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		text string
		opts EncodeOptions
		want []int32
	}{
		{"<a>", EncodeOptions{ParseSpecial: true}, []int32{tinySize}},
		{"<a><a>!", EncodeOptions{ParseSpecial: true}, []int32{tinySize + 1}},
		{"<a><a>b", EncodeOptions{ParseSpecial: true}, []int32{tinySize, tinySize + 2}},
		{"<a>b", EncodeOptions{}, []int32{tinySize + 2}},
	} {
		if got := tok.Encode(test.text, test.opts); !slices.Equal(got, test.want) {
			t.Errorf("%q encodes into %v, want %v", test.text, got, test.want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	tok := tiny(t)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`( ?(the|hello|world|<\|eot_id\|>|'s|\n|é|12)){0,20}`)).Draw(t, "text")
		ids := tok.Encode(text, EncodeOptions{ParseSpecial: true})
		if got := tok.Decode(ids); got != text {
			t.Fatalf("Decode(Encode(%q)) = %q", text, got)
		}
	})
}

func TestHostileTexts(t *testing.T) {
	tok := tiny(t)
	for _, text := range hostileTexts {
		t.Run(text.name, func(t *testing.T) {
			s := text.make(100_000)
			ids := tok.Encode(s, EncodeOptions{ParseSpecial: true})
			if got := tok.Decode(ids); got != strings.ToValidUTF8(s, "\uFFFD") && text.name != "not-utf8" {
				t.Error("the text does not come back")
			}
			if again := tok.Encode(s, EncodeOptions{ParseSpecial: true}); !slices.Equal(again, ids) {
				t.Error("the second time gives other tokens")
			}
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	tok := tiny(t)
	texts := []string{"hello the world 123", strings.Repeat("the hello ", 200), "é\n\n<|eot_id|>"}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				for _, text := range texts {
					if got := tok.Decode(tok.Encode(text, EncodeOptions{})); got != text {
						t.Errorf("%q comes back as %q", text, got)
					}
				}
				if _, err := tok.Chat(t.Context(), []Message{{Role: "user", Content: "hello"}}, ChatOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzEncodeDecode(f *testing.F) {
	tok := tiny(f)
	for _, text := range hostileTexts {
		f.Add(text.make(100), true)
	}
	f.Add("hello the world<|eot_id|>", false)
	f.Fuzz(func(t *testing.T, text string, special bool) {
		ids := tok.Encode(text, EncodeOptions{ParseSpecial: special})
		raw := ""
		stream, streamed := tok.NewStream(), ""
		for _, id := range ids {
			raw += tok.Token(id)
			streamed += stream.Next(id)
		}
		streamed += stream.Flush()
		if raw != text {
			t.Errorf("the tokens of %q are %q", text, raw)
		}
		if decoded := tok.Decode(ids); decoded != streamed {
			t.Errorf("Decode gives %q, a Stream %q", decoded, streamed)
		}
	})
}
