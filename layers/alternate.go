package layers

import "context"

// Which experts a layer needs is known once its router has spoken, and the next layer needs what they make of the rows. So a pass that computes what is no
// expert has nothing to read. Two groups of rows can take turns instead, the second a layer behind the first: while the experts of one group are read, the
// other group is computed. A row sees no row after it, and its bits do not depend on the rows that are computed with it, so the result is the same.

const (
	// groups of rows take turns.
	groups = 2
	// alternating is the most rows that do. Computing more of them takes longer than reading their experts, and going twice through the weights that are
	// in memory then costs more than it saves.
	alternating = 16
)

// newAlternation returns the layers as blocks if some of them have experts that are asked for ahead and all are blocks; else nil.
func newAlternation(layers []Layer) (blocks []*Block) {
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

// alternates reports whether the rows of the pass take turns.
func (d *Decoder) alternates() bool {
	if n := d.rows.Len(); d.blocks == nil || n < groups || n > alternating || d.ws.observer != nil || d.ws.offloader != nil {
		return false
	}
	for _, sp := range d.spans {
		if sp.part.Batch.Hook != nil { // which sees all rows after a layer
			return false
		}
	}
	return d.ws.weights.(Prefetcher).Resident()
}

// alternate computes all layers of x, two groups of rows by turns.
func (d *Decoder) alternate(ctx context.Context, x []float32) error {
	n := d.rows.Len()
	bounds := [groups + 1]int{0, n / groups, n}
	for g := range groups {
		d.halves[g] = d.rows.part(bounds[g], bounds[g+1])
	}
	for i := range len(d.blocks) + 1 {
		for g := range groups {
			from, to := bounds[g], bounds[g+1]
			rows, half := &d.halves[g], x[from*d.width:to*d.width]
			if i > 0 {
				began := d.now()
				if err := d.blocks[i-1].finish(ctx, g, from*d.width, half); err != nil {
					return err
				}
				d.traced(d.names[i-1], rows.Len(), began)
			}
			if i < len(d.blocks) {
				began := d.now()
				d.ws.quarter = 4 * i / len(d.blocks)
				if err := d.blocks[i].start(ctx, g, from*d.width, half, rows); err != nil {
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
