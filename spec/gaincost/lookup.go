package gaincost

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/lever-go/lever/spec"
)

const (
	minMatch      = 2  // tokens that a context must share with an earlier place
	maxStates     = 8  // ends of a context that are looked up, the longest first
	maxFollowers  = 32 // tokens after each that are weighed
	continuations = 4  // returned
)

// Lookup finds what followed the latest tokens of a sequence when they occurred before, in the sequence itself and in earlier answers, if it is
// given some. Suffix automata of both tell the longest match at once, and how often each token came after it; what came after
// shorter ends of it counts as far as the longer ones leave doubt. Adding a token and looking up take constant time on average. Memory is bounded: the
// oldest tokens are forgotten. It allocates only while it grows past its largest size so far, and is not safe for concurrent use.
type Lookup struct {
	text     automaton // of the sequence
	followed int       // tokens of the sequence that are indexed
	first    [16]int32 // of the sequence

	answers *Answers   // or nil
	known   *automaton // the answers that suffix refers to
	suffix  Suffix     // at the end of the sequence
}

// Suffix is where a context stands in what a [Lookup] has indexed. It holds until the sequence goes on.
type Suffix struct{ text, answers match }

// Continuation is a token that followed an earlier occurrence of a context.
type Continuation struct {
	Token  int32
	Match  int         // length of the longest match, in tokens
	Prob   float32     // a guess from the length of matches and their number, to be calibrated
	Source spec.Source // FromNGram or FromHistory
}

// LookupOptions describe a [Lookup].
type LookupOptions struct {
	// Window is the largest number of tokens of the sequence that are remembered: between that and half of it. The default is 65,536.
	Window int
	// Answers are looked up as well, if not nil.
	Answers *Answers
}

const (
	defaultWindow = 1 << 16
	maxWindow     = 1 << 28 // keeps indices of edges within 32 bits
)

func newAutomaton(window int) (a automaton, err error) {
	if window < 0 || window > maxWindow {
		return a, fmt.Errorf("window of %d tokens is not from 0 to %d", window, maxWindow)
	}
	a.window = max(2, cmp.Or(window, defaultWindow))
	a.reset()
	return a, nil
}

// NewLookup returns an empty Lookup.
func NewLookup(o LookupOptions) (*Lookup, error) {
	text, err := newAutomaton(o.Window)
	if err != nil {
		return nil, fmt.Errorf("gaincost: lookup: %w", err)
	}
	return &Lookup{text: text, answers: o.Answers}, nil
}

// Follow indexes what is new in sequence and returns the suffix at its end. A sequence that does not go on from the one before, as far as its
// first and its latest tokens show, is taken for another one, and the one before is forgotten.
func (l *Lookup) Follow(sequence []int32) Suffix {
	if !l.goesOn(sequence) {
		l.text.reset()
		l.followed, l.suffix = 0, Suffix{}
		copy(l.first[:], sequence)
	}
	if l.followed < len(l.first) {
		copy(l.first[l.followed:], sequence[l.followed:])
	}
	unseen := sequence[l.followed:]
	for _, token := range unseen {
		l.text.append(token)
	}
	l.followed = len(sequence)
	l.suffix.text = l.text.end()
	if l.answers != nil {
		if now := l.answers.text.Load(); l.known != now {
			const enough = 64 // tokens that a match is worth looking for
			l.known, l.suffix.answers = now, match{}
			unseen = sequence[max(0, len(sequence)-enough):]
		}
		for _, token := range unseen {
			l.suffix.answers = l.known.after(l.suffix.answers, token)
		}
	}
	return l.suffix
}

// goesOn reports whether sequence starts with the one that was indexed last.
func (l *Lookup) goesOn(sequence []int32) bool {
	if l.followed > len(sequence) {
		return false
	}
	latest := l.text.text[max(0, len(l.text.text)-len(l.first)):]
	few := min(l.followed, len(l.first))
	return slices.Equal(latest, sequence[l.followed-len(latest):l.followed]) && slices.Equal(l.first[:few], sequence[:few])
}

// After returns the suffix of a context that goes on with a token.
func (l *Lookup) After(p Suffix, token int32) Suffix {
	p.text = l.text.after(p.text, token)
	if l.known != nil {
		p.answers = l.known.after(p.answers, token)
	}
	return p
}

// Next appends to dst up to four tokens of each source that followed a context, the most probable first of each and
// the latest first among equals; the guesses at the probabilities of a source's sum to at most 1. A token that both have is of the source that finds it likelier.
func (l *Lookup) Next(dst []Continuation, p Suffix) []Continuation {
	start := len(dst)
	dst = l.text.followers(dst, p.text, spec.FromNGram)
	if l.known == nil {
		return dst
	}
	own := len(dst)
	dst = l.known.followers(dst, p.answers, spec.FromHistory)
	for i := own; i < len(dst); i++ {
		same := func(c Continuation) bool { return c.Token == dst[i].Token }
		at := slices.IndexFunc(dst[start:own], same)
		switch {
		case at < 0:
			continue
		case dst[i].Prob > dst[start+at].Prob:
			dst = slices.Delete(dst, start+at, start+at+1)
			own--
		default:
			dst = slices.Delete(dst, i, i+1)
		}
		i--
	}
	return dst
}

// followers appends the likeliest tokens after a match.
func (a *automaton) followers(dst []Continuation, m match, source spec.Source) []Continuation {
	start, left := len(dst), float32(1)
	for range maxStates {
		if m.length < minMatch {
			break
		}
		s := a.states[m.state]
		total := int32(0)
		for e, n := s.edges, 0; e >= 0 && n < maxFollowers; e, n = a.edges[e].next, n+1 {
			if a.edges[e].token != endOfText {
				total += a.states[a.edges[e].to].places
			}
		}
		if total > 0 {
			right := chanceOfMatch(int(m.length), int(total))
			for e, n := s.edges, 0; e >= 0 && n < maxFollowers; e, n = a.edges[e].next, n+1 {
				if token := a.edges[e].token; token != endOfText {
					share := float32(a.states[a.edges[e].to].places) / float32(total)
					dst = vote(dst, start, Continuation{token, int(m.length), left * right * share, source})
				}
			}
			left *= 1 - right
		}
		m.state = s.link
		m.length = a.states[m.state].length
	}
	slices.SortStableFunc(dst[start:], func(a, b Continuation) int { return cmp.Compare(b.Prob, a.Prob) })
	return dst[:min(len(dst), start+continuations)]
}

// chanceOfMatch returns how often what follows a match of some length, of which so many earlier places are known, was right in this module's own
// code and documents. p/(1−p) rises linearly with both.
func chanceOfMatch(length, places int) float32 {
	ratio := 0.6 + float32(length)/7 + 0.8*float32(min(places, 16)-1)
	return ratio / (1 + ratio)
}

// vote adds what the longest and then shorter matches say of a token.
func vote(dst []Continuation, start int, c Continuation) []Continuation {
	for i := range dst[start:] {
		if v := &dst[start+i]; v.Token == c.Token {
			v.Prob = min(1, v.Prob+c.Prob)
			return dst
		}
	}
	return append(dst, c)
}
