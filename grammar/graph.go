package grammar

import (
	"iter"
	"slices"

	"github.com/lever-go/lever/internal/giveway"
)

// graph is an automaton that is being made. There may be hundreds of thousands of nodes, so that none has memory of its own: what leads away from
// them are lists in common pools.
type graph struct {
	work    *work
	nodes   []vertex
	edges   pool[edge]
	calls   pool[call]
	empty   pool[int32] // nodes that are reached by nothing
	bytes   []byte      // of the texts of nodes
	sets    []characters
	reached []int32 // nodes that a rule can reach, in the order of [graph.order]; nil until [graph.prune] has found them
	useful  []bool  // nodes from which a text comes to an end; nil if all are
}

// vertex is a node of a graph.
type vertex struct {
	edges, calls, empty int32 // lists
	taken
	final bool
}

// pool has lists, which may share their last cells. A list is the number of its first cell; 0 is the empty one.
type pool[T any] []cell[T]

type cell[T any] struct {
	of   T
	next int32
}

// with returns a list with one more, which is its first.
func (p *pool[T]) with(w *work, list int32, of T) int32 {
	if len(*p) == 0 {
		*p = append(*p, cell[T]{})
	}
	*p = append(roomy(w, *p, 1), cell[T]{of, list})
	return int32(len(*p) - 1)
}

// copiedAtOnce is how much of a slice that grows is copied without giving way: at most some tens of kilobytes.
const copiedAtOnce = 1 << 10

// roomy returns a slice with room for some more. It grows by its own length, which copies less than append would, and gives way meanwhile: append
// copies all at once, into memory that is new to the process. For tens of megabytes that takes 100 ms, in which no garbage collection ends, and
// for the end of one wait all who need memory.
func roomy[S ~[]E, E any](w *work, s S, more int) S {
	if len(s)+more <= cap(s) {
		return s
	}
	grown := make(S, 0, 2*len(s)+more)
	for piece := range slices.Chunk(s, copiedAtOnce) {
		grown = append(grown, piece...)
		giveway.Now(w.ctx)
	}
	return grown
}

// all returns what is in a list.
func (p pool[T]) all(list int32) iter.Seq[T] {
	return func(yield func(T) bool) {
		for ; list != 0; list = p[list].next {
			if !yield(p[list].of) {
				return
			}
		}
	}
}

func (g *graph) node() int32 {
	g.work.do(nodeSteps)
	g.nodes = append(roomy(g.work, g.nodes, 1), vertex{})
	return int32(len(g.nodes) - 1)
}

func (g *graph) span(from int32, lo, hi byte, to int32) {
	g.nodes[from].edges = g.edges.with(g.work, g.nodes[from].edges, edge{lo, hi, to})
}

// oneOf takes one of some bytes.
func (g *graph) oneOf(from int32, bytes string, to int32) {
	for i := range len(bytes) {
		g.span(from, bytes[i], bytes[i], to)
	}
}

func (g *graph) skip(from, to int32) {
	g.nodes[from].empty = g.empty.with(g.work, g.nodes[from].empty, to)
}

func (g *graph) call(from, rule, to int32) {
	g.nodes[from].calls = g.calls.with(g.work, g.nodes[from].calls, call{rule, to})
}

func (g *graph) end(n int32) { g.nodes[n].final = true }

// text takes a fixed text and returns the node after it.
func (g *graph) text(from int32, text string) int32 {
	to := g.node()
	g.literal(from, text, to)
	return to
}

// literal takes a fixed text.
func (g *graph) literal(from int32, text string, to int32) {
	switch len(text) {
	case 0:
		g.skip(from, to)
	case 1:
		g.span(from, text[0], text[0], to)
	default:
		rest := g.node()
		g.span(from, text[0], text[0], rest)
		g.fix(rest, g.keep(text[1:]), to)
	}
}

// span of bytes that the graph keeps.
type kept struct{ begin, end int32 }

// keep returns where the graph keeps a text.
func (g *graph) keep(text string) kept {
	g.work.do(len(text) / textBytes)
	begin := int32(len(g.bytes))
	g.bytes = append(roomy(g.work, g.bytes, len(text)), text...)
	return kept{begin, int32(len(g.bytes))}
}

// fix makes a node that has nothing else take a text, and lead to another one.
func (g *graph) fix(n int32, text kept, to int32) {
	switch {
	case text.begin == text.end:
		g.skip(n, to)
	case text.begin+1 == text.end:
		g.span(n, g.bytes[text.begin], g.bytes[text.begin], to)
	default:
		g.nodes[n].text, g.nodes[n].after = text, to
	}
}

// leads reports whether a way to a node counts.
func (g *graph) leads(to int32) bool { return g.useful == nil || g.useful[to] }

// takes reports whether a node takes a text or the characters of a set.
func (g *graph) takes(n int32) bool { return g.nodes[n].more() && g.leads(g.nodes[n].after) }

// to returns the nodes to which a node leads, in any way.
func (g *graph) to(n int32) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		v := &g.nodes[n]
		for e := range g.edges.all(v.edges) {
			if g.leads(e.to) && !yield(e.to) {
				return
			}
		}
		for to := range g.empty.all(v.empty) {
			if g.leads(to) && !yield(to) {
				return
			}
		}
		for c := range g.calls.all(v.calls) {
			if g.leads(c.rule) && g.leads(c.to) && (!yield(c.rule) || !yield(c.to)) {
				return
			}
		}
		if g.takes(n) {
			yield(v.after)
		}
	}
}

// leftRecursive reports whether some rule can call itself before it has taken a byte, which would never end.
func (g *graph) leftRecursive() bool {
	const active, done = 1, 2
	seen := make([]byte, len(g.nodes))
	var visit func(n int32) bool
	visit = func(n int32) bool {
		if seen[n] != 0 {
			return seen[n] == active
		}
		seen[n] = active
		for to := range g.empty.all(g.nodes[n].empty) {
			if g.leads(to) && visit(to) {
				return true
			}
		}
		for c := range g.calls.all(g.nodes[n].calls) {
			if g.leads(c.rule) && g.leads(c.to) && (visit(c.rule) || g.nodes[c.rule].final && visit(c.to)) {
				return true
			}
		}
		seen[n] = done
		return false
	}
	for _, n := range g.reached {
		if visit(n) {
			return true
		}
	}
	return false
}

// table returns what follows each byte on the way from a node to another one, as [spelling.table] does. No byte leads to two nodes.
func (g *graph) table(from, to int32) [][256]int16 {
	var table [][256]int16
	rows := map[int32]int16{from: 0, to: 0}
	for queue := []int32{from}; len(queue) > 0; queue = queue[1:] {
		var row [256]int16
		for b := range row {
			row[b] = dead
		}
		for e := range g.edges.all(g.nodes[queue[0]].edges) {
			if _, ok := rows[e.to]; !ok {
				rows[e.to] = int16(len(table) + len(queue))
				queue = append(queue, e.to)
			}
			for b := int(e.lo); b <= int(e.hi); b++ {
				row[b] = rows[e.to]
			}
		}
		table = append(table, row)
	}
	return table
}
