package baseline

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/lever-go/lever/spec"
)

// SequoiaKind describes [Sequoia].
var SequoiaKind = spec.PolicyKind{Name: "sequoia", Budget: 64, Draft: spec.DraftRequired, New: func(budget int) (spec.Policy, error) {
	return NewSequoia(SequoiaOptions{Budget: budget})
}}

// SequoiaOptions describe a [Sequoia].
type SequoiaOptions struct {
	Budget int // the most nodes of a tree besides the root
	// MaxDepth is the number of levels below the root. The default is 16, but at most Nodes.
	MaxDepth int
	// MaxChildren is the largest number of children of a node. The default is 8, but at most Nodes.
	MaxChildren int
	// Cost returns the time of a pass with a tree of that depth and number of nodes besides the root, in any unit; the tree's
	// size and depth are then those of the least time per expected token. If it is nil, there are as many nodes as are allowed.
	Cost func(depth, nodes int) float64
}

// Sequoia grows trees of one shape for many passes: the shape with most expected accepted tokens for its size, found by dynamic
// programming, when the k-th most probable candidate of any node is right with the same probability everywhere. Those
// probabilities are counted while it runs, from a prior on, and the shape is made anew now and then.
//
// Source: Chen et al., "Sequoia: Scalable, Robust, and Hardware-aware Speculative Decoding" (2024), arXiv 2402.12374; there the
// probabilities are counted beforehand.
type Sequoia struct {
	options SequoiaOptions
	hits    []float64 // of each rank
	seen    float64   // nodes after which the target's token was seen
	rebuild float64   // seen at which to make the shape anew

	search     treeSearch
	acceptance []float64
	shape      []shapeNode

	nodes []int // tree node of each node of the shape, or -1
	wave  []int
}

// sequoiaPrior is how many observations the prior is worth.
const sequoiaPrior = 8

// sequoiaRebuild is how much the number of observations grows from one shape to the next.
const sequoiaRebuild = 1.25

// NewSequoia returns the policy.
func NewSequoia(o SequoiaOptions) (*Sequoia, error) {
	if o.Budget < 1 || o.MaxDepth < 0 || o.MaxChildren < 0 {
		return nil, fmt.Errorf("baseline: Sequoia: budget %d, maximum depth %d, %d children", o.Budget, o.MaxDepth, o.MaxChildren)
	}
	if o.MaxDepth == 0 {
		o.MaxDepth = 16
	}
	if o.MaxChildren == 0 {
		o.MaxChildren = 8
	}
	o.MaxDepth, o.MaxChildren = min(o.MaxDepth, o.Budget), min(o.MaxChildren, o.Budget)
	s := &Sequoia{options: o, seen: sequoiaPrior, hits: make([]float64, o.MaxChildren)}
	for k := range s.hits {
		s.hits[k] = sequoiaPrior * 0.55 / float64((k+1)*(k+1)) // all ranks together: about 0.9
	}
	s.build()
	return s, nil
}

// build makes the shape for what is known now.
func (s *Sequoia) build() {
	s.acceptance = s.acceptance[:0]
	for _, hits := range s.hits {
		s.acceptance = append(s.acceptance, hits/s.seen)
	}
	s.search.run(s.acceptance, s.options.Budget+1, s.options.MaxDepth+1)
	s.shape = s.search.shape(s.shape[:0], s.options.Cost)
	s.rebuild = s.seen * sequoiaRebuild
}

// Grow fills the shape with the draft model's candidates, level by level, as far as they fit.
func (s *Sequoia) Grow(ctx context.Context, _ []int32, tree *spec.Tree, draft *spec.Draft) error {
	if draft == nil {
		return fmt.Errorf("baseline: Sequoia: %w", spec.ErrNoDraft)
	}
	if s.seen >= s.rebuild {
		s.build()
	}
	s.nodes = append(s.nodes[:0], 0)
	for start := 0; start < len(s.nodes); {
		end := len(s.nodes)
		s.wave = s.wave[:0]
		for i := start; i < end; i++ {
			if node := s.nodes[i]; node >= 0 && s.shape[i].branches > 0 && !tree.Full(node) && !draft.Full(node) {
				s.wave = append(s.wave, node)
			}
		}
		if err := draft.Expand(ctx, s.wave, s.options.MaxChildren); err != nil {
			return err
		}
		for len(s.nodes) < len(s.shape) && s.shape[len(s.nodes)].parent < end {
			if err := s.fill(tree, s.shape[len(s.nodes)]); err != nil {
				return err
			}
		}
		start = end
	}
	return nil
}

// fill adds the tree node for the next node of the shape, if there is a candidate and room for it.
func (s *Sequoia) fill(tree *spec.Tree, next shapeNode) error {
	node, parent := -1, s.nodes[next.parent]
	if parent >= 0 {
		set, _ := tree.Set(parent, spec.FromDraft)
		if next.rank < len(set.Tokens) && !tree.Full(parent) {
			var err error
			if node, err = tree.Add(parent, set.Tokens[next.rank], set.Probs[next.rank]); err != nil {
				return err
			}
		}
	}
	s.nodes = append(s.nodes, node)
	return nil
}

// Observe counts the ranks of the target's tokens.
func (s *Sequoia) Observe(o spec.Observation) {
	for i, node := range o.Path {
		set, found := o.Tree.Set(node, spec.FromDraft)
		if !found {
			continue
		}
		s.seen++
		if rank := slices.Index(set.Tokens, o.Token(i)); rank >= 0 {
			s.hits[rank]++
		}
	}
}

// treeSearch finds the best tree for its size by dynamic programming. Here a tree's nodes and levels include the root, and its
// value is the expected number of tokens that a pass with it yields: the root's, which is 1, and for its k-th child the
// probability that this is accepted times the value of the tree below.
type treeSearch struct {
	nodes, levels, branches int

	value []float64 // [nodes+1][levels+1][branches+1]: of the best tree with just that many nodes and children of the root
	split []int     // of it, the nodes that the root and all its children but the last take
	most  []int     // [nodes+1][levels+1]: number of children in the best tree of that size
}

// shapeNode is a node of a tree without tokens. Parents come before children, levels one after the other.
type shapeNode struct {
	parent, rank            int // rank among its siblings
	nodes, levels, branches int // of the tree below, itself included
}

func (t *treeSearch) at(nodes, levels int) int { return nodes*(t.levels+1) + levels }

// best returns the value of the best tree of a size and number of levels; -Inf if there is none.
func (t *treeSearch) best(nodes, levels int) float64 {
	at := t.at(nodes, levels)
	return t.value[at*(t.branches+1)+t.most[at]]
}

// run fills the tables. acceptance holds the probability that a child is accepted, by rank.
func (t *treeSearch) run(acceptance []float64, nodes, levels int) {
	t.nodes, t.levels, t.branches = nodes, levels, len(acceptance)
	sizes := (nodes + 1) * (levels + 1)
	t.most = slices.Grow(t.most[:0], sizes)[:sizes]
	t.value, t.split = slices.Grow(t.value[:0], sizes*(t.branches+1))[:sizes*(t.branches+1)], slices.Grow(t.split[:0], sizes*(t.branches+1))[:sizes*(t.branches+1)]
	for i := range t.value {
		t.value[i] = math.Inf(-1)
	}
	clear(t.most)
	for n := 1; n <= nodes; n++ {
		for l := 1; l <= levels; l++ {
			t.fill(acceptance, n, l)
		}
	}
}

// fill finds the best tree of n nodes and at most l levels for each number of children.
func (t *treeSearch) fill(acceptance []float64, n, l int) {
	at := t.at(n, l)
	value, split := t.value[at*(t.branches+1):][:t.branches+1], t.split[at*(t.branches+1):][:t.branches+1]
	if n == 1 {
		value[0] = 1
		return
	}
	for b := 1; b <= t.branches; b++ {
		for first := 1; first < n; first++ {
			v := t.value[t.at(first, l)*(t.branches+1)+b-1] + acceptance[b-1]*t.best(n-first, l-1)
			if v > value[b] {
				value[b], split[b] = v, first
			}
		}
		if value[b] > value[t.most[at]] {
			t.most[at] = b
		}
	}
}

// shape appends to dst the best tree: the one of least cost per token or, if cost is nil, with most tokens.
func (t *treeSearch) shape(dst []shapeNode, cost func(depth, nodes int) float64) []shapeNode {
	root, least := shapeNode{parent: -1, nodes: 1, levels: 1}, math.Inf(1)
	for n := 2; n <= t.nodes; n++ {
		for l := 2; l <= t.levels; l++ {
			value := t.best(n, l)
			if math.IsInf(value, -1) {
				continue
			}
			ratio := -value
			if cost != nil {
				ratio = cost(l-1, n-1) / value
			}
			if ratio < least {
				root.nodes, root.levels, root.branches = n, l, t.most[t.at(n, l)]
				least = ratio
			}
		}
	}
	dst = append(dst, root)
	for i := 0; i < len(dst); i++ {
		dst = t.children(dst, i)
	}
	return dst
}

// children appends the children of the i-th node of a shape.
func (t *treeSearch) children(dst []shapeNode, i int) []shapeNode {
	from, n, l := len(dst), dst[i].nodes, dst[i].levels
	for b := dst[i].branches; b > 0; b-- {
		rest := t.split[t.at(n, l)*(t.branches+1)+b]
		dst = append(dst, shapeNode{i, b - 1, n - rest, l - 1, t.most[t.at(n-rest, l-1)]})
		n = rest
	}
	slices.Reverse(dst[from:])
	return dst
}
