package layers

import (
	"context"
	"math"
	"time"
)

// Which experts a layer needs is known once its router has spoken, and the next layer needs what they make of the rows. So a pass that computes what is no
// expert has nothing to read. Two groups of rows can take turns instead, the second a layer behind the first: while the experts of one group are read, the
// other group is computed. A row sees no row after it, and its bits do not depend on the rows that are computed with it, so the result is the same.
//
// Let a pass read for R seconds, and compute for D seconds what is no expert and for E experts. It takes D + max(E, R), and by turns, where all but experts
// is computed twice, max(2·D + E, R). But where reading takes processor time, reading and computing slow each other down, so that turns may take longer
// all the same. Hence passes of both kinds are measured.

const (
	// groups of rows take turns.
	groups = 2
	// alternating is the most rows that do: of many rows, experts take longer to compute than to read.
	alternating = 16
)

// alternation decides whether rows take turns.
type alternation struct {
	blocks []*Block     // the layers; nil if rows can't take turns
	halves [groups]Rows // of the pass at work

	turns bool    // of the latest pass: whether rows took turns,
	cost  float64 // and its time for each expert that was used or read
	since int     // passes since the latest two one after the other of which one took turns
	pairs int     // of such passes
	ratio float64 // logarithm of the cost of turns, relative to that of the pass of the pair without; an average of late
}

// next reports whether the rows of the next pass are to take turns: those of passes at first do by turns, and now and then one does what seems worse.
func (a *alternation) next() bool {
	const few, seldom = 5, 16
	if a.pairs < few || a.since >= seldom {
		return !a.turns
	}
	return a.ratio < 0
}

// took notes the cost of a pass.
func (a *alternation) took(turns bool, cost float64) {
	a.since++
	if a.cost > 0 && cost > 0 && turns != a.turns {
		const window = 8 // pairs
		ratio := math.Log(cost / a.cost)
		if !turns {
			ratio = -ratio
		}
		a.pairs, a.since = min(a.pairs+1, window), 0
		a.ratio += (ratio - a.ratio) / float64(a.pairs)
	}
	a.turns, a.cost = turns, cost
}

// blocksOf returns the layers if some of them have experts that are asked for ahead and all are blocks; else nil.
func blocksOf(layers []Layer) (blocks []*Block) {
	some := false
	for _, layer := range layers {
		b, ok := layer.(*Block)
		if !ok {
			return nil
		}
		blocks = append(blocks, b)
		some = some || b.experts != nil
	}
	if !some {
		return nil
	}
	return blocks
}

// mayAlternate reports whether the rows of the pass can take turns.
func (d *Decoder) mayAlternate() bool {
	if n := d.rows.Len(); d.turns.blocks == nil || n < groups || n > alternating || d.ws.observer != nil || d.ws.offloader != nil {
		return false
	}
	for _, sp := range d.spans {
		if sp.part.Batch.Hook != nil { // which sees all rows after a layer
			return false
		}
	}
	return d.ws.weights.(Prefetcher).Resident()
}

// layersByTurns computes all layers of x, by turns if that is faster or is to be tried.
func (d *Decoder) layersByTurns(ctx context.Context, x []float32) error {
	if !d.mayAlternate() {
		return d.layers(ctx, x)
	}
	turns, began := d.turns.next(), time.Now()
	d.ws.experts = 0
	var err error
	if turns {
		err = d.alternate(ctx, x)
	} else {
		err = d.layers(ctx, x)
	}
	d.turns.took(turns, time.Since(began).Seconds()/float64(max(1, d.ws.experts)))
	return err
}

// alternate computes all layers of x, two groups of rows by turns.
func (d *Decoder) alternate(ctx context.Context, x []float32) error {
	t, n := &d.turns, d.rows.Len()
	bounds := [groups + 1]int{0, n / groups, n}
	for g := range groups {
		t.halves[g] = d.rows.part(bounds[g], bounds[g+1])
	}
	for i := range len(t.blocks) + 1 {
		for g := range groups {
			from, to := bounds[g]*d.width, bounds[g+1]*d.width
			rows, half := &t.halves[g], x[from:to]
			began := d.now()
			if i > 0 {
				if err := t.blocks[i-1].finish(ctx, g, from, half); err != nil {
					return err
				}
				d.traced(d.names[i-1], rows.Len(), began)
				began = d.now()
			}
			if i < len(t.blocks) {
				d.ws.quarter = 4 * i / len(t.blocks)
				if err := t.blocks[i].start(ctx, g, from, half, rows); err != nil {
					return err
				}
				d.traced(d.names[i], rows.Len(), began)
			}
		}
	}
	return nil
}

// start computes a block for a group of rows x as far as that needs no expert, and asks for those that it needs. at is where x begins in the pass.
func (b *Block) start(ctx context.Context, group, at int, x []float32, rows *Rows) error {
	if err := b.add(ctx, 0, at, x, rows); err != nil {
		return err
	}
	if b.experts == nil {
		return b.add(ctx, 1, at, x, rows)
	}
	in, err := b.branches[1].input(ctx, b.ws.norm[at:], x)
	if err != nil {
		return err
	}
	return b.experts.route(ctx, group, in, rows)
}

// finish computes the rest.
func (b *Block) finish(ctx context.Context, group, at int, x []float32) error {
	if b.experts == nil {
		return nil
	}
	br, in, out := &b.branches[1], x, b.ws.out[:len(x)]
	if br.before != nil {
		in = b.ws.norm[at:][:len(x)]
	}
	if err := b.experts.mix(ctx, group, out, in); err != nil {
		return err
	}
	return b.sum(ctx, br, x, out)
}
