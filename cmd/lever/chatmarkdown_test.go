package main

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestChatMarkdown(t *testing.T) {
	plain := strings.NewReplacer(boldOn, "<b>", boldOff, "</b>", codeOn, "<c>", codeOff, "</c>")
	for text, want := range map[string]string{
		"a **b** `c` *d* 2*3":             "a <b>b</b> <c>c</c> *d* 2*3",
		"# A **title**\ntext":             "<b>A title</b>\ntext",
		"- one\n  * two\n+ a `b`":         "• one\n  • two\n• a <c>b</c>",
		"```go\na := **b\n```\n**c**":     "<c>a := **b\n</c><b>c</b>",
		"~~~\n```\n~~~~\nx":               "<c>```\n</c>x",
		"```\nnever closed":               "<c>never closed</c>",
		"not **closed\nnor `this\n** a**": "not **closed\nnor `this\n** a**",
		"`a\nb`":                          "`a\nb`",
		"****":                            "****",
		"#hash\n####### seven":            "#hash\n####### seven",
		"-":                               "-",
		"**":                              "**",
	} {
		var m chatMarkdown
		whole := plain.Replace(m.next(text) + m.flush())
		var parts strings.Builder
		for _, r := range text {
			parts.WriteString(m.next(string(r)))
		}
		parts.WriteString(m.flush())
		if got := plain.Replace(parts.String()); whole != want || got != want {
			t.Errorf("%q is shown as %q, letter by letter as %q, want %q", text, whole, got, want)
		}
	}
}

// However a text is cut, the same is shown, nothing of it is lost but marks, and little of it waits.
func TestChatMarkdownLosesNothing(t *testing.T) {
	styles := strings.NewReplacer(boldOn, "", boldOff, "", codeOn, "", codeOff, "")
	letters := func(s string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune("ab\n", r) {
				return r
			}
			return -1
		}, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.StringMatching("(a|b|\n|\\*\\*|\\*|`|```|# |- | ){0,12}")).Draw(t, "parts")
		var m, whole chatMarkdown
		shown := ""
		for _, part := range parts {
			shown += m.next(part)
			if len(m.held) > longestHeld+len(part) {
				t.Fatalf("%q waits", m.held)
			}
		}
		shown += m.flush()
		text := strings.Join(parts, "")
		if all := whole.next(text) + whole.flush(); shown != all {
			t.Fatalf("%q in parts is shown as %q, at once as %q", parts, shown, all)
		}
		if got := letters(styles.Replace(shown)); !strings.Contains(text, "```") && got != letters(text) {
			t.Fatalf("%q is shown as %q", text, got)
		}
	})
}
