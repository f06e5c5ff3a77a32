package spec

import (
	"context"
	"fmt"
	"math"

	"github.com/lever-go/lever/layers"
)

// Draft is a draft model that follows the target's sequence. A policy expands tree nodes with it; their keys and values stay
// for the next pass as far as the target accepts the nodes, and the tokens that the draft has not seen go in together with
// the next root. It is not safe for concurrent use.
type Draft struct {
	model Model
	chunk int

	sequence []int32 // borrowed; the last token is the root of the tree
	tree     *Tree
	rows     []int // pending row of each node that was expanded, else -1
	lead     int   // pending rows before the root's: settled tokens that the model had not seen

	batch  layers.Batch
	row    [1]int
	path   []int
	logits []float32
}

func newDraft(m Model, chunk int) *Draft {
	return &Draft{model: m, chunk: chunk, logits: make([]float32, m.Vocab())}
}

// start begins a pass: tree has a root, the last token of sequence, and nothing is expanded.
func (d *Draft) start(sequence []int32, tree *Tree) {
	d.sequence, d.tree = sequence, tree
	d.rows, d.lead = d.rows[:0], 0
}

// Full reports whether the draft model's context is too short for node.
func (d *Draft) Full(node int) bool {
	return len(d.sequence)-1+int(d.tree.Depths()[node]) >= d.model.Context()
}

// Next returns the draft model's most probable token after node, the lowest id among equals, with its probability. The
// node's parent must have been given to Next before.
func (d *Draft) Next(ctx context.Context, node int) (token int32, prob float32, err error) {
	if err := d.expand(ctx, node); err != nil {
		return 0, 0, err
	}
	d.row[0] = d.rows[node]
	if err := d.model.Project(ctx, d.logits, d.row[:]); err != nil {
		return 0, 0, fmt.Errorf("spec: draft: %w", err)
	}
	best, err := argmax(d.logits)
	if err != nil {
		return 0, 0, fmt.Errorf("spec: draft: %w", err)
	}
	return int32(best), softmaxOfLargest(d.logits, d.logits[best]), nil
}

// softmaxOfLargest returns the probability of the largest of logits, leaving out those that would change it by less than
// 1e-8 each: they are most of a large vocabulary.
func softmaxOfLargest(logits []float32, largest float32) float32 {
	total := 0.0
	for _, x := range logits {
		if x > largest-18.5 {
			total += math.Exp(float64(x - largest))
		}
	}
	return float32(1 / total)
}

// expand runs the draft model on a node, unless that was done, and together with the root on the settled tokens that it has
// not seen.
func (d *Draft) expand(ctx context.Context, node int) error {
	for len(d.rows) < d.tree.Len() {
		d.rows = append(d.rows, -1)
	}
	if d.rows[node] >= 0 {
		return nil
	}
	d.batch.Tokens, d.batch.Parents = d.batch.Tokens[:0], d.batch.Parents[:0]
	parent := -1
	if node > 0 {
		if parent = d.rows[d.tree.Parents()[node]]; parent < 0 {
			return fmt.Errorf("spec: draft: node %d before its parent %d", node, d.tree.Parents()[node])
		}
	} else {
		unseen := d.sequence[d.model.Len() : len(d.sequence)-1]
		if len(unseen) >= d.chunk {
			if err := d.follow(ctx, d.sequence); err != nil {
				return err
			}
			unseen = nil
		}
		for _, token := range unseen {
			d.batch.Tokens = append(d.batch.Tokens, token)
			d.batch.Parents = append(d.batch.Parents, int32(parent))
			parent++
		}
		d.lead = len(unseen)
	}
	d.batch.Tokens = append(d.batch.Tokens, d.tree.Tokens()[node])
	d.batch.Parents = append(d.batch.Parents, int32(parent))
	first, err := d.model.Forward(ctx, d.batch)
	if err != nil {
		return fmt.Errorf("spec: draft: %w", err)
	}
	d.rows[node] = first + len(d.batch.Tokens) - 1
	return nil
}

// follow takes in all tokens of sequence that the model has not seen, but the last.
func (d *Draft) follow(ctx context.Context, sequence []int32) error {
	if err := fill(ctx, d.model, sequence[d.model.Len():len(sequence)-1], d.chunk, nil); err != nil {
		return fmt.Errorf("spec: draft: %w", err)
	}
	return nil
}

// settle keeps the keys and values of the accepted path, the root first, as far as its nodes were expanded.
func (d *Draft) settle(path []int) error {
	d.path = d.path[:0]
	for row := range d.lead {
		d.path = append(d.path, row)
	}
	for _, node := range path {
		if node >= len(d.rows) || d.rows[node] < 0 {
			break
		}
		d.path = append(d.path, d.rows[node])
	}
	if err := d.model.Commit(d.path); err != nil {
		return fmt.Errorf("spec: draft: %w", err)
	}
	return nil
}

// fill appends tokens to the model's sequence, at most chunk in a forward, and reports how many are done after each.
func fill(ctx context.Context, m Model, tokens []int32, chunk int, progress func(done int)) error {
	path := make([]int, min(chunk, len(tokens)))
	for i := range path {
		path[i] = i
	}
	for done := 0; done < len(tokens); {
		n := min(chunk, len(tokens)-done)
		if _, err := m.Forward(ctx, layers.Batch{Tokens: tokens[done : done+n]}); err != nil {
			return err
		}
		if err := m.Commit(path[:n]); err != nil {
			return err
		}
		if done += n; progress != nil {
			progress(done)
		}
	}
	return nil
}
