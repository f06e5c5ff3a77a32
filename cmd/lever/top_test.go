package main

import "testing"

func TestParseFigures(t *testing.T) {
	got := parseFigures("# HELP a what\n# TYPE a counter\na 3\nb{code=\"200\"} 1\nb{code=\"429\"} 2.5\nnot a line\n\nc NaNsense\n")
	if len(got) != 2 || got["a"] != 3 || got["b"] != 3.5 {
		t.Errorf("%v", got)
	}
}
