package main

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
		got := errorText(errors.New(test.text))
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

// What users and files bring does not reach a terminal as it is, where errors and notes repeat it.
func TestErrorsHoldNoControlCharacters(t *testing.T) {
	for _, args := range [][]string{
		{"run", "--model", "a\x1b[31mb", "x"}, {"run", "--policy", "\x1b]0;x\x07", "x"}, {"\u009bwalk"}, {"inspect", "a\x1b[31mb"}, {"run", "--seed", "\x1b[2J", "x"},
	} {
		got := execute(t, args...)
		if got.status == 0 || strings.ContainsAny(got.stderr, "\x1b\x07\u009b") || got.stdout != "" {
			t.Errorf("%q: status %d, standard error %q", args, got.status, got.stderr)
		}
	}
}
