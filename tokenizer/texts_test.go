package tokenizer

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/testdata"
)

// What random texts are made of.
var textParts = [][]string{
	strings.Fields("the of and streaming Tokens model's I'll DON'T we've 'tis x'd flash storage verification HTTPServer snake_case mp3 antidisestablishmentarianism"),
	{"Привет, как дела", "今天天气很好，", "日本語のテキスト", "한국어 문장을", "مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया", "สวัสดีชาวโลก", "Việt Nam", "Straße façade", "தமிழ்"},
	{"7", "42", "1999", "3.14159", "1,000,000", "0x1F", "²", "٣٤٥", "Ⅻ", "1e-9"},
	{"👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "👍🏽", "é", "Z͑ͫ̓a̴l̷g̸o̵", "ﬁ", "①", "ｱｲｳ", "Å", "각", "ſs"},
	{"for (int i = 0; i < n; i++) {\n\tx[i] += 1;\n}", "def f(x):\n    return x**2  # square\n", "if err != nil {\r\n\treturn err\r\n}", "https://example.com/a?b=c&d=%20#e", "->::", "!!!", "/* c */"},
	{" ", "  ", "   ", "\n", "\n\n", "\t", " \n", "\n ", "\r\n", "        ", "\u00a0", "\u3000", "\u200b", "\ufeff", "\x00"},
	{"<|eot_id|>", "<|im_start|>", "<|endoftext|>", "<s>", "<think>", "<|begin_of_text|>", "<|im_end", "[INST]"},
}

// textRunes are ranges of characters of many scripts.
var textRunes = [][2]rune{
	{0x21, 0x7e}, {0xa1, 0x24f}, {0x250, 0x36f}, {0x370, 0x52f}, {0x530, 0x6ff}, {0x900, 0xdff}, {0xe00, 0x11ff}, {0x2000, 0x2bff}, {0x3000, 0x31ff},
	{0x4e00, 0x9fff}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xff00, 0xffef}, {0x10000, 0x107ff}, {0x1d000, 0x1d7ff}, {0x1f300, 0x1faff}, {0x20000, 0x2a6df},
}

// randomTexts returns n texts, the same every time.
func randomTexts(n int) (texts []string) {
	rng := rand.New(rand.NewPCG(3, 5))
	for range n {
		var text strings.Builder
		for range 1 + rng.IntN(12) {
			kind := rng.IntN(len(textParts) + 3)
			switch {
			case kind < len(textParts):
				text.WriteString(textParts[kind][rng.IntN(len(textParts[kind]))])
			case kind == len(textParts):
				for range 1 + rng.IntN(4) {
					r := textRunes[rng.IntN(len(textRunes))]
					text.WriteRune(r[0] + rng.Int32N(r[1]-r[0]+1))
				}
			default:
				text.WriteString(textParts[0][rng.IntN(len(textParts[0]))])
			}
			if rng.IntN(2) == 0 {
				text.WriteByte(' ')
			}
		}
		texts = append(texts, text.String())
	}
	return texts
}

// textsOfSum are as many texts as a checksum of testdata/texts.json is of.
const textsOfSum = 1000

// TestManyTexts compares checksums of the tokens of 52,000 texts with those of another program; testdata/README.md says how they were made. It writes the
// texts to the file that LEVER_WRITE_TEXTS names.
func TestManyTexts(t *testing.T) {
	texts := randomTexts(52_000)
	if path := os.Getenv("LEVER_WRITE_TEXTS"); path != "" {
		raw, err := json.Marshal(texts)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range readJSON[map[string][]string](t, filepath.Join("testdata", "texts.json")) {
		t.Run(name, func(t *testing.T) {
			tok := openDir(t, testdata.Shared(t, "data/tokenizers/"+name))
			if len(want) != len(texts)/textsOfSum {
				t.Fatalf("%d checksums of %d texts", len(want), len(texts))
			}
			i := 0
			for part := range slices.Chunk(texts, textsOfSum) {
				if testing.Short() && i == 2 {
					break
				}
				hash := sha256.New()
				for _, text := range part {
					for _, id := range tok.Encode(text, EncodeOptions{ParseSpecial: true}) {
						fmt.Fprintf(hash, "%d,", id)
					}
					fmt.Fprint(hash, ";")
				}
				if got := fmt.Sprintf("%x", hash.Sum(nil)[:8]); got != want[i] {
					t.Errorf("texts %d to %d have tokens of checksum %s, the other program has %s", i*textsOfSum, (i+1)*textsOfSum-1, got, want[i])
				}
				i++
			}
		})
	}
}
