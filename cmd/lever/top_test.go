package main

import (
	"testing"
	"time"
)

func TestParseFigures(t *testing.T) {
	got := parseFigures("# HELP a what\n# TYPE a counter\na 3\nb{code=\"200\"} 1\nb{code=\"429\"} 2.5\nnot a line\n\nc NaNsense\n")
	if len(got) != 2 || got["a"] != 3 || got["b"] != 3.5 {
		t.Errorf("%v", got)
	}
}

// What is shown of a look is what has changed since the one before, however late that came.
func TestTopLooks(t *testing.T) {
	w, at := new(watch), time.Unix(1000, 0)
	for i, c := range []struct{ after, seconds, tokens float64 }{{0, 1, 0}, {1.5, 1.5, 100}, {0.25, 0.25, 100}} {
		at = at.Add(time.Duration(c.after * float64(time.Second)))
		now := figures{"lever_tokens_total": float64(100 * i)}
		before, seconds := w.since(now, at)
		if tokens := now["lever_tokens_total"] - before["lever_tokens_total"]; seconds != c.seconds || tokens != c.tokens {
			t.Errorf("look %d: %v tokens in %v s, want %v in %v s", i, tokens, seconds, c.tokens, c.seconds)
		}
	}
}
