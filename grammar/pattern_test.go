package grammar

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// patterns draws patterns that mean the same to package regexp.
func patterns(t *rapid.T, depth int) string {
	atoms := []string{"a", "b", "é", "😀", `"`, `\\`, `\.`, `\n`, ".", "[ab]", "[^b]", "[^\"-a\\n]", `\d`, `\W`, `[\w-]`, `[^\D5]`, `\x62`, `\p{Lu}`, `\P{L}`, "^", "$", "x{", ""}
	if depth == 0 {
		return rapid.SampledFrom(atoms).Draw(t, "atom")
	}
	one := func() string { return patterns(t, depth-1) }
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return one() + one() + one()
	case 1:
		return "(" + one() + "|" + one() + ")"
	case 2:
		return "(?:" + one() + ")" + rapid.SampledFrom([]string{"*", "+", "?", "*?", "{2}", "{1,3}", "{2,}", "{0}"}).Draw(t, "times")
	}
	return one()
}

// quoteAsWritten is the one spelling that strings with a pattern have.
func quoteAsWritten(s string) string {
	return strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029").Replace(quoted(s))
}

// The strings that can be written are those of which some part matches, within the limits of their length; and if there are some, no choice of
// tokens leads where there are none.
func TestPatternsAgreeWithPackageRegexp(t *testing.T) {
	v := testVocabulary(t)
	rapid.Check(t, func(t *rapid.T) {
		pattern := patterns(t, 3)
		oracle, err := regexp.Compile(pattern)
		if err != nil {
			t.Skip(err)
		}
		s := map[string]any{"pattern": pattern}
		least, most := rapid.IntRange(0, 4).Draw(t, "least"), rapid.IntRange(-3, 9).Draw(t, "most")
		if least > 0 {
			s["minLength"] = least
		}
		if most >= 0 {
			s["maxLength"] = max(least, most)
		}
		schema, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		wanted := func(text string) bool {
			n := len([]rune(text))
			return oracle.MatchString(text) && n >= least && (most < 0 || n <= max(least, most))
		}
		text := rapid.StringOfN(rapid.RuneFrom([]rune("abé😀\"\\.\n5-A \x00\u2028z")), 0, 6, -1).Draw(t, "text")
		g, err := v.JSONSchema(context.Background(), schema)
		if err != nil {
			if !strings.Contains(err.Error(), "no string of the wanted length matches") || wanted(text) {
				t.Fatalf("%s: %v, and %q would match", schema, err, text)
			}
			return
		}
		if dot := strings.ContainsRune(text, '\u2028') && strings.Contains(pattern, "."); !dot && accepts(g, quoteAsWritten(text)) != wanted(text) {
			t.Fatalf("%s: %q can be written: %v", schema, text, !wanted(text))
		}
		m := g.Matcher(context.Background())
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		var written []int32
		for state := 0; len(written) < 40; {
			choices := allowed(m.Allowed(state))
			if len(choices) == 0 {
				t.Fatalf("%s: after %q nothing is allowed", schema, v.spell(written))
			}
			token := choices[random.IntN(len(choices))]
			if state = m.Next(state, token); token == eos || token == other {
				var text string
				if err := json.Unmarshal([]byte(v.spell(written)), &text); err != nil || !wanted(text) {
					t.Fatalf("%s: %q was written: %v", schema, v.spell(written), err)
				}
				return
			}
			written = append(written, token)
		}
	})
}

// What ECMA-262 understands otherwise than package regexp does.
func TestPatternsOfECMA(t *testing.T) {
	v := testVocabulary(t)
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{`^.$`, []string{"a", "é", "😀"}, []string{"\n", "\r", "\u2028", ""}},
		{`^\s$`, []string{" ", "\t", "\v", "\u00a0", "\ufeff", "\u2029"}, []string{"x", "\u200b"}},
		{`^\S$`, []string{"x"}, []string{"\u3000"}},
		{`^\u00e9\u{1F600}\ud83d\ude00\/\x41\cA\0$`, []string{"é😀😀/A\x01\x00"}, nil},
		{`^[^]$`, []string{"a", "\n"}, []string{"", "ab"}},
		{`^[\b\d-z]$`, []string{"\b", "4", "-", "z"}, []string{"b", "y"}},
		{`^a{,2}{$`, []string{"a{,2}{"}, []string{"aa{"}},
		{`^\p{Script=Greek}\p{Lowercase_Letter}$`, []string{"Ωa"}, []string{"aa", "ΩA"}},
		{`^(?<year>\d+)|b$`, []string{"12", "12x", "ab"}, []string{"x12", "ba"}},
	} {
		g, err := v.JSONSchema(context.Background(), []byte(`{"pattern": `+quoted(c.pattern)+`}`))
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		for _, text := range c.yes {
			if !accepts(g, quoteAsWritten(text)) {
				t.Errorf("%s: %q can't be written", c.pattern, text)
			}
		}
		for _, text := range c.no {
			if accepts(g, quoteAsWritten(text)) {
				t.Errorf("%s: %q can be written", c.pattern, text)
			}
		}
	}
}

// Any pattern is taken or refused, soon.
func FuzzPattern(f *testing.F) {
	for _, pattern := range []string{`^[a-z]+(-\d{2,5})*$`, `(a|b|)*?c`, `\p{L}\u{1F600}[^]`, `(?=a)`, `((((){9}){9}){9}){9}`, `[a-\d-]`, `\`} {
		f.Add(pattern)
	}
	v := testVocabulary(f)
	f.Fuzz(func(t *testing.T, pattern string) {
		schema, err := json.Marshal(map[string]string{"pattern": pattern})
		if err != nil {
			t.Skip(err)
		}
		if g, err := v.JSONSchema(context.Background(), schema); err == nil && len(allowed(g.Matcher(context.Background()).Allowed(0))) == 0 {
			t.Fatal("nothing is allowed")
		}
	})
}
