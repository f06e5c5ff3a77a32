package main

import (
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/clitest"
)

// What users and files bring does not reach a terminal as it is, where errors and notes repeat it.
func TestErrorsHoldNoControlCharacters(t *testing.T) {
	for _, args := range [][]string{
		{"run", "--model", "a\x1b[31mb", "x"}, {"run", "--policy", "\x1b]0;x\x07", "x"}, {"\u009bwalk"}, {"inspect", "a\x1b[31mb"}, {"run", "--seed", "\x1b[2J", "x"},
	} {
		got := clitest.Execute(t, args...)
		if got.Status == 0 || strings.ContainsAny(got.Stderr, "\x1b\x07\u009b") || got.Stdout != "" {
			t.Errorf("%q: status %d, standard error %q", args, got.Status, got.Stderr)
		}
	}
}
