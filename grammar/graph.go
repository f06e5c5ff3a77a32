package grammar

// graph is an automaton that is being made.
type graph struct {
	work  *work
	nodes []vertex
	sets  []characters
}

// vertex is a node of a graph.
type vertex struct {
	edges      []edge
	calls      []call
	empty      []int32 // nodes that are reached by nothing
	final      bool
	set, after int32
}

func (g *graph) node() int32 {
	g.work.do(nodeSteps)
	g.nodes = append(g.nodes, vertex{})
	return int32(len(g.nodes) - 1)
}

func (g *graph) span(from int32, lo, hi byte, to int32) {
	g.nodes[from].edges = append(g.nodes[from].edges, edge{lo, hi, to})
}

// oneOf takes one of some bytes.
func (g *graph) oneOf(from int32, bytes string, to int32) {
	for i := range len(bytes) {
		g.span(from, bytes[i], bytes[i], to)
	}
}

func (g *graph) skip(from, to int32) { g.nodes[from].empty = append(g.nodes[from].empty, to) }

func (g *graph) call(from, rule, to int32) {
	g.nodes[from].calls = append(g.nodes[from].calls, call{rule, to})
}

func (g *graph) end(n int32) { g.nodes[n].final = true }

// text takes a fixed text and returns the node after it.
func (g *graph) text(from int32, text string) int32 {
	for i := 0; i < len(text) && g.work.err == nil; i++ {
		to := g.node()
		g.span(from, text[i], text[i], to)
		from = to
	}
	return from
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
		for _, to := range g.nodes[n].empty {
			if visit(to) {
				return true
			}
		}
		for _, c := range g.nodes[n].calls {
			if visit(c.rule) || g.nodes[c.rule].final && visit(c.to) {
				return true
			}
		}
		seen[n] = done
		return false
	}
	for n := range g.nodes {
		if visit(int32(n)) {
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
		for _, e := range g.nodes[queue[0]].edges {
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
