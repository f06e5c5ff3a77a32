package spec

import (
	"errors"
	"fmt"
)

// ErrTreeFull is returned by [Tree.Add] when the new node would exceed the limits given to [Tree.Reset].
var ErrTreeFull = errors.New("spec: tree is full")

// Tree holds the tokens that one target pass verifies. Node 0 is the root: the last token of the sequence so far, which the
// target has not seen yet. Every other node is a guess at the token after its parent. A parent always has a smaller index
// than its children (topological order) and siblings have different tokens. A chain is a tree with one child per node.
//
// The zero value has no root; call [Tree.Reset] first. Slices returned by methods are borrowed: they are valid, and must not
// be written to, until the next Add or Reset. A Tree allocates only while it grows past its largest size so far. It is not
// safe for concurrent use.
type Tree struct {
	tokens  []int32
	parents []int32   // -1 for the root
	depths  []int32   // 0 for the root
	probs   []float32 // draft's probability of the node's token after its parent's
	first   []int32   // first child, or -1
	next    []int32   // next sibling, or -1

	maxNodes, maxDepth int
}

// Reset empties the tree and gives it a root. It will take at most maxNodes nodes besides the root, none deeper than maxDepth;
// the root has depth 0.
func (t *Tree) Reset(root int32, maxNodes, maxDepth int) {
	t.tokens, t.parents, t.depths = t.tokens[:0], t.parents[:0], t.depths[:0]
	t.probs, t.first, t.next = t.probs[:0], t.first[:0], t.next[:0]
	t.maxNodes, t.maxDepth = maxNodes, maxDepth
	t.push(root, -1, 0, 1)
}

func (t *Tree) push(token, parent, depth int32, prob float32) {
	t.tokens = append(t.tokens, token)
	t.parents = append(t.parents, parent)
	t.depths = append(t.depths, depth)
	t.probs = append(t.probs, prob)
	t.first = append(t.first, -1)
	t.next = append(t.next, -1)
}

// Add appends a node for token after the node parent and returns its index. prob is the drafter's probability of token given
// the path to parent, from 0 to 1. Add fails with [ErrTreeFull] at the tree's limits, and when parent is not a node, when it
// has a child with this token already (see [Tree.Child]), or when prob is not a probability.
func (t *Tree) Add(parent int, token int32, prob float32) (int, error) {
	if parent < 0 || parent >= t.Len() {
		return 0, fmt.Errorf("spec: tree: add: parent %d is not one of the %d nodes", parent, t.Len())
	}
	if token < 0 {
		return 0, fmt.Errorf("spec: tree: add: token %d is negative", token)
	}
	if !(prob >= 0 && prob <= 1) {
		return 0, fmt.Errorf("spec: tree: add: probability %v is not between 0 and 1", prob)
	}
	if t.Full(parent) {
		return 0, ErrTreeFull
	}
	// Children are linked in the order in which they were added, so the walk that looks for the token also finds the end.
	link := &t.first[parent]
	for *link >= 0 {
		if t.tokens[*link] == token {
			return 0, fmt.Errorf("spec: tree: add: node %d has a child with token %d already", parent, token)
		}
		link = &t.next[*link]
	}
	node := t.Len()
	*link = int32(node)
	t.push(token, int32(parent), t.depths[parent]+1, prob)
	return node, nil
}

// Full reports whether a child of node would exceed the tree's limits.
func (t *Tree) Full(node int) bool {
	return t.Len() > t.maxNodes || int(t.depths[node]) >= t.maxDepth
}

// Len returns the number of nodes, the root included.
func (t *Tree) Len() int { return len(t.tokens) }

// Tokens returns the token of every node.
func (t *Tree) Tokens() []int32 { return t.tokens }

// Parents returns the parent of every node; the root's is -1. With the rows of a batch in node order this is the mask: a row
// sees the committed sequence, itself, and the rows found by following parents.
func (t *Tree) Parents() []int32 { return t.parents }

// Depths returns the distance of every node from the root. The position of a node is the root's position plus its depth.
func (t *Tree) Depths() []int32 { return t.depths }

// Probs returns the drafter's probability of every node given its parent; the root's is 1.
func (t *Tree) Probs() []float32 { return t.probs }

// Child returns the child of node that holds token, or -1.
func (t *Tree) Child(node int, token int32) int {
	for c := t.first[node]; c >= 0; c = t.next[c] {
		if t.tokens[c] == token {
			return int(c)
		}
	}
	return -1
}

// IsAncestor reports whether a lies on the path from the root to b; a node is an ancestor of itself.
func (t *Tree) IsAncestor(a, b int) bool {
	for b > a {
		b = int(t.parents[b])
	}
	return a == b
}

// Path appends the nodes from the root to node, both included, to dst and returns it.
func (t *Tree) Path(dst []int, node int) []int {
	start := len(dst)
	for n := int(t.depths[node]); n >= 0; n-- {
		dst = append(dst, 0)
	}
	for i := len(dst) - 1; i >= start; i-- {
		dst[i] = node
		node = int(t.parents[node])
	}
	return dst
}
