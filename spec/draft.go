package spec

import (
	"context"
	"fmt"
	"slices"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/spec/sampling"
)

// Draft is a draft model that follows the target's sequence. A policy expands tree nodes with it; their keys and values stay
// for the next pass as far as the target accepts the nodes, and the tokens that the draft has not seen go in together with
// the next root. It is not safe for concurrent use.
type Draft struct {
	model    Decoder
	maxBatch int

	parallel Parallel
	sampler  sampling.Sampler // for draws from the draft's distribution

	sequence []int32 // borrowed; the last token is the root of the tree
	tree     *Tree
	lead     int // pending rows before the root's: settled tokens that the model had not seen
	pending  int // all pending rows

	batch  Batch
	path   []int
	rows   []int // whose logits are wanted
	logits []float32
	ids    []int32
	probs  []float32
	left   []sampling.TokenWeight

	ahead     []aheadRow // by pending row
	aheadIDs  []int32    // candidates of mask rows, one row after the other
	aheadProb []float32
}

// draftStream is the stream of the request's seed from which drafted tokens are drawn.
const draftStream = 1

// NewDraft returns a draft that takes in at most maxBatch tokens of a sequence in one forward. A [Generator] makes its own; this is for those
// who drive a [Policy] themselves: Start, let it grow, verify, Settle.
func NewDraft(m Decoder, maxBatch int) *Draft { return &Draft{model: m, maxBatch: maxBatch} }

// begin prepares for a new sequence that starts with prompt.
func (d *Draft) begin(prompt []int32, o sampling.Options) error {
	if err := keepPrefix(d.model, prompt); err != nil {
		return fmt.Errorf("draft: %w", err)
	}
	return d.sampler.Reset(o, draftStream)
}

// Start begins a pass: tree has a root, the last token of sequence, and nothing is expanded.
func (d *Draft) Start(sequence []int32, tree *Tree) {
	d.sequence, d.tree = sequence, tree
	d.lead, d.pending = 0, 0
	d.ahead, d.aheadIDs, d.aheadProb = d.ahead[:0], d.aheadIDs[:0], d.aheadProb[:0]
}

// Full reports whether the draft model's context is too short for node.
func (d *Draft) Full(node int) bool {
	return len(d.sequence)-1+int(d.tree.depths[node]) >= d.model.Context()
}

// Expand runs the draft model on a wave of nodes, all in one forward, and offers tree the k most probable tokens after each
// node, the lowest id first among equals, with their probabilities (softmax of the logits): one candidate set per node, in the
// order of nodes, fewer tokens only where the vocabulary is smaller, or the request's [Constraint] allows fewer, and none where that has
// failed; probabilities are among those that it allows. It adds no nodes. The parent of a node must be expanded
// before it or come earlier in nodes, and no node can be expanded twice in a pass. After an error the pass can't go on.
func (d *Draft) Expand(ctx context.Context, nodes []int, k int) error {
	return d.ExpandAhead(ctx, nodes, k, 1)
}

// Expanded reports whether a node was expanded in this pass.
func (d *Draft) Expanded(node int) bool { return d.tree.drafted[node] >= 0 }

// Unseen returns the number of tokens before the root that the draft model has not taken in yet; expanding the root does.
func (d *Draft) Unseen() int { return len(d.sequence) - 1 - d.model.Len() }

// Sample runs the draft model on a wave of nodes as [Draft.Expand] does, draws k tokens after each from the draft's distribution,
// filtered as the request's [sampling.Options] say, and adds them as children: fewer where the tree has no room for k, or where draws
// without replacement exhaust the distribution, and none where the request's [Constraint] has failed. All that were drawn, and no others, are in the candidate set, so that
// verification can take their distribution into account.
func (d *Draft) Sample(ctx context.Context, nodes []int, k int, how Draw) error {
	if k < 1 || how != WithReplacement && how != WithoutReplacement {
		return fmt.Errorf("spec: draft: %d candidates by draw %d", k, how)
	}
	return d.wave(ctx, nodes, 1, func(node int, logits []float32) error { return d.draw(node, logits, k, how) })
}

// wave runs the draft model on nodes, with masks below each if reach is above 1, and calls each with the logits of one node after the
// other, which it may overwrite.
func (d *Draft) wave(ctx context.Context, nodes []int, reach int, each func(node int, logits []float32) error) error {
	if len(nodes) == 0 {
		return nil
	}
	first := d.pending
	if err := d.forward(ctx, nodes, reach); err != nil {
		return err
	}
	if reach > 1 {
		if err := d.lookAhead(ctx, first); err != nil {
			return err
		}
	}
	d.rows = d.rows[:0]
	for _, node := range nodes {
		d.rows = append(d.rows, int(d.tree.drafted[node]))
	}
	return d.project(ctx, func(i int, logits []float32) error {
		if !d.tree.restrict(nodes[i], logits) {
			return nil
		}
		d.tree.penalise(nodes[i], logits)
		return each(nodes[i], logits)
	})
}

// project calls each with the logits of one of d.rows after the other, which it may overwrite.
func (d *Draft) project(ctx context.Context, each func(i int, logits []float32) error) error {
	vocab := d.model.Vocab()
	for first := 0; first < len(d.rows); first += projectRows {
		rows := d.rows[first:min(first+projectRows, len(d.rows))]
		d.logits = resize(d.logits, len(rows)*vocab)
		if err := d.model.Project(ctx, d.logits, rows); err != nil {
			return fmt.Errorf("spec: draft: %w", err)
		}
		for i := range rows {
			if err := each(first+i, d.logits[i*vocab:(i+1)*vocab]); err != nil {
				return err
			}
		}
	}
	return nil
}

// projectRows is how many rows of logits are computed at once: enough that the head's weights are not read over and over,
// few enough that the logits of a large vocabulary take little memory.
const projectRows = 16

// likeliest writes the most probable tokens to d.ids and their probabilities to d.probs, as many as these hold, and returns their number. It
// overwrites logits.
func (d *Draft) likeliest(logits []float32) (int, error) {
	n := kernels.Default().TopK(d.ids, d.probs, logits)
	kernels.Default().Softmax(logits)
	for i, id := range d.ids[:n] {
		d.probs[i] = min(1, logits[id])
	}
	if n == 0 || d.probs[0] != d.probs[0] {
		return 0, fmt.Errorf("spec: draft: %w", sampling.ErrLogits)
	}
	return n, nil
}

// offer adds the most probable candidates of a node to the tree, as many as d.ids holds. It overwrites logits.
func (d *Draft) offer(node int, logits []float32) error {
	n, err := d.likeliest(logits)
	if err != nil {
		return err
	}
	return d.tree.Offer(node, FromDraft, d.ids[:n], d.probs[:n])
}

// draw adds children drawn from logits, and their candidate set. How many depends on how many nodes there are already, not on
// what is drawn here: else verification would be wrong.
func (d *Draft) draw(node int, logits []float32, k int, how Draw) error {
	k = min(k, d.tree.Budget()+1-d.tree.Len())
	if d.tree.Full(node) {
		k = 0
	}
	from, err := d.sampler.Distribution(logits)
	if err != nil {
		return fmt.Errorf("spec: draft: %w", err)
	}
	d.left = append(d.left[:0], from...)
	d.ids, d.probs = d.ids[:0], d.probs[:0]
	for range k {
		token := d.sampler.Draw(d.left)
		if token < 0 {
			break
		}
		at := slices.IndexFunc(from, func(c sampling.TokenWeight) bool { return c.Token == token })
		if how == WithoutReplacement {
			d.left[at].Weight = 0
		}
		prob := min(1, from[at].Weight)
		d.ids, d.probs = append(d.ids, token), append(d.probs, prob)
		if d.tree.Child(node, token) < 0 {
			if _, err := d.tree.Add(node, token, prob); err != nil {
				return err
			}
		}
	}
	return d.tree.offerDrawn(node, d.ids, d.probs, how, from)
}

// resize returns s with length n, and any content.
func resize[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// forward runs the draft model on nodes, each with its masks right after it, and together with the root on the settled tokens that it has
// not seen.
func (d *Draft) forward(ctx context.Context, nodes []int, reach int) error {
	d.batch.Tokens, d.batch.Parents = d.batch.Tokens[:0], d.batch.Parents[:0]
	for _, node := range nodes {
		if node < 0 || node >= d.tree.Len() {
			return fmt.Errorf("spec: draft: node %d is not one of the %d nodes", node, d.tree.Len())
		}
		if d.tree.drafted[node] >= 0 {
			return fmt.Errorf("spec: draft: node %d is expanded already", node)
		}
		var parent int32
		if node == 0 {
			if err := d.catchUp(ctx); err != nil {
				return err
			}
			parent = int32(d.lead - 1)
		} else if parent = d.tree.drafted[d.tree.parents[node]]; parent < 0 {
			return fmt.Errorf("spec: draft: node %d before its parent %d", node, d.tree.parents[node])
		}
		row := d.pending + len(d.batch.Tokens)
		d.tree.drafted[node] = int32(row)
		d.batch.Tokens = append(d.batch.Tokens, d.tree.tokens[node])
		d.batch.Parents = append(d.batch.Parents, parent)
		if reach > 1 {
			d.addMasks(row, d.masks(node, reach))
		}
	}
	if _, err := d.model.Forward(ctx, d.batch); err != nil {
		return fmt.Errorf("spec: draft: %w", err)
	}
	d.pending += len(d.batch.Tokens)
	return nil
}

// catchUp puts the settled tokens that the model has not seen into the batch, before the root; if they are many, it runs the
// model on them instead.
func (d *Draft) catchUp(ctx context.Context) error {
	unseen := d.sequence[d.model.Len() : len(d.sequence)-1]
	if len(unseen) >= d.maxBatch {
		return d.follow(ctx, d.sequence)
	}
	for i, token := range unseen {
		d.batch.Tokens = append(d.batch.Tokens, token)
		d.batch.Parents = append(d.batch.Parents, int32(i-1))
	}
	d.lead = len(unseen)
	return nil
}

// follow takes in all tokens of sequence that the model has not seen, but the last.
func (d *Draft) follow(ctx context.Context, sequence []int32) error {
	if err := fill(ctx, d.model, sequence[:len(sequence)-1], d.maxBatch, nil); err != nil {
		return fmt.Errorf("spec: draft: %w", err)
	}
	return nil
}

// Settle ends a pass: it keeps the keys and values of the accepted path, the root first, as far as its nodes were expanded.
func (d *Draft) Settle(path []int) error {
	d.path = d.path[:0]
	for row := range d.lead {
		d.path = append(d.path, row)
	}
	for _, node := range path {
		row := d.tree.drafted[node]
		if row < 0 {
			break
		}
		d.path = append(d.path, int(row))
	}
	if err := d.model.Commit(d.path); err != nil {
		return fmt.Errorf("spec: draft: %w", err)
	}
	return nil
}

// keepPrefix drops what the model has committed that is not the start of prompt. The last token of the prompt, the root of
// the first tree, is computed anew in any case. A model that can't go back so far starts over.
func keepPrefix(m Decoder, prompt []int32) error {
	committed := m.Tokens()
	n := 0
	for n < len(committed) && n < len(prompt)-1 && committed[n] == prompt[n] {
		n++
	}
	if m.Truncate(n) == nil {
		return nil
	}
	return m.Truncate(0)
}

// fill appends the tokens of sequence that the model has not committed, at most maxBatch in a forward, and reports each.
func fill(ctx context.Context, m Decoder, sequence []int32, maxBatch int, progress func()) error {
	path := make([]int, min(maxBatch, len(sequence)-m.Len()))
	for i := range path {
		path[i] = i
	}
	for m.Len() < len(sequence) {
		tokens := sequence[m.Len():]
		tokens = tokens[:min(maxBatch, len(tokens))]
		if _, err := m.Forward(ctx, Batch{Tokens: tokens, Last: true}); err != nil {
			return err
		}
		if err := m.Commit(path[:len(tokens)]); err != nil {
			return err
		}
		if progress != nil {
			progress()
		}
	}
	return nil
}
