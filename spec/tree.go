package spec

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/lever-go/lever/spec/sampling"
)

// ErrTreeFull is returned by [Tree.Add] when the new node would exceed the limits given to [Tree.Reset].
var ErrTreeFull = errors.New("spec: tree is full")

// Tree holds the tokens that one target pass verifies. Node 0 is the root: the last token of the sequence so far, which the
// target has not seen yet. Every other node is a guess at the token after its parent. A parent always has a smaller index
// than its children (topological order) and siblings have different tokens. A chain is a tree with one child per node.
//
// Beside the nodes it holds candidate sets: what a source proposed after a node, whether or not it was added. See
// [CandidateSet].
//
// The zero value has no root; call [Tree.Reset] first. Slices returned by methods are borrowed: they are valid, and must not
// be written to, until the next Add, Offer, Select or Reset. A Tree allocates only while it grows past its largest size so far. It is not
// safe for concurrent use.
type Tree struct {
	tokens  []int32
	parents []int32   // -1 for the root
	depths  []int32   // 0 for the root
	probs   []float32 // draft's probability of the node's token after its parent's
	weights []float32 // product of probs from the root
	drafted []int32   // pending row of the draft model, or -1
	first   []int32   // first child, or -1
	next    []int32   // next sibling, or -1

	sets     []CandidateSet
	firstSet []int32 // of each node, or -1
	nextSet  []int32 // of each set: another one of its node, or -1
	offered  []int32 // what the sets hold, one after the other
	chances  []float32
	from     []sampling.TokenWeight

	constraint Constraint        // may be nil
	states     []int             // of the constraint after each node, or forbidden
	history    *sampling.History // of the sequence up to the root, between calls; nil where there are no penalties

	budget, maxDepth int
	exploring        bool // the budget does not hold until Select

	renumbered []int32 // scratch of Select: new index of each node, or -1
}

// Reset empties the tree and gives it a root. It will take at most budget nodes besides the root, none deeper than maxDepth;
// the root has depth 0.
func (t *Tree) Reset(root int32, budget, maxDepth int) {
	t.tokens, t.parents, t.depths = t.tokens[:0], t.parents[:0], t.depths[:0]
	t.probs, t.weights, t.drafted = t.probs[:0], t.weights[:0], t.drafted[:0]
	t.first, t.next = t.first[:0], t.next[:0]
	t.sets, t.firstSet, t.nextSet = t.sets[:0], t.firstSet[:0], t.nextSet[:0]
	t.offered, t.chances, t.from = t.offered[:0], t.chances[:0], t.from[:0]
	t.budget, t.maxDepth, t.exploring = budget, maxDepth, false
	t.constraint, t.history = nil, nil
	t.push(root, -1, 0, 1, 1)
}

func (t *Tree) push(token, parent, depth int32, prob, weight float32) {
	t.tokens = append(t.tokens, token)
	t.parents = append(t.parents, parent)
	t.depths = append(t.depths, depth)
	t.probs = append(t.probs, prob)
	t.weights = append(t.weights, weight)
	t.drafted = append(t.drafted, -1)
	t.first = append(t.first, -1)
	t.next = append(t.next, -1)
	t.firstSet = append(t.firstSet, -1)
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
	t.push(token, int32(parent), t.depths[parent]+1, prob, t.weights[parent]*prob)
	if t.constraint != nil {
		state := forbidden
		if t.states[parent] >= 0 {
			state = t.constraint.Next(t.states[parent], token)
		}
		t.states = append(t.states, state)
	}
	return node, nil
}

// Source is where candidates come from.
type Source uint8

// Sources of candidates.
const (
	FromDraft      Source = iota // the draft model
	FromNGram                    // look-up of the latest tokens in the sequence itself
	FromHistory                  // answers to earlier prompts
	FromMasks                    // mask tokens of the draft model, which predict several tokens at once: see [Draft.ExpandAhead]
	FromConstraint               // the only token that the request's [Constraint] allows: see [Tree.OfferForced]
)

// String returns the source's name.
func (s Source) String() string {
	switch s {
	case FromDraft:
		return "draft"
	case FromNGram:
		return "ngram"
	case FromHistory:
		return "history"
	case FromMasks:
		return "masks"
	case FromConstraint:
		return "constraint"
	}
	return fmt.Sprintf("source %d", uint8(s))
}

// CandidateSet is what one source proposes after one node of a [Tree]. Its tokens are candidates; those that are children of
// the node as well are up for verification, the others are shadow candidates: [Tree.Child] tells. Both are needed to learn how
// often a candidate of a given probability and rank is right.
type CandidateSet struct {
	Node   int
	Source Source
	Tokens []int32   // by rank, most probable first; in the order in which they were drawn, if they were
	Probs  []float32 // the source's probability of each token given the path to Node
	Draw   Draw      // how the tokens were chosen
	// Ahead is, of candidates [FromMasks], how many tokens lie between the latest that the draft model had seen and these: they are
	// likely whatever those are, not given the path to Node.
	Ahead int

	from []sampling.TokenWeight // the distribution from which they were drawn, if they were
}

// Draw is how the tokens of a [CandidateSet] were chosen.
type Draw uint8

// Ways to choose candidates. All but the first need the draft model: see [Draft.Sample].
const (
	MostProbable       Draw = iota // no chance is involved: they are a function of the sequence
	WithReplacement                // drawn independently of each other; a token may come more than once
	WithoutReplacement             // drawn one after the other from what is left
)

// Offer records a candidate set: source's proposals after node, most probable first. It adds no nodes, and copies its
// arguments. A node takes one set of each source; [Draft.OfferAhead] alone replaces one. Tokens that the request's [Constraint] does
// not allow there are left out; if that leaves none, there is no set.
func (t *Tree) Offer(node int, source Source, tokens []int32, probs []float32) error {
	if err := t.checkOffer(node, source, tokens, probs); err != nil {
		return err
	}
	t.offer(node, source, tokens, probs)
	return nil
}

// checkOffer returns what is wrong with the arguments of Offer.
func (t *Tree) checkOffer(node int, source Source, tokens []int32, probs []float32) error {
	if node < 0 || node >= t.Len() {
		return fmt.Errorf("spec: tree: offer: node %d is not one of the %d nodes", node, t.Len())
	}
	if len(tokens) != len(probs) {
		return fmt.Errorf("spec: tree: offer: %d tokens with %d probabilities", len(tokens), len(probs))
	}
	for i, prob := range probs {
		if tokens[i] < 0 || !(prob >= 0 && prob <= 1) {
			return fmt.Errorf("spec: tree: offer: token %d with probability %v", tokens[i], prob)
		}
	}
	if _, found := t.Set(node, source); found {
		return fmt.Errorf("spec: tree: offer: node %d has a candidate set from %v already", node, source)
	}
	return nil
}

// offer records what may follow of a candidate set of a source that has none of the node.
func (t *Tree) offer(node int, source Source, tokens []int32, probs []float32) {
	start := len(t.offered)
	for i, token := range tokens {
		if t.allows(node, token) {
			t.offered, t.chances = append(t.offered, token), append(t.chances, probs[i])
		}
	}
	if len(t.offered) > start || len(tokens) == 0 {
		t.record(node, source, start)
	}
}

// record makes a candidate set of what is offered from start on.
func (t *Tree) record(node int, source Source, start int) {
	t.nextSet = append(t.nextSet, t.firstSet[node])
	t.firstSet[node] = int32(len(t.sets))
	t.sets = append(t.sets, CandidateSet{
		Node: node, Source: source, Tokens: slices.Clip(t.offered[start:]), Probs: slices.Clip(t.chances[start:]),
	})
}

// offerAhead records the candidates of mask tokens, in place of those that an earlier wave had of the node, and reports whether the node
// has them: a constraint may allow none.
func (t *Tree) offerAhead(node, ahead int, tokens []int32, probs []float32) (offered bool) {
	old := t.firstSet[node]
	for old >= 0 && t.sets[old].Source != FromMasks {
		old = t.nextSet[old]
	}
	n := len(t.sets)
	if t.offer(node, FromMasks, tokens, probs); len(t.sets) == n {
		return false
	}
	if t.sets[n].Ahead = ahead; old >= 0 {
		t.sets[old], t.firstSet[node] = t.sets[n], t.nextSet[n]
		t.sets, t.nextSet = t.sets[:n], t.nextSet[:n]
	}
	return true
}

// offerDrawn offers the draft model's set of tokens drawn from a distribution, which it copies. All of them are in the set, else verification would be wrong.
func (t *Tree) offerDrawn(node int, tokens []int32, probs []float32, draw Draw, from []sampling.TokenWeight) error {
	if err := t.checkOffer(node, FromDraft, tokens, probs); err != nil {
		return err
	}
	start := len(t.offered)
	t.offered, t.chances = append(t.offered, tokens...), append(t.chances, probs...)
	t.record(node, FromDraft, start)
	start = len(t.from)
	t.from = append(t.from, from...)
	set := &t.sets[len(t.sets)-1]
	set.Draw, set.from = draw, slices.Clip(t.from[start:])
	return nil
}

// Sets returns the candidate sets in the order in which they were offered.
func (t *Tree) Sets() []CandidateSet { return t.sets }

// Set returns the candidates that source proposed after node.
func (t *Tree) Set(node int, source Source) (set CandidateSet, found bool) {
	for i := t.firstSet[node]; i >= 0; i = t.nextSet[i] {
		if t.sets[i].Source == source {
			return t.sets[i], true
		}
	}
	return CandidateSet{}, false
}

// SetsOf yields the candidate sets of a node, each at most once for a source. They must not be changed.
func (t *Tree) SetsOf(node int) iter.Seq[*CandidateSet] {
	return func(yield func(*CandidateSet) bool) {
		for i := t.firstSet[node]; i >= 0; i = t.nextSet[i] {
			if !yield(&t.sets[i]) {
				return
			}
		}
	}
}

// Full reports whether a child of node would exceed the tree's limits.
func (t *Tree) Full(node int) bool {
	return t.Len() > t.budget && !t.exploring || int(t.depths[node]) >= t.maxDepth
}

// Budget returns the most nodes besides the root that can be verified.
func (t *Tree) Budget() int { return t.budget }

// MaxDepth returns the depth of the deepest node that the tree may have.
func (t *Tree) MaxDepth() int { return t.maxDepth }

// Explore lets the tree grow beyond what can be verified, until [Tree.Select].
func (t *Tree) Explore() { t.exploring = true }

// Select drops all nodes but the root and those in nodes, which are in ascending order and include the parent of each. It
// renumbers the nodes, the i-th of nodes becoming i+1, and drops the candidate sets of those that go; in the sets that stay,
// they turn into shadow candidates. Where candidates were drawn it fails: to drop some for what they are would change the
// distribution of the output.
func (t *Tree) Select(nodes []int) error {
	if len(t.from) > 0 {
		return errors.New("spec: tree: select: candidates were drawn")
	}
	if len(nodes) > t.budget {
		return fmt.Errorf("spec: tree: select: %d nodes: %w", len(nodes), ErrTreeFull)
	}
	t.renumbered = resize(t.renumbered, t.Len())
	for i := range t.renumbered {
		t.renumbered[i] = -1
	}
	t.renumbered[0] = 0
	last := 0
	for i, node := range nodes {
		if node <= last || node >= t.Len() {
			return fmt.Errorf("spec: tree: select: node %d is out of order, or not one of the %d nodes", node, t.Len())
		}
		if t.renumbered[t.parents[node]] < 0 {
			return fmt.Errorf("spec: tree: select: node %d without its parent %d", node, t.parents[node])
		}
		t.renumbered[node] = int32(i + 1)
		last = node
	}
	for i, node := range nodes {
		to := i + 1
		t.tokens[to], t.parents[to], t.depths[to] = t.tokens[node], t.renumbered[t.parents[node]], t.depths[node]
		t.probs[to], t.weights[to], t.drafted[to] = t.probs[node], t.weights[node], t.drafted[node]
		if t.constraint != nil {
			t.states[to] = t.states[node]
		}
	}
	n := len(nodes) + 1
	t.tokens, t.parents, t.depths = t.tokens[:n], t.parents[:n], t.depths[:n]
	t.probs, t.weights, t.drafted = t.probs[:n], t.weights[:n], t.drafted[:n]
	if t.constraint != nil {
		t.states = t.states[:n]
	}
	t.exploring = false
	sets := t.sets
	t.sets = t.sets[:0]
	for _, set := range sets {
		if to := t.renumbered[set.Node]; to >= 0 {
			set.Node = int(to)
			t.sets = append(t.sets, set)
		}
	}
	t.relink()
	return nil
}

// relink makes the lists of children and of candidate sets anew.
func (t *Tree) relink() {
	t.first, t.next, t.firstSet, t.nextSet = t.first[:0], t.next[:0], t.firstSet[:0], t.nextSet[:0]
	for range t.Len() {
		t.first, t.next, t.firstSet = append(t.first, -1), append(t.next, -1), append(t.firstSet, -1)
	}
	for node := t.Len() - 1; node > 0; node-- {
		parent := t.parents[node]
		t.next[node], t.first[parent] = t.first[parent], int32(node)
	}
	for i, set := range t.sets {
		t.nextSet = append(t.nextSet, t.firstSet[set.Node])
		t.firstSet[set.Node] = int32(i)
	}
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

// Weights returns for every node the product of the probabilities on its path from the root; the root's is 1.
func (t *Tree) Weights() []float32 { return t.weights }

// Child returns the child of node that holds token, or -1.
func (t *Tree) Child(node int, token int32) int {
	for c := t.first[node]; c >= 0; c = t.next[c] {
		if t.tokens[c] == token {
			return int(c)
		}
	}
	return -1
}

// Children yields the children of a node, in the order in which they were added.
func (t *Tree) Children(node int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for c := t.first[node]; c >= 0; c = t.next[c] {
			if !yield(int(c)) {
				return
			}
		}
	}
}

// IsLeaf reports whether a node has no children.
func (t *Tree) IsLeaf(node int) bool { return t.first[node] < 0 }

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
