package spec

import "slices"

// ahead is the nodes whose logits are computed together: one that is needed now, and the likeliest that are needed after it.
type ahead struct {
	nodes []int
	rows  []int // of the target, theirs
}

// choose takes node and at most most-1 of the nodes below it that are left, those of the largest weight, and returns their rows. With a
// node it takes its parent, whose weight is no smaller: without it the node would not be reached.
func (a *ahead) choose(t *Tree, p *pruning, node, most int) []int {
	a.nodes, a.rows = append(a.nodes[:0], node), a.rows[:0]
	for _, n := range p.left {
		if n <= node || !t.IsAncestor(node, n) {
			continue
		}
		at := len(a.nodes)
		for at > 1 && t.weights[a.nodes[at-1]] < t.weights[n] {
			at--
		}
		if at < most {
			a.nodes = append(a.nodes, 0)
			copy(a.nodes[at+1:], a.nodes[at:])
			a.nodes[at] = n
			a.nodes = a.nodes[:min(most, len(a.nodes))]
		}
	}
	for _, n := range a.nodes {
		i, _ := slices.BinarySearch(p.left, n)
		a.rows = append(a.rows, p.rows[i])
	}
	return a.rows
}
