package spec

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestStopMatcherAgainstNaiveSearch(t *testing.T) {
	letter := rapid.RuneFrom([]rune("abé€"))
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.StringOfN(letter, 0, 5, -1)).Draw(t, "pieces")
		stops := rapid.SliceOfN(rapid.StringOfN(letter, 1, 5, -1), 0, 4).Draw(t, "stops")
		want, wantFound := naiveStop(strings.Join(pieces, ""), stops)

		var m stopMatcher
		m.reset([]string{"left over"})
		m.push("left")
		m.reset(stops)
		shown, text, found := "", "", false
		for _, piece := range pieces {
			found = m.push(piece)
			text += piece
			shown += string(m.shown)
			if !utf8.Valid(m.shown) {
				t.Fatalf("shown %q", m.shown)
			}
			m.shown = m.shown[:0]
			if found {
				break
			}
			// What is held is the rest, and as short as it may be.
			if shown+string(m.held) != text {
				t.Fatalf("shown %q, held %q of %q", shown, m.held, text)
			}
			longest := 0
			for _, stop := range stops {
				for n := 1; n < len(stop); n++ {
					if strings.HasSuffix(text, stop[:n]) {
						longest = max(longest, n)
					}
				}
			}
			if len(m.held) != longest {
				t.Fatalf("held %q of %q with stop strings %q", m.held, text, stops)
			}
		}
		if !found {
			m.release()
			shown += string(m.shown)
		}
		if shown != want || found != wantFound {
			t.Fatalf("shown %q, %v; want %q, %v", shown, found, want, wantFound)
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
		var m stopMatcher
		m.reset(c.stops)
		found := false
		for _, piece := range c.pieces {
			if found = m.push(piece); found {
				break
			}
		}
		if !found {
			m.release()
		}
		if string(m.shown) != c.want || found != c.found {
			t.Errorf("%q with stop strings %q: %q, %v", c.pieces, c.stops, m.shown, found)
		}
	}
}
