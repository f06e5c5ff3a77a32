package tokenizer

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func TestNormalize(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"plain", "plain"},
		{"e\u0301", "é"},
		{"\u1100\u1161\u11a8", "각"},
		{"a\u0301\u0316", "á\u0316"},
		{"\u212b", "Å"},
		{"a\u034f\u0301", "a\u034f\u0301"},
		{"\xffe\u0301", "\xffé"},
		{"e" + strings.Repeat("\u0301", 40), "é" + strings.Repeat("\u0301", 39)},
		{"e" + strings.Repeat("\u0301\u0316", 40), "é" + strings.Repeat("\u0316", 40) + strings.Repeat("\u0301", 39)},
	} {
		if got := normalize(test.text); got != test.want {
			t.Errorf("normalize(%+q) = %+q, want %+q", test.text, got, test.want)
		}
	}
}

func TestComposeEqualsNorm(t *testing.T) {
	runes := []rune("aeoEA\u0301\u0300\u0316\u0323\u0327\u0308\u212b\u1e9b\u1100\u1161\u11a8가각\u0344\u2adc\u0958日")
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOfN(rapid.OneOf(rapid.SampledFrom(runes), rapid.Rune()), 0, 20, -1).Draw(t, "text")
		if got, want := compose(decompose(s)), norm.NFC.String(s); got != want {
			t.Fatalf("%+q composes into %+q, want %+q", s, got, want)
		}
	})
}
