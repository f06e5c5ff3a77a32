package spec_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

func TestStopMatcherAgainstNaiveSearch(t *testing.T) {
	letter := rapid.RuneFrom([]rune("abé€"))
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.StringOfN(letter, 0, 5, -1)).Draw(t, "pieces")
		stops := rapid.SliceOfN(rapid.StringOfN(letter, 1, 5, -1), 0, 4).Draw(t, "stops")
		want, wantFound := spectest.NaiveStop(strings.Join(pieces, ""), stops)

		var m spec.StopMatcher
		m.Reset([]string{"left over"})
		m.Push("left")
		m.Reset(stops)
		shown, text, found := "", "", false
		for _, piece := range pieces {
			found = m.Push(piece)
			text += piece
			more := m.TakeShown()
			shown += more
			if !utf8.ValidString(more) {
				t.Fatalf("shown %q", more)
			}
			if found {
				break
			}
			// What is held is the rest, and as short as it may be.
			if shown+m.Held() != text {
				t.Fatalf("shown %q, held %q of %q", shown, m.Held(), text)
			}
			longest := 0
			for _, stop := range stops {
				for n := 1; n < len(stop); n++ {
					if strings.HasSuffix(text, stop[:n]) {
						longest = max(longest, n)
					}
				}
			}
			if len(m.Held()) != longest {
				t.Fatalf("held %q of %q with stop strings %q", m.Held(), text, stops)
			}
		}
		if !found {
			m.Release()
			shown += m.TakeShown()
		}
		if shown != want || found != wantFound {
			t.Fatalf("shown %q, %v; want %q, %v", shown, found, want, wantFound)
		}
		if found != slices.Contains(stops, m.Found()) || !strings.HasPrefix(text, shown+m.Found()) {
			t.Fatalf("%q ended the text after %q in %q", m.Found(), shown, text)
		}
	})
}

func TestStopMatcher(t *testing.T) {
	for _, c := range []struct {
		pieces, stops []string
		want          string
		found         bool
	}{
		{[]string{"Hello", " wor", "ld"}, []string{"world"}, "Hello ", true},
		{[]string{"aaa", "b"}, []string{"aab"}, "a", true},
		{[]string{"abcd"}, []string{"abcd", "bc"}, "a", true},
		{[]string{"xabc"}, []string{"bc", "abc", "c"}, "x", true},
		{[]string{"user", ":"}, []string{"\nuser:"}, "user:", false},
		{[]string{"text"}, nil, "text", false},
	} {
		var m spec.StopMatcher
		m.Reset(c.stops)
		found := false
		for _, piece := range c.pieces {
			if found = m.Push(piece); found {
				break
			}
		}
		if !found {
			m.Release()
		}
		if shown := m.TakeShown(); shown != c.want || found != c.found {
			t.Errorf("%q with stop strings %q: %q, %v", c.pieces, c.stops, shown, found)
		}
	}
}
