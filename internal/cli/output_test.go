package cli

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestErrorText(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"lever: short", "short"},
		{"weights: also short", "weights: also short"},
		{"what was done: " + strings.Repeat("é", 100_000) + ": why", ""},
	} {
		got := ErrorText(errors.New(test.text))
		if test.want != "" && got != test.want {
			t.Errorf("%q is shown as %q", test.text, got)
		}
		if len(got) > errorHead+errorTail+100 || !utf8.ValidString(got) {
			t.Errorf("%d bytes, UTF-8 %v", len(got), utf8.ValidString(got))
		}
		if strings.HasPrefix(test.text, "what") && !(strings.HasPrefix(got, "what was done: é") && strings.HasSuffix(got, "é: why") && strings.Contains(got, "bytes left out")) {
			t.Errorf("it lacks the beginning, the end or the cut: %.100s … %s", got, got[len(got)-100:])
		}
	}
}
