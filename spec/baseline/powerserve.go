package baseline

import (
	"context"
	"fmt"
	"math"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/spec"
)

// PowerServeKind describes [PowerServe].
var PowerServeKind = spec.PolicyKind{Name: "powerserve", Budget: 11, Draft: spec.DraftRequired, New: func(budget int) (spec.Policy, error) {
	return NewPowerServe(PowerServeOptions{Budget: budget})
}}

// PowerServeOptions describe a [PowerServe].
type PowerServeOptions struct {
	Budget int // the most nodes of a tree besides the root
	// TopK is the number of candidates of a node. The default is 15.
	TopK int
	// Temperature of the probabilities of these. The default is 1.5.
	Temperature float64
	// FanOut is how many of them, at most, may be expanded in turn: those at least Base times as probable as the first. The default is 3.
	FanOut int
	Base   float64 // the default is 0.9
	// MinProb is the probability of a path from which on its end is expanded. The default is 0.2.
	MinProb float64
}

// PowerServe grows a chain that splits only where the next tokens are about equally probable, one draft forward per expanded
// node, and fills the rest of the tree with the leaves that this yields at no further cost: trees for machines where verification
// takes the same time for any number of rows up to some limit.
//
// Source: PowerServe (2025), https://github.com/powerserve-project/PowerServe. There, unlike here, a node that ends the text is
// not expanded.
type PowerServe struct {
	options PowerServeOptions

	// The candidates. inner and leaf hold the probability of the path, or -1 for those that are not, or no longer, in that heap.
	parents []int32 // tree node
	tokens  []int32
	probs   []float32
	inner   []float32
	leaf    []float32
	waiting int // in inner

	node [1]int
	hot  []float64 // probabilities at the temperature
}

// NewPowerServe returns the policy.
func NewPowerServe(o PowerServeOptions) (*PowerServe, error) {
	if o.Budget < 1 || o.TopK < 0 || o.FanOut < 0 || !(o.Temperature >= 0) || !(o.Base >= 0) || !(o.MinProb >= 0) {
		return nil, fmt.Errorf("baseline: PowerServe: %+v", o)
	}
	if o.TopK == 0 {
		o.TopK = 15
	}
	if o.Temperature == 0 {
		o.Temperature = 1.5
	}
	if o.FanOut == 0 {
		o.FanOut = 3
	}
	if o.Base == 0 {
		o.Base = 0.9
	}
	if o.MinProb == 0 {
		o.MinProb = 0.2
	}
	return &PowerServe{options: o}, nil
}

// Grow adds the most probable candidate after the other, and expands those that may be.
func (p *PowerServe) Grow(ctx context.Context, _ []int32, tree *spec.Tree, draft *spec.Draft) error {
	if draft == nil {
		return fmt.Errorf("baseline: PowerServe: %w", spec.ErrNoDraft)
	}
	p.parents, p.tokens, p.probs = p.parents[:0], p.tokens[:0], p.probs[:0]
	p.inner, p.leaf, p.waiting = p.inner[:0], p.leaf[:0], 0
	nodes := 1 + min(p.options.Budget, tree.Budget())
	node, prob, expandable := 0, float32(1), true
	for {
		// Half of those that wait to be expanded will need room as well.
		if expandable && tree.Len()+p.waiting/2 < nodes && float64(prob) >= p.options.MinProb && !tree.Full(node) && !draft.Full(node) {
			if err := p.expand(ctx, tree, draft, node, prob); err != nil {
				return err
			}
		}
		if tree.Len() == nodes {
			return nil
		}
		var next int
		if next, prob, expandable = p.pop(); next < 0 {
			return nil
		}
		var err error
		if node, err = tree.Add(int(p.parents[next]), p.tokens[next], p.probs[next]); err != nil {
			return err
		}
	}
}

// expand adds the candidates of a node, the probability of whose path is prob.
func (p *PowerServe) expand(ctx context.Context, tree *spec.Tree, draft *spec.Draft, node int, prob float32) error {
	p.node[0] = node
	if err := draft.Expand(ctx, p.node[:], p.options.TopK); err != nil {
		return err
	}
	set, _ := tree.Set(node, spec.FromDraft)
	p.hot = p.hot[:0]
	total := 0.0
	for _, q := range set.Probs {
		hot := math.Pow(float64(q), 1/p.options.Temperature)
		p.hot = append(p.hot, hot)
		total += hot
	}
	for i, hot := range p.hot {
		inner, leaf := float32(-1), float32(-1)
		path := prob * float32(hot/total)
		if i < p.options.FanOut && hot >= p.options.Base*p.hot[0] {
			inner = path
			p.waiting++
		} else {
			leaf = path
		}
		p.parents = append(p.parents, int32(node))
		p.tokens, p.probs = append(p.tokens, set.Tokens[i]), append(p.probs, set.Probs[i])
		p.inner, p.leaf = append(p.inner, inner), append(p.leaf, leaf)
	}
	return nil
}

// pop takes the most probable candidate that may be expanded or, where there is none, the most probable other one; -1 if there
// are none at all.
func (p *PowerServe) pop() (candidate int, prob float32, expandable bool) {
	heap := p.leaf
	if expandable = p.waiting > 0; expandable {
		heap = p.inner
		p.waiting--
	}
	if len(heap) == 0 {
		return -1, 0, false
	}
	candidate = kernels.Default().Argmax(heap)
	if prob = heap[candidate]; prob < 0 {
		return -1, 0, false
	}
	heap[candidate] = -1
	return candidate, prob, expandable
}
