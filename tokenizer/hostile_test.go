package tokenizer

import (
	"math/rand/v2"
	"strings"
)

// hostileTexts are texts on which careless tokenizers take quadratic time; make returns about n bytes.
var hostileTexts = []struct {
	name string
	make func(n int) string
}{
	{"letters", func(n int) string { return randomBytes("abcdefghijklmnopqrstuvwxyz", n) }},
	{"one-letter", func(n int) string { return strings.Repeat("a", n) }},
	{"spaces", func(n int) string { return strings.Repeat(" ", n) + "x" }},
	{"lines", func(n int) string { return strings.Repeat("\n ", n/2) + "x" }},
	{"digits", func(n int) string { return randomBytes("0123456789", n) }},
	{"punctuation", func(n int) string { return randomBytes("!?.,;:-_()[]{}", n) }},
	{"one-mark", func(n int) string { return strings.Repeat("=", n) }},
	{"angles", func(n int) string { return strings.Repeat("<", n) }},
	{"almost-special", func(n int) string { return strings.Repeat("<|reserved_special_token_", n/25) }},
	{"apostrophes", func(n int) string { return strings.Repeat("'", n) }},
	{"combining", func(n int) string { return "a" + strings.Repeat("\u0316\u0301", n/4) }},
	{"zero-bytes", func(n int) string { return strings.Repeat("\x00", n) }},
	{"not-utf8", func(n int) string { return strings.Repeat("\xf0\x9f", n/2) }},
	{"cjk", func(n int) string { return strings.Repeat("日本語", n/9) }},
}

func randomBytes(alphabet string, n int) string {
	source := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, n)
	for i := range text {
		text[i] = alphabet[source.IntN(len(alphabet))]
	}
	return string(text)
}
