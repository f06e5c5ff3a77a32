package tokenizer

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// byteIDs returns the tokens of single bytes.
func byteIDs(tok *Tokenizer, raw string) []int32 {
	var ids []int32
	for i := range len(raw) {
		ids = append(ids, tok.bytes[raw[i]])
	}
	return ids
}

func TestStream(t *testing.T) {
	tok := tiny(t)
	for _, test := range []struct {
		name, raw string
		want      []string // what each byte completes, then what Flush returns
	}{
		{"ASCII", "ab", []string{"a", "b", ""}},
		{"two bytes", "é", []string{"", "é", ""}},
		{"four bytes", "🙂", []string{"", "", "", "🙂", ""}},
		{"no beginning", "\x80a", []string{"\uFFFD", "a", ""}},
		{"never a byte", "\xff", []string{"\uFFFD", ""}},
		{"broken off", "\xe2\x82a", []string{"", "", "\uFFFDa", ""}},
		{"incomplete at the end", "\xf0\x9f\x99", []string{"", "", "", "\uFFFD"}},
		{"surrogate", "\xed\xa0\x80", []string{"", "\uFFFD\uFFFD", "\uFFFD", ""}},
		{"overlong", "\xc0\xaf", []string{"\uFFFD", "\uFFFD", ""}},
		{"beginning after beginning", "\xc3\xc3\xa9", []string{"", "\uFFFD", "é", ""}},
	} {
		stream := tok.NewStream()
		var got []string
		for _, id := range byteIDs(tok, test.raw) {
			got = append(got, stream.Next(id))
		}
		got = append(got, stream.Flush())
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q streams as %q, want %q", test.name, test.raw, got, test.want)
		}
		if all := tok.Decode(byteIDs(tok, test.raw)); all != strings.Join(got, "") {
			t.Errorf("%s: Decode gives %q, the stream %q", test.name, all, got)
		}
	}
}

func TestStreamEqualsDecode(t *testing.T) {
	tok := tiny(t)
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOf(rapid.OneOf(rapid.SampledFrom([]byte("\xe2\x82\xac\xf0\x9f\x99\x82\xed\xa0\xc3a")), rapid.Byte())).Draw(t, "bytes")
		ids := byteIDs(tok, string(raw))
		stream, streamed := tok.NewStream(), ""
		for _, id := range ids {
			piece := stream.Next(id)
			if !utf8.ValidString(piece) {
				t.Fatalf("piece %q is not UTF-8", piece)
			}
			streamed += piece
		}
		streamed += stream.Flush()
		if decoded := tok.Decode(ids); decoded != streamed {
			t.Fatalf("Decode gives %q, a Stream %q", decoded, streamed)
		}
		if utf8.Valid(raw) && streamed != string(raw) {
			t.Fatalf("%q streams as %q", raw, streamed)
		}
	})
}

func TestStreamSkipsSpecial(t *testing.T) {
	tok := tiny(t)
	ids := tok.Encode("<think>a</think>b<|eot_id|>", EncodeOptions{AddBOS: true, ParseSpecial: true})
	stream, got := tok.NewStream(), ""
	stream.SkipSpecial = true
	for _, id := range ids {
		got += stream.Next(id)
	}
	if want := "<think>a</think>b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// A control token ends a character, in the text that is left out too.
	got = ""
	for _, id := range append(tok.Encode("\xE2", EncodeOptions{}), append(tok.EOS()[:1:1], tok.Encode("\x82\xACx", EncodeOptions{})...)...) {
		got += stream.Next(id)
	}
	if want := "\uFFFD\uFFFD\uFFFDx"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := tok.Decode(ids), "<|begin_of_text|><think>a</think>b<|eot_id|>"; got != want {
		t.Errorf("Decode gives %q, want %q", got, want)
	}
}

func TestUnknownIDs(t *testing.T) {
	tok := tiny(t)
	for _, id := range []int32{-1, tinySize, 1 << 30} {
		if tok.Token(id) != "" || tok.Decode([]int32{id}) != "" || tok.NewStream().Next(id) != "" || tok.IsSpecial(id) {
			t.Errorf("id %d stands for something", id)
		}
	}
}

func TestStreamAllocates(t *testing.T) {
	tok := tiny(t)
	stream := tok.NewStream()
	id := tok.bytes[0xe2] // completes nothing
	stream.Next(id)
	if n := testing.AllocsPerRun(100, func() { stream.Next(id); stream.Flush() }); n > 1 {
		t.Errorf("%v allocations a token", n)
	}
}
