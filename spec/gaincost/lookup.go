package gaincost

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"

	"github.com/lever-go/lever/spec"
)

const (
	minMatch      = 2  // tokens that a context must share with an earlier place
	maxMatch      = 16 // tokens compared
	maxPlaces     = 8  // earlier places looked at
	continuations = 4  // returned
)

// Lookup finds what followed the latest tokens of a sequence when they occurred before, in the sequence itself or, if it keeps
// a history, in earlier ones: the answer to a repeated question, say. It indexes pairs of tokens; the places of a pair are
// chained, the latest first, and there the longest match wins. Adding a token takes constant time, and so does a look-up: it
// visits 8 places. Memory is bounded: the oldest tokens are forgotten. It does not allocate after NewLookup, and is not safe
// for concurrent use.
type Lookup struct {
	history bool
	tokens  []int32 // token at a position modulo the window; endOfText after each sequence
	before  []int32 // the place before with the same hash of the pair that ends here, or -1
	latest  []int32 // by hash: position of the latest pair, or -1
	mask    int
	shift   int
	end     int // positions in use: all below
	start   int // position of the sequence's first token
	votes   [maxPlaces]Continuation
}

// endOfText stands after a sequence, so that nothing is looked up across two of them.
const endOfText = -1

// Continuation is a token that followed an earlier occurrence of a context.
type Continuation struct {
	Token  int32
	Match  int         // length of the longest match, in tokens
	Prob   float32     // a guess from the length and number of matches, to be calibrated
	Source spec.Source // FromNGram or FromHistory
}

// LookupOptions describe a [Lookup].
type LookupOptions struct {
	// Window is the number of tokens that are remembered, rounded up to a power of two. The default is 65,536. Each takes 12 bytes.
	Window int
	// History keeps earlier sequences, in memory only. Without it, each sequence starts from nothing.
	History bool
}

// maxWindow keeps positions far from overflow.
const maxWindow = 1 << 28

// NewLookup returns an empty Lookup.
func NewLookup(o LookupOptions) (*Lookup, error) {
	if o.Window < 0 || o.Window > maxWindow {
		return nil, fmt.Errorf("gaincost: lookup: window of %d tokens is not from 0 to %d", o.Window, maxWindow)
	}
	if o.Window == 0 {
		o.Window = 1 << 16
	}
	log := bits.Len(uint(max(o.Window, 2*maxMatch) - 1))
	l := &Lookup{
		history: o.History,
		tokens:  make([]int32, 1<<log), before: make([]int32, 1<<log), latest: make([]int32, 1<<log),
		mask: 1<<log - 1, shift: 64 - log,
	}
	l.forget()
	return l, nil
}

// forget empties the index.
func (l *Lookup) forget() {
	for i := range l.latest {
		l.latest[i] = -1
	}
	l.start, l.end = 0, 0
}

// Follow indexes what is new in sequence. A sequence that does not go on from the one before, as far as its first and its
// latest tokens show, is taken for another one.
func (l *Lookup) Follow(sequence []int32) {
	if !l.goesOn(sequence) {
		if l.history && l.end < 1<<30 {
			l.append(endOfText)
		} else {
			l.forget()
		}
		l.start = l.end
	}
	for _, token := range sequence[l.end-l.start:] {
		l.append(token)
	}
}

// goesOn reports whether sequence starts with the one that was indexed last.
func (l *Lookup) goesOn(sequence []int32) bool {
	known := l.end - l.start
	if known > len(sequence) {
		return false
	}
	const few = 16
	for i := range min(few, known) {
		last := known - 1 - i
		if sequence[last] != l.at(l.start+last) || l.held(l.start+i) && sequence[i] != l.at(l.start+i) {
			return false
		}
	}
	return true
}

func (l *Lookup) at(position int) int32 { return l.tokens[position&l.mask] }

// held reports whether the token at a position is still there.
func (l *Lookup) held(position int) bool { return position >= max(0, l.end-len(l.tokens)) }

func (l *Lookup) append(token int32) {
	p := l.end
	l.tokens[p&l.mask] = token
	l.before[p&l.mask] = -1
	if p > 0 && token >= 0 && l.at(p-1) >= 0 {
		h := l.hash(l.at(p-1), token)
		l.before[p&l.mask] = l.latest[h]
		l.latest[h] = int32(p)
	}
	l.end++
}

func (l *Lookup) hash(a, b int32) int {
	return int((uint64(uint32(a))<<32 | uint64(uint32(b))) * 0x9e3779b97f4a7c15 >> l.shift)
}

// Next appends to dst up to four tokens that followed earlier occurrences of the end of context, the most probable first; the
// guesses at their probabilities sum to less than 1. At most the last 16 tokens of context count.
func (l *Lookup) Next(dst []Continuation, context []int32) []Continuation {
	if len(context) < minMatch {
		return dst
	}
	a, b := context[len(context)-2], context[len(context)-1]
	votes := l.votes[:0]
	longest, total := 0, float32(0)
	p := int(l.latest[l.hash(a, b)])
	for range maxPlaces {
		if !l.held(p - 1) {
			break
		}
		if match := l.match(p, context); match >= minMatch && p+1 < l.end && l.at(p+1) >= 0 {
			longest = max(longest, match)
			weight := float32(match * match)
			total += weight
			votes = l.vote(votes, l.at(p+1), p+1, match, weight)
		}
		p = int(l.before[p&l.mask])
	}
	slices.SortStableFunc(votes, func(a, b Continuation) int { return cmp.Compare(b.Prob, a.Prob) })
	certainty := 1 - 1/(1+float32(longest)/2)
	for _, v := range votes[:min(len(votes), continuations)] {
		v.Prob *= certainty / total
		dst = append(dst, v)
	}
	return dst
}

// match returns how many tokens up to position p equal the end of context.
func (l *Lookup) match(p int, context []int32) int {
	oldest := max(0, l.end-len(l.tokens))
	limit := min(len(context), maxMatch, p-oldest+1)
	n := 0
	for n < limit && l.tokens[(p-n)&l.mask] == context[len(context)-1-n] {
		n++
	}
	return n
}

// vote adds the weight of a place to its token's.
func (l *Lookup) vote(votes []Continuation, token int32, position, match int, weight float32) []Continuation {
	source := spec.FromNGram
	if position < l.start {
		source = spec.FromHistory
	}
	for i := range votes {
		if v := &votes[i]; v.Token == token {
			v.Prob += weight
			if match > v.Match {
				v.Match, v.Source = match, source
			}
			return votes
		}
	}
	return append(votes, Continuation{token, match, weight, source})
}
