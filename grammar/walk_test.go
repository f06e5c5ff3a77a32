package grammar

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
)

// characterBytes is the most bytes of one.
const characterBytes = 4

// distances returns how many bytes the rule of each node takes from there to its end, at least.
func distances(a *automaton) []int {
	d := make([]int, len(a.nodes))
	for i := range d {
		d[i] = math.MaxInt32
	}
	d[noNode] = 0 // after which a rule ends
	for changed := true; changed; {
		changed = false
		for i := len(a.nodes) - 2; i > noNode; i-- {
			n, least := &a.nodes[i], d[i]
			if n.final {
				least = 0
			}
			for _, e := range a.edgesOf(int32(i)) {
				least = min(least, 1+d[e.to])
			}
			for _, to := range a.emptyOf(int32(i)) {
				least = min(least, d[to])
			}
			for _, c := range a.callsOf(int32(i)) {
				least = min(least, d[c.rule]+d[c.to])
			}
			if n.set != noSet {
				least = min(least, characterBytes+d[n.after])
			}
			if n.root != 0 {
				for _, name := range namesOf(a, n, n.root, 0) {
					least = min(least, name.bytes+d[name.node])
				}
			}
			if length := int(n.text.end - n.text.begin); length > 0 {
				least = min(least, length+d[n.after])
			}
			if least < d[i] {
				d[i], changed = least, true
			}
		}
	}
	return d
}

// named is a node to which some bytes of a name lead.
type named struct {
	bytes int
	node  int32
}

// namesOf returns where the names lead that a node takes, from a place on.
func namesOf(a *automaton, n *node, at int32, depth int) (all []named) {
	p := a.prefixes[at]
	for to := p.to; to < p.to+int32(p.below); to++ {
		switch below := a.prefixes[to]; {
		case below.rank > n.most:
		case below.below == 0:
			all = append(all, named{depth + 1, below.to})
		default:
			all = append(all, namesOf(a, n, to, depth+1)...)
		}
	}
	return all
}

// walker writes random texts of a grammar that come to an end.
type walker struct {
	v         *Vocabulary
	g         *Grammar
	distances []int
}

func newWalker(v *Vocabulary, g *Grammar) *walker { return &walker{v, g, distances(g.automaton)} }

// left returns how many bytes a text takes to its end, at least.
func (w *walker) left(m *machine, state int32) int {
	if m.states.at(state).done {
		return 0
	}
	least := math.MaxInt32
	for _, top := range m.states.at(state).tops {
		least = min(least, w.below(m, top))
	}
	return least
}

// below returns how many bytes it takes to the end of all rules of a stack, at least.
func (w *walker) below(m *machine, stack int32) int {
	if stack == 0 {
		return 0
	}
	least := math.MaxInt32
	for _, way := range m.ways(stack) {
		sum := 0
		if way != 0 {
			f := m.stacks.at(way).frame
			sum = w.distances[f.node] + w.below(m, f.below)
			if a := w.g.automaton; f.within != 0 { // any byte leads on
				n := &a.nodes[f.node]
				left := characterBytes + w.distances[n.after]
				switch {
				case n.root != 0:
					left = math.MaxInt32
					for _, name := range namesOf(a, n, f.within, 0) {
						left = min(left, name.bytes+w.distances[name.node])
					}
				case n.set == noSet:
					left = int(n.text.end-n.text.begin) - int(f.within) + w.distances[n.after]
				}
				sum += left - w.distances[f.node]
			}
		}
		least = min(least, sum)
	}
	return least
}

// text returns a text; after some tokens it ends as soon as it can.
func (w *walker) text(t testing.TB, random *rand.Rand, tokens int) string {
	t.Helper()
	m := w.g.Matcher(context.Background())
	var text []int32
	for state := 0; ; {
		choices := allowed(m.Allowed(state))
		if len(choices) == 0 {
			t.Fatalf("after %q nothing is allowed", w.v.spell(text))
		}
		token := choices[random.IntN(len(choices))]
		if len(text) >= tokens {
			best := math.MaxInt
			for _, c := range choices {
				next := m.Next(state, c)
				if c == eos {
					token = c
					break
				}
				if at := m.states[next].state; at != 0 {
					if left := w.left(m.machine, at) + len(w.v.text[c]); left < best {
						best, token = left, c
					}
				}
			}
		}
		if state = m.Next(state, token); state < 0 {
			t.Fatalf("after %q token %q is in the mask and refused", w.v.spell(text), w.v.text[token])
		}
		if token == eos || token == other {
			return w.v.spell(text)
		}
		if text = append(text, token); len(text) > 20000 {
			t.Fatalf("no end to %.200q", w.v.spell(text))
		}
	}
}
