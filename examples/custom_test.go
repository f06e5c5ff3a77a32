package examples

import (
	"strings"
	"testing"
)

// A block of one's own is streamed and speculated like any other; the program itself compares with plain decoding.
func TestCustom(t *testing.T) {
	text, statistics := run(t, "custom", "-model", pair.Target, "-draft", pair.Draft, "-dram", "8", "-max-tokens", "24", "def fibonacci(n):")
	if text == "" || !strings.Contains(statistics, "plain decoding writes the same") {
		t.Errorf("%q, %s", text, statistics)
	}
	if strings.Contains(statistics, "24 passes") || strings.Contains(statistics, " 0 drafted") || strings.Contains(statistics, " 0.0 MB read") {
		t.Errorf("it did not draft, accept and stream: %s", statistics)
	}
}
