package grammar

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Patterns with look-aheads, and several that must match at once, leave the strings that package regexp finds when it is asked for each part.
func TestCombinedPatternsAgreeWithPackageRegexp(t *testing.T) {
	v := testVocabulary(t)
	rapid.Check(t, func(t *rapid.T) {
		// The schema wants all of these, and none of those.
		var wanted, unwanted []string
		var schemas []string
		for range rapid.IntRange(1, 2).Draw(t, "schemas") {
			pattern := "^"
			for range rapid.IntRange(0, 2).Draw(t, "look-aheads") {
				ahead := patterns(t, 2)
				if rapid.Bool().Draw(t, "negated") {
					unwanted = append(unwanted, "^(?:"+ahead+")")
					pattern += "(?!" + ahead + ")"
				} else {
					wanted = append(wanted, "^(?:"+ahead+")")
					pattern += "(?=" + ahead + ")"
				}
			}
			last := patterns(t, 2)
			wanted = append(wanted, "^(?:"+last+")")
			schemas = append(schemas, `{"pattern": `+quoted(pattern+"(?:"+last+")")+`}`)
		}
		var matchers, others []*regexp.Regexp
		for i, pattern := range append(wanted, unwanted...) {
			r, err := regexp.Compile(pattern)
			if err != nil {
				t.Skip(err)
			}
			if i < len(wanted) {
				matchers = append(matchers, r)
			} else {
				others = append(others, r)
			}
		}
		most := rapid.IntRange(0, 6).Draw(t, "most")
		in := func(text string) bool {
			ok := len([]rune(text)) <= most
			for _, r := range matchers {
				ok = ok && r.MatchString(text)
			}
			for _, r := range others {
				ok = ok && !r.MatchString(text)
			}
			return ok
		}
		schema := fmt.Sprintf(`{"type": "string", "maxLength": %d, "allOf": [%s]}`, most, strings.Join(schemas, ", "))
		g, err := v.JSONSchema(context.Background(), []byte(schema))
		if errors.Is(err, ErrTooLarge) {
			t.Skip(err)
		}
		if err != nil && !errors.Is(err, errNoString) {
			t.Fatalf("%s: %v", schema, err)
		}
		for range 20 {
			text := rapid.StringOfN(rapid.RuneFrom([]rune("abé😀\"\\.\n5-A xz")), 0, 6, -1).Draw(t, "text")
			if can := err == nil && accepts(g, quoteAsWritten(text)); can != in(text) {
				t.Fatalf("%s: %q can be written: %v", schema, text, can)
			}
		}
	})
}

// A look-ahead holds where it stands, also within a pattern.
func TestLookAheads(t *testing.T) {
	v := testVocabulary(t)
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{`^a(?=b|c)[a-z]$`, []string{"ab", "ac"}, []string{"ad", "a"}},
		{`^(?:(?!ab).)*$`, []string{"", "ba", "aab"[:2], "é"}, []string{"ab", "xab", "aab"}},
		{`x(?!y)`, []string{"x", "xyx", "ax"}, []string{"xy", "y", ""}},
		{`^(?!.*\.\.)[a-z.]+@[a-z]+$`, []string{"a.b@c"}, []string{"a..b@c", "@c"}},
		{`^(?=(?!b)[abc])(?:a|b|cd)+$`, []string{"a", "cdb"}, []string{"b", "ba", "c"}},
		{`^(?=a$)`, []string{"a"}, []string{"ab", ""}},
		{`^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$`, []string{"0", "-1.5", "12.", ".5"}, []string{"", "-", ".", "+.", "1e5"}},
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
