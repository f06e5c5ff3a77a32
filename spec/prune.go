package spec

import (
	"context"
	"fmt"
	"slices"
)

// Pruner drops nodes of a tree half-way through its verification: after some layers of the target it looks at the hidden states of
// the nodes and says which go on. What it drops counts as absent from the tree, which leaves the output as it is: see [Generator]. Package
// earlyexit has one.
type Pruner interface {
	// Layers returns the number of the target's layers.
	Layers() int
	// Begin prepares for a pass over a tree that policy has grown, and returns the layers, counted from 0, after which Prune is to be
	// called: ascending, and none where nothing is to be pruned. The tree stays as it is until the pass ends.
	Begin(tree *Tree, policy Policy) []int
	// Prune returns which of nodes go on. They are those left so far, ascending, and the root is one of them; hidden are their states
	// after the layer, [len(nodes)][width], which it must not change. It may filter nodes in place. With a node its descendants
	// are dropped. The root goes on in any case.
	Prune(layer int, nodes []int, hidden []float32) (keep []int, err error)
}

// Cut says what a [Pruner] did at one place of a pass.
type Cut struct {
	Done float64 // part of the target's layers that lies before it
	Rows int     // that went on
}

// pruning is the state of a pass whose tree may be pruned.
type pruning struct {
	pruner Pruner // may be nil
	tree   *Tree
	alive  []bool // by node
	left   []int  // alive nodes, ascending
	rows   []int  // of the target, theirs
	lead   int    // rows before the root's
	batch  Batch
	cuts   []Cut
	saved  int // rows × layers
	hook   Hook
}

// drawn reports whether candidates of the tree were drawn at random.
func (t *Tree) drawn() bool { return len(t.from) > 0 }

// forward runs the target over the tree, behind the tokens of lead. With such a pass is not pruned. prompt says that these, and the tree's root, which is all of
// it, end the prompt.
func (p *pruning) forward(ctx context.Context, target Decoder, lead []int32, tree *Tree, policy Policy, prompt bool) error {
	p.tree, p.cuts, p.saved = tree, p.cuts[:0], 0
	p.alive, p.left = p.alive[:0], p.left[:0]
	for node := range tree.Len() {
		p.alive, p.left = append(p.alive, true), append(p.left, node)
	}
	p.lead = len(lead)
	p.batch.Tokens, p.batch.Parents = append(append(p.batch.Tokens[:0], lead...), tree.Tokens()...), p.batch.Parents[:0]
	for i := range lead {
		p.batch.Parents = append(p.batch.Parents, int32(i-1))
	}
	for _, parent := range tree.Parents() {
		p.batch.Parents = append(p.batch.Parents, parent+int32(len(lead)))
	}
	p.batch.Hook, p.batch.HookAfter = nil, nil
	// To drop drawn candidates for what they are would change the distribution of the output.
	if p.pruner != nil && tree.Len() > 1 && len(lead) == 0 && !tree.drawn() {
		if p.batch.HookAfter = p.pruner.Begin(tree, policy); len(p.batch.HookAfter) > 0 {
			if p.hook == nil {
				p.hook = p.prune
			}
			p.batch.Hook = p.hook
		}
	}
	batch := p.batch
	if batch.Last = prompt; prompt {
		batch.Parents = nil // of a chain
	}
	if _, err := target.Forward(ctx, batch); err != nil {
		return err
	}
	p.rows = p.rows[:0]
	for _, node := range p.left {
		p.rows = append(p.rows, p.lead+node)
	}
	return nil
}

// path returns the rows of the target that lead to the end of a path of nodes, from the first of the pass on. It is valid until the
// next call.
func (p *pruning) path(nodes []int) []int {
	p.rows = p.rows[:0]
	for row := range p.lead {
		p.rows = append(p.rows, row)
	}
	for _, node := range nodes {
		p.rows = append(p.rows, p.lead+node)
	}
	return p.rows
}

// prune is the hook of the target. The rows of a tree are numbered as its nodes are: nothing else is pending.
func (p *pruning) prune(layer int, rows []int, hidden []float32) ([]int, error) {
	before := len(rows)
	if before != len(p.left) {
		return nil, fmt.Errorf("prune: %d of %d nodes in one piece", before, len(p.left))
	}
	keep, err := p.pruner.Prune(layer, rows, hidden)
	if err != nil {
		return nil, fmt.Errorf("prune: %w", err)
	}
	for _, node := range p.left[1:] {
		p.alive[node] = false
	}
	for _, node := range keep {
		if node < 0 || node >= len(p.alive) || !slices.Contains(p.left, node) {
			return nil, fmt.Errorf("prune: node %d to keep is not in the tree any more", node)
		}
		p.alive[node] = true
	}
	n := 1
	for _, node := range p.left[1:] {
		if p.alive[node] = p.alive[node] && p.alive[p.tree.parents[node]]; p.alive[node] {
			p.left[n] = node
			n++
		}
	}
	p.left = p.left[:n]
	layersInAll := p.pruner.Layers()
	p.cuts = append(p.cuts, Cut{float64(layer+1) / float64(layersInAll), n})
	p.saved += (before - n) * (layersInAll - layer - 1)
	return append(rows[:0], p.left...), nil
}

// child returns the child of node that holds token if it went through the whole target, or -1. pruned reports that there is one that did
// not.
func (p *pruning) child(node int, token int32) (child int, pruned bool) {
	child = p.tree.Child(node, token)
	if child >= 0 && !p.alive[child] {
		return -1, true
	}
	return child, false
}

// count adds what was pruned to the statistics.
func (p *pruning) count(s *Stats) {
	nodes := p.tree.Len() - 1
	s.Drafted += nodes
	s.Verified += len(p.left) - 1
	s.Pruned += nodes - (len(p.left) - 1)
	if p.pruner != nil {
		s.RowLayers += p.tree.Len() * p.pruner.Layers()
		s.RowLayersSaved += p.saved
	}
}
