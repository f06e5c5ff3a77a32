package spec

import (
	"context"
	"fmt"
)

// Parallel says how a draft model predicts several tokens in one forward: after a row of a real token it takes rows of the token Mask, each
// below the one before, and the logits of the i-th mask row are those of the token i+1 places further on, whatever comes between (An et
// al., PARD, arXiv 2504.18583). The zero value is a model that predicts the next token alone.
type Parallel struct {
	Mask  int32 // the token
	Reach int   // most tokens that one row of a real token is good for, the next one included
}

// aheadRow is what one forward found ahead of a pending row.
type aheadRow struct {
	masks int // rows of masks that follow the row
	from  int // of a mask row: its candidates
	count int
}

// SetParallel tells the draft that its model predicts several tokens in one forward. Call it before the first pass.
func (d *Draft) SetParallel(p Parallel) { d.parallel = p }

// Reach returns the most tokens that one row of a node is good for: 1 for most models, see [Parallel].
func (d *Draft) Reach() int { return max(1, d.parallel.Reach) }

// ExpandAhead expands nodes as [Draft.Expand] does and, with reach above 1 and a model that can, predicts in the same forward what
// follows up to reach−1 unknown tokens after each of them, as far as context and tree are that long: [Draft.OfferAhead] then offers it to
// nodes below. The forward has up to reach rows for each node. At most as many rows may be asked for as a tree has nodes.
func (d *Draft) ExpandAhead(ctx context.Context, nodes []int, k, reach int) error {
	if k < 1 {
		return fmt.Errorf("spec: draft: %d candidates", k)
	}
	d.ids, d.probs = resize(d.ids, k), resize(d.probs, k)
	return d.wave(ctx, nodes, min(reach, d.Reach()), d.offer)
}

// OfferAhead offers the tree what mask rows below the nearest expanded ancestor of node predict there: a set [FromMasks], in place of
// one of an ancestor farther away. It reports whether there is a new one. A node that is expanded itself gets none.
func (d *Draft) OfferAhead(node int) (offered bool) {
	t, ahead, above := d.tree, 0, node
	for t.drafted[above] < 0 {
		if above == 0 {
			return false
		}
		above, ahead = int(t.parents[above]), ahead+1
	}
	row := int(t.drafted[above])
	if ahead == 0 || row >= len(d.ahead) || ahead > d.ahead[row].masks {
		return false
	}
	if set, found := t.Set(node, FromMasks); found && set.Ahead <= ahead {
		return false
	}
	a := d.ahead[row+ahead]
	return t.offerAhead(node, ahead, d.aheadIDs[a.from:a.from+a.count], d.aheadProb[a.from:a.from+a.count])
}

// masks returns how many masks below a node make sense: what they predict must have a place in context and tree.
func (d *Draft) masks(node, reach int) int {
	depth := int(d.tree.depths[node])
	return max(0, min(reach-1, d.model.Context()-len(d.sequence)-depth, d.tree.maxDepth-1-depth))
}

// addMasks puts masks below the row of a node, which is the last of the batch.
func (d *Draft) addMasks(row, masks int) {
	for mask := range masks {
		d.batch.Tokens = append(d.batch.Tokens, d.parallel.Mask)
		d.batch.Parents = append(d.batch.Parents, int32(row+mask))
	}
	for len(d.ahead) <= row+masks {
		d.ahead = append(d.ahead, aheadRow{})
	}
	d.ahead[row].masks = masks
}

// lookAhead keeps the likeliest tokens of the mask rows from the pending row first on, as many of each as d.ids holds.
func (d *Draft) lookAhead(ctx context.Context, first int) error {
	d.rows = d.rows[:0]
	for row := first; row < d.pending; row++ {
		for mask := range d.ahead[row].masks {
			d.rows = append(d.rows, row+1+mask)
		}
	}
	return d.project(ctx, func(i int, logits []float32) error {
		d.tree.penalise(0, logits) // what comes before is not known yet
		found, err := d.likeliest(logits)
		if err != nil {
			return err
		}
		d.ahead[d.rows[i]].from, d.ahead[d.rows[i]].count = len(d.aheadIDs), found
		d.aheadIDs, d.aheadProb = append(d.aheadIDs, d.ids[:found]...), append(d.aheadProb, d.probs[:found]...)
		return nil
	})
}
