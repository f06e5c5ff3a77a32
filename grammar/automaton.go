package grammar

// automaton is a set of rules over bytes. A rule is a start node and what can be reached from it; it ends in a final node. An
// edge takes a byte, or nothing, or a whole text of another rule, which may be its own: that makes it a pushdown automaton.
// It is nondeterministic; see [machine]. A [graph] becomes one, and it does not change.
type automaton struct {
	nodes    []node // the last only ends the lists of the one before it
	edges    []edge
	calls    []call
	empty    []int32
	bytes    []byte // of the texts of nodes
	sets     []characters
	prefixes []prefix // of trees of names
}

// node has edges, calls and empty edges up to where the next node's begin.
type node struct {
	edges, calls, empty int32
	taken
	names
	final bool
}

// taken is what a node takes that is more than one byte: each character of a set, as it is spelled; or a text; or nothing. After it, the node leads
// to after.
type taken struct {
	set   int32 // or noSet
	text  kept
	after int32
}

// more reports whether there is something.
func (t *taken) more() bool { return t.set != noSet || t.text.begin != t.text.end }

// edge takes one byte from lo to hi.
type edge struct {
	lo, hi byte
	to     int32
}

// call takes a text of the rule that starts at rule. After it the text goes on at to; if that is noNode, the calling rule ends with it.
type call struct{ rule, to int32 }

// noNode is the first node, which is in no rule.
const noNode = 0

// characters are a set of characters and how they are spelled.
type characters struct {
	runes runeSet
	table [][256]int16 // see [spelling.table]
	raw   bool         // no character is escaped
	// lacks are the plain characters that the set does not have, if those are few.
	lacks       []rune
	nearlyPlain bool // they are
}

func newCharacters(runes runeSet, table [][256]int16, raw bool) characters {
	lacks, nearlyPlain := runes.lacks(plainRunes, mostLacking)
	return characters{runes, table, raw, lacks, nearlyPlain}
}

// Sets that all automatons have.
const (
	noSet     = iota
	plainSet  // plainRunes, as they are
	stringSet // all that a string of JSON can have; of the characters, only those that it has as they are
	rawSet    // the same without escapes
	letterSet // letters
	firstSet  // of those that patterns have
)

// edgesOf, callsOf and emptyOf return what leads away from a node.
func (a *automaton) edgesOf(n int32) []edge  { return a.edges[a.nodes[n].edges:a.nodes[n+1].edges] }
func (a *automaton) callsOf(n int32) []call  { return a.calls[a.nodes[n].calls:a.nodes[n+1].calls] }
func (a *automaton) emptyOf(n int32) []int32 { return a.empty[a.nodes[n].empty:a.nodes[n+1].empty] }

// takes reports whether a node takes bytes.
func (a *automaton) takes(n int32) bool {
	return a.nodes[n].more() || a.nodes[n].root != 0 || a.nodes[n].edges < a.nodes[n+1].edges
}

// simple reports whether a node takes bytes and does nothing else.
func (a *automaton) simple(n int32) bool {
	at, next := &a.nodes[n], &a.nodes[n+1]
	return at.set == noSet && !at.final && at.calls == next.calls && at.empty == next.empty
}

// size returns the bytes of memory that an automaton takes, without the tables that all have.
func (a *automaton) size() int {
	bytes := 40*len(a.nodes) + 12*len(a.prefixes) + 8*len(a.edges) + 8*len(a.calls) + 4*len(a.empty) + len(a.bytes)
	for _, c := range a.sets[min(firstSet, len(a.sets)):] {
		bytes += 8*len(c.runes) + 512*len(c.table)
	}
	return bytes
}
