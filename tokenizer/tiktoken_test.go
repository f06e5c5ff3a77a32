package tokenizer

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/testdata"
)

// tiktokenFile returns a file of the 256 bytes and of tokens.
func tiktokenFile(tokens ...string) []byte {
	var all []string
	for b := range 256 {
		all = append(all, string([]byte{byte(b)}))
	}
	var b strings.Builder
	for rank, token := range append(all, tokens...) {
		fmt.Fprintf(&b, "%s %d\n", base64.StdEncoding.EncodeToString([]byte(token)), rank)
	}
	return []byte(b.String())
}

func TestTiktoken(t *testing.T) {
	data := tiktokenFile("he", "ll", "llo", "hello", " w", "or", " wor", "hexx")
	llama, err := FromTiktoken(data, Llama3)
	if err != nil {
		t.Fatal(err)
	}
	qwen, err := FromTiktoken(data, Qwen)
	if err != nil {
		t.Fatal(err)
	}
	const hello, wor, hexx, bos = 259, 262, 263, 264
	if got := llama.Encode("hello wor", EncodeOptions{AddBOS: true}); !slices.Equal(got, []int32{bos, hello, wor}) {
		t.Errorf("got %v", got)
	}
	// No merge makes "hexx": Llama-3 takes a piece that is a token whole, Qwen does not.
	if got := llama.Encode("hexx", EncodeOptions{}); !slices.Equal(got, []int32{hexx}) {
		t.Errorf("Llama-3: got %v", got)
	}
	if got := qwen.Encode("hexx", EncodeOptions{}); !slices.Equal(got, []int32{256, 'x', 'x'}) {
		t.Errorf("Qwen: got %v", got)
	}
	if got := qwen.Encode("e\u0301", EncodeOptions{}); !slices.Equal(got, []int32{0xc3, 0xa9}) {
		t.Errorf("Qwen normalises to %v", got)
	}
	if _, ok := qwen.BOS(); ok || !llama.AddBOS() || qwen.AddBOS() {
		t.Error("Llama-3 begins with a token, Qwen does not")
	}
	if id, ok := qwen.Special("<think>"); !ok || qwen.IsSpecial(id) {
		t.Errorf("<think> is %d, %v, control %v", id, ok, qwen.IsSpecial(id))
	}
}

func TestBadTiktoken(t *testing.T) {
	for _, test := range []struct {
		name, data string
		kind       error
		reason     string
	}{
		{"empty", "", ErrUnsupported, "byte 0x00"},
		{"no rank", "YQ==\n", ErrInvalid, "line 1: no rank"},
		{"no base64", "!! 0\n", ErrInvalid, "line 1"},
		{"no number", "YQ== x\n", ErrInvalid, "line 1: rank"},
		{"gap", "YQ== 0\nYg== 2\n", ErrInvalid, "rank 2 where 1"},
		{"empty token", " 0\n", ErrInvalid, "empty"},
		{"SentencePiece", "\x0a\x0d\x0a\x05<unk>\x15\x00\x00\x00\x00\x18\x02", ErrUnsupported, "SentencePiece"},
	} {
		_, err := FromTiktoken([]byte(test.data), Llama3)
		if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s: got %v, want %v with %q", test.name, err, test.kind, test.reason)
		}
	}
	if _, err := FromTiktoken(tiktokenFile(), Family(9)); !errors.Is(err, ErrUnsupported) {
		t.Errorf("unknown family: got %v", err)
	}
}

func FuzzTiktoken(f *testing.F) {
	f.Add(tiktokenFile("he", "llo"))
	f.Add([]byte("YQ== 0\n"))
	f.Add([]byte("YQ== 4000000000\n"))
	f.Add([]byte("\x0a\x05"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, family := range []Family{Llama3, Qwen} {
			var tok *Tokenizer
			var err error
			testdata.CheckAllocation(t, len(data), 1<<20, 512, func() { tok, err = FromTiktoken(data, family) })
			if err != nil {
				continue
			}
			if tok.Size() > len(data)+512 {
				t.Errorf("%d tokens from %d bytes", tok.Size(), len(data))
			}
			tok.Encode("hello the world, 123\n", EncodeOptions{})
		}
	})
}
