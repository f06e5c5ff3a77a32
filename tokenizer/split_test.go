package tokenizer

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func cut(split splitter, s string) []string {
	var out []string
	work := workPerByte * (len(s) + 64)
	for s != "" {
		n := split.next(s, &work)
		out = append(out, s[:n])
		s = s[n:]
	}
	return out
}

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		text               string
		llama3, qwen, gpt2 string // pieces joined by "·"
	}{
		{"Hello world", "Hello· world", "Hello· world", "Hello· world"},
		{"don't WE'LL", "don·'t· WE·'LL", "don·'t· WE·'LL", "don·'t· WE·'·LL"},
		{"it'ſ", "it·'ſ", "it·'ſ", "it·'·ſ"},
		{"'x 're", "'x· '·re", "'x· '·re", "'·x· '·re"},
		{"12345", "123·45", "1·2·3·4·5", "12345"},
		{" 42", " ·42", " ·4·2", " 42"},
		{"a  b", "a· · b", "a· · b", "a· · b"},
		{"a \n b", "a· \n· b", "a· \n· b", "a· \n· b"},
		{"a\n\n  b", "a·\n\n· · b", "a·\n\n· · b", "a·\n\n · b"},
		{"x  ", "x·  ", "x·  ", "x·  "},
		{"(f)!?\r\n\r\ny", "(f·)!?\r\n\r\n·y", "(f·)!?\r\n\r\n·y", "(·f·)!?·\r\n\r·\n·y"},
		{"\tx", "\tx", "\tx", "\t·x"},
		{"日本 語", "日本· 語", "日本· 語", "日本· 語"},
		{"½²", "½²", "½·²", "½²"},
		{" \u3000é", " ·\u3000é", " ·\u3000é", " ·\u3000·é"},
		{"\xff\xfea", "\xff\xfe·a", "\xff\xfe·a", "\xff\xfe·a"},
	} {
		for _, pattern := range []struct {
			name  string
			split scanner
			want  string
		}{{"llama3", splitLlama3, test.llama3}, {"qwen", splitQwen, test.qwen}, {"gpt2", splitGPT2, test.gpt2}} {
			if got := strings.Join(cut(pattern.split, test.text), "·"); got != pattern.want {
				t.Errorf("%s: %q splits into %q, want %q", pattern.name, test.text, got, pattern.want)
			}
		}
	}
}

// reference splits as a backtracking engine does, alternative by alternative.
type reference []*regexp.Regexp

// lookahead stands for \s+(?!\S), which package regexp cannot express.
var lookahead = regexp.MustCompile(`^[\s\v\x{85}\p{Z}]+`)

func newReference(pattern string) reference {
	var r reference
	depth, from := 0, 0
	for i := 0; i <= len(pattern); i++ {
		switch {
		case i == len(pattern) || pattern[i] == '|' && depth == 0:
			alternative := pattern[from:i]
			from = i + 1
			if alternative == `\s+(?!\S)` {
				r = append(r, lookahead)
				continue
			}
			alternative = strings.ReplaceAll(alternative, `[^\s`, `[^\s\v\x{85}\p{Z}`)
			alternative = strings.NewReplacer(`\s*`, `[\s\v\x{85}\p{Z}]*`, `\s+`, `[\s\v\x{85}\p{Z}]+`).Replace(alternative)
			r = append(r, regexp.MustCompile("^(?:"+alternative+")"))
		case pattern[i] == '(':
			depth++
		case pattern[i] == ')':
			depth--
		}
	}
	return r
}

func (r reference) first(s string) int {
	for _, alternative := range r {
		n := len(alternative.FindString(s))
		if alternative == lookahead && n < len(s) {
			_, last := utf8.DecodeLastRuneInString(s[:n])
			n -= last
		}
		if n > 0 {
			return n
		}
	}
	panic("no alternative matches " + s)
}

func TestSplitEqualsPattern(t *testing.T) {
	runes := []rune("aZſ''sSTtrReEvVmMlLdD  12½٣\t\n\r\v\u0085\u00a0\u3000\u2028,.!-日é🙂\u0301\u0000K")
	for _, source := range []string{patternLlama3, patternQwen, patternGPT2} {
		byHand, err := splitterFor(source)
		if err != nil {
			t.Fatal(err)
		}
		compiled, err := parsePattern(source)
		if err != nil {
			t.Fatal(err)
		}
		// Package regexp knows the characters of an older Unicode, so it gets chosen ones.
		reference := scanner(newReference(source).first)
		rapid.Check(t, func(t *rapid.T) {
			s := rapid.StringOfN(rapid.SampledFrom(runes), 0, 40, -1).Draw(t, "text")
			want := cut(reference, s)
			if got := cut(byHand, s); !slices.Equal(got, want) {
				t.Fatalf("%q splits into %q, want %q by %s", s, got, want, source)
			}
			if got := cut(compiled, s); !slices.Equal(got, want) {
				t.Fatalf("%q splits into %q, want %q by the compiled %s", s, got, want, source)
			}
			s = rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "any")
			if got, want := cut(compiled, s), cut(byHand, s); !slices.Equal(got, want) {
				t.Fatalf("%q splits into %q by the compiled %s, and by hand into %q", s, got, source, want)
			}
		})
	}
}

func TestUnknownPattern(t *testing.T) {
	_, err := splitterFor(`\w+|\W+`)
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), `\\w+|\\W+`) {
		t.Errorf("got %v, want ErrUnsupported with the pattern", err)
	}
}
