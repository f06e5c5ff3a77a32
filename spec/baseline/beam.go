package baseline

import (
	"context"
	"slices"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/spec"
)

// beam explores level by level: it expands the heaviest candidates of the newest level in one wave, and in the end keeps the
// heaviest of all. A candidate's weight is the product of the draft's probabilities on its path, so none outweighs its parent,
// and the heaviest ones form a tree. [OPTTree] and [EAGLE2] differ in how wide it is and when it stops.
type beam struct {
	nodes  int // to keep
	width  int // nodes expanded in a wave
	branch int // candidates of each

	// The candidates, level by level. newest is where the latest level starts.
	parents []int32 // tree node
	tokens  []int32
	probs   []float32
	weights []float32
	node    []int32 // in the tree, or -1 as long as it is not there
	newest  int

	wave, keep []int
	ids        []int32
	values     []float32
}

// start makes the root the first wave.
func (b *beam) start(tree *spec.Tree) {
	tree.Explore()
	b.parents, b.tokens, b.probs = b.parents[:0], b.tokens[:0], b.probs[:0]
	b.weights, b.node, b.newest = b.weights[:0], b.node[:0], 0
	b.wave = append(b.wave[:0], 0)
}

// len returns the number of candidates.
func (b *beam) len() int { return len(b.tokens) }

// expand adds a level of candidates. It adds none where tree or draft has no room for another, or where there are none.
func (b *beam) expand(ctx context.Context, tree *spec.Tree, draft *spec.Draft) (grown bool, err error) {
	if b.len() > 0 {
		if err := b.advance(tree); err != nil {
			return false, err
		}
	}
	// All nodes of a wave have the same depth.
	if tree.Full(b.wave[0]) || draft.Full(b.wave[0]) {
		return false, nil
	}
	if err := draft.Expand(ctx, b.wave, b.branch); err != nil {
		return false, err
	}
	b.newest = b.len()
	for _, node := range b.wave {
		set, _ := tree.Set(node, spec.FromDraft)
		weight := tree.Weights()[node]
		for i, token := range set.Tokens {
			b.parents = append(b.parents, int32(node))
			b.tokens = append(b.tokens, token)
			b.probs = append(b.probs, set.Probs[i])
			b.weights = append(b.weights, weight*set.Probs[i])
			b.node = append(b.node, -1)
		}
	}
	return b.newest < b.len(), nil
}

// advance makes the heaviest candidates of the newest level the next wave.
func (b *beam) advance(tree *spec.Tree) error {
	b.wave = b.wave[:0]
	for _, id := range b.heaviest(b.width, b.weights[b.newest:]) {
		node, err := b.add(tree, b.newest+int(id))
		if err != nil {
			return err
		}
		b.wave = append(b.wave, node)
	}
	return nil
}

// add puts a candidate into the tree, unless it is there.
func (b *beam) add(tree *spec.Tree, candidate int) (node int, err error) {
	if b.node[candidate] < 0 {
		node, err = tree.Add(int(b.parents[candidate]), b.tokens[candidate], b.probs[candidate])
		if err != nil {
			return 0, err
		}
		b.node[candidate] = int32(node)
	}
	return int(b.node[candidate]), nil
}

// heaviest returns the indices of the n largest weights, largest first, the first among equals: parents before children.
func (b *beam) heaviest(n int, weights []float32) []int32 {
	b.ids, b.values = slices.Grow(b.ids[:0], n)[:n], slices.Grow(b.values[:0], n)[:n]
	return b.ids[:kernels.Default().TopK(b.ids, b.values, weights)]
}

// gain returns the sum of the largest weights among the first end candidates: how many tokens of the best tree of them will be
// accepted, if the draft's probabilities are right.
func (b *beam) gain(end int) float64 {
	total := 0.0
	for i := range b.heaviest(b.nodes, b.weights[:end]) {
		total += float64(b.values[i])
	}
	return total
}

// finish reduces the tree to the heaviest among the first end candidates.
func (b *beam) finish(tree *spec.Tree, end int) error {
	b.keep = b.keep[:0]
	for _, id := range b.heaviest(min(b.nodes, tree.Budget()), b.weights[:end]) {
		node, err := b.add(tree, int(id))
		if err != nil {
			return err
		}
		b.keep = append(b.keep, node)
	}
	slices.Sort(b.keep)
	return tree.Select(b.keep)
}
