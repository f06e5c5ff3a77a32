package spec

// stopMatcher splits streamed text into what may be shown and what may not, because it is, or may turn out to be, the start
// of a stop string. What it decides depends on the text alone, not on the pieces in which it arrives: the stop string that
// is complete first ends the text, the longest of those that end together. Pieces of whole UTF-8 characters give shown text
// of whole characters, because stop strings consist of such too.
type stopMatcher struct {
	stops []string
	found string // the one that ended the text
	held  []byte // the longest end of the text that is the start of a stop string
	shown []byte // the text before, since the caller last emptied it
}

func (m *stopMatcher) reset(stops []string) {
	m.stops, m.found, m.held, m.shown = stops, "", m.held[:0], m.shown[:0]
}

// push adds text and reports whether it completed a stop string, which is then dropped together with all that follows it.
func (m *stopMatcher) push(text string) bool {
	for i := range len(text) {
		m.held = append(m.held, text[i])
		if n := m.longest(true); n > 0 {
			m.found = string(m.held[len(m.held)-n:])
			m.show(len(m.held) - n)
			m.held = m.held[:0]
			return true
		}
		m.show(len(m.held) - m.longest(false))
	}
	return false
}

// longest returns the length of the longest stop string (whole), or start of one, with which the held text ends.
func (m *stopMatcher) longest(whole bool) int {
	longest := 0
	for _, stop := range m.stops {
		least := 1
		if whole {
			least = len(stop)
		}
		for n := min(len(stop), len(m.held)); n >= least && n > longest; n-- {
			if string(m.held[len(m.held)-n:]) == stop[:n] {
				longest = n
			}
		}
	}
	return longest
}

// show moves the first n bytes of the held text to the shown text.
func (m *stopMatcher) show(n int) {
	m.shown = append(m.shown, m.held[:n]...)
	m.held = m.held[:copy(m.held, m.held[n:])]
}

// release shows what is held, once no text can follow.
func (m *stopMatcher) release() { m.show(len(m.held)) }
