package layers

import "github.com/lever-go/lever/kernels"

// Rows says for each row of a pass where it stands. Entry i of each field belongs to row i of the residual stream.
type Rows struct {
	Pending   []int             // index among the pending rows of the cache
	Slots     []int             // slot in the cache
	Positions []int             // position in the text
	Visible   []kernels.Visible // keys that the row attends to
	paths     []int32           // holds the Path of every Visible
}

// Len returns the number of rows.
func (r *Rows) Len() int { return len(r.Pending) }

// Fill sets r to the given pending rows of c, reusing its memory.
func (r *Rows) Fill(c *KVCache, pending []int) {
	r.Pending = append(r.Pending[:0], pending...)
	r.Slots, r.Positions, r.Visible, r.paths = r.Slots[:0], r.Positions[:0], r.Visible[:0], r.paths[:0]
	for _, row := range pending {
		var v kernels.Visible
		v, r.paths = c.Visible(row, r.paths)
		r.Slots = append(r.Slots, c.Slot(row))
		r.Positions = append(r.Positions, c.Position(row))
		r.Visible = append(r.Visible, v)
	}
}

// move makes row dst what row src was.
func (r *Rows) move(dst, src int) {
	r.Pending[dst], r.Slots[dst], r.Positions[dst], r.Visible[dst] = r.Pending[src], r.Slots[src], r.Positions[src], r.Visible[src]
}

// cut keeps the first n rows.
func (r *Rows) cut(n int) {
	r.Pending, r.Slots, r.Positions, r.Visible = r.Pending[:n], r.Slots[:n], r.Positions[:n], r.Visible[:n]
}
