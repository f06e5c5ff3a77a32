package tokenizer

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const patternCJK = `[一-龥぀-ゟ゠-ヿ]+`

func TestPattern(t *testing.T) {
	for _, test := range []struct{ source, text, want string }{
		{`a`, "ba", "b·a"},
		{`a|ab`, "ab", "a·b"},
		{`ab|a`, "abac", "ab·a·c"},
		{`a*b`, "aaabaa", "aaab·aa"},
		{`a{2}`, "aaaaa", "aa·aa·a"},
		{`a{2,3}`, "aaaaaa", "aaa·aaa"},
		{`a{2,}b?`, "aaaab", "aaaab"},
		{`a?+a`, "aa", "aa"},
		{`a++a`, "aab", "aab"},
		{`a+(?!b)`, "aaab", "aa·ab"},
		{`a(?=b)`, "aab", "a·a·b"},
		{`\s+$`, "a  b  ", "a  b·  "},
		{`(?i:ab|c)?d`, "ABdCdxd", "ABd·Cd·x·d"},
		{`(a|b)c`, "acbcc", "ac·bc·c"},
		{`a(?:b(?:c)?)?d`, "adabdabcdab", "ad·abd·abcd·ab"},
		{`[a\-c]+`, "a-cbc", "a-c·b·c"},
		{`[\]a-c^]+`, "ab]d^", "ab]·d·^"},
		{`[^a-c]+`, "axyb", "a·xy·b"},
		{`[^\s\P{L}]+`, "a1 b", "a·1 ·b"},
		{`\p{Lu}\p{Ll}+|\S`, "Ab C", "Ab· ·C"},
		{patternCJK, "abc日本ー語 x", "abc·日本ー語· x"},
		{`\p{N}{1,3}`, "x12345y", "x·123·45·y"},
		{`(?i:'s)`, "'S'ſ's", "'S·'ſ·'s"},
		{patternGPT4o, "camelCase HTMLPage don't XML/// 12345\n\n  x", "camel·Case· HTMLPage· don't· XML·///· ·123·45·\n\n· · x"},
		{patternGPT4o, "\xf0\x9f word \xff", "\xf0\x9f· word· \xff"},
		{`\p{L}+`, "a\U00016EA0\U000105C0b\U00033400", "a\U00016EA0\U000105C0b\U00033400"}, // letters of Unicode 16 and 17
	} {
		p, err := parsePattern(test.source)
		if err != nil {
			t.Errorf("%s: %v", test.source, err)
			continue
		}
		if got := strings.Join(cut(p, test.text), "·"); got != test.want {
			t.Errorf("%s splits %q into %q, want %q", test.source, test.text, got, test.want)
		}
	}
}

func TestBadPattern(t *testing.T) {
	for _, test := range []struct {
		source string
		kind   error
		reason string
	}{
		{`\w+`, ErrUnsupported, `\w+`},
		{`a+?`, ErrUnsupported, "?"},
		{`(?<=a)b`, ErrUnsupported, `(?<=a)b`},
		{`(a)+`, ErrUnsupported, "a group is repeated"},
		{`\p{Han}`, ErrUnsupported, "Han"},
		{`[a&&b]`, ErrUnsupported, "&&b]"},
		{`[a[b]]`, ErrUnsupported, "[b]]"},
		{`a{1000000}`, ErrUnsupported, "{1000000}"},
		{`a{2,1}`, ErrUnsupported, "{2,1}"},
		{`a{`, ErrUnsupported, "{"},
		{`a.b`, ErrUnsupported, ".b"},
		{`^a`, ErrUnsupported, "^a"},
		{`a)`, ErrUnsupported, ")"},
		{`(a`, ErrInvalid, "not closed"},
		{`[a`, ErrInvalid, "not closed"},
		{`[z-a]`, ErrInvalid, "range"},
		{`a\`, ErrUnsupported, `\`},
		{"\xff", ErrInvalid, "UTF-8"},
		{strings.Repeat("(", 20) + strings.Repeat(")", 20), ErrUnsupported, "levels"},
		{strings.Repeat("a", maxPatternLen+1), ErrUnsupported, "bytes"},
	} {
		_, err := parsePattern(test.source)
		if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%.40s: got %v, want %v with %q", test.source, err, test.kind, test.reason)
		}
	}
}

// A pattern that looks at the rest of the text from each place in it stops when its work is used up, and loses no text.
func TestPatternWork(t *testing.T) {
	for _, source := range []string{`a*b|a`, `a*a*a*b|a`, `\s*x| `, `(?=a*b)a|a`} {
		p, err := parsePattern(source)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("a ", 10) + strings.Repeat("a", 100_000) + strings.Repeat(" ", 100_000)
		work := workPerByte * len(text)
		got := 0
		for rest := text; rest != ""; {
			n := p.next(rest, &work)
			rest = rest[n:]
			got += n
		}
		if got != len(text) || work < -4*len(text) {
			t.Errorf("%s: pieces have %d bytes, want %d; the work left is %d", source, got, len(text), work)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, source := range []string{patternLlama3, patternGPT2, patternGPT4o, patternCJK, `(?i:a|(b|c)?d)?(?!x)$`, `a{2,3}+b*`} {
		f.Add(source, "Hello, world's 123  日本\n")
	}
	f.Fuzz(func(t *testing.T, source, text string) {
		p, err := parsePattern(source)
		if err != nil {
			return
		}
		if pieces := cut(p, text); strings.Join(pieces, "") != text || slices.Contains(pieces, "") {
			t.Errorf("%s splits %q into %q", source, text, pieces)
		}
	})
}

func TestCategories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.Rune().Draw(t, "rune")
		n := 0
		for _, name := range categoryNames {
			if mustCategories(name).has(categoryOf(r)) {
				n++
			}
		}
		if n > 1 || n == 0 && (isSpace(r) != (r == 0x85 || '\t' <= r && r <= '\r')) {
			t.Errorf("%U is in %d categories", r, n)
		}
	})
	for _, test := range []struct {
		r    rune
		name string
	}{{'a', "Ll"}, {'İ', "Lu"}, {0x1C89, "Lu"}, {0x10D4E, "Lm"}, {0x16EA0, "Lu"}, {0x33479, "Lo"}, {0x11DE0, "Nd"}, {0x1FAE9, "So"}, {0x3000, "Zs"}} {
		if !mustCategories(test.name).has(categoryOf(test.r)) {
			t.Errorf("%U is not in %s", test.r, test.name)
		}
	}
}
