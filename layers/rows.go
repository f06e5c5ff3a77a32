package layers

import "github.com/lever-go/lever/kernels"

// Rows says for each row of a pass where it stands. Entry i of each field belongs to row i of the residual stream. A row comes after its parent,
// which is of this pass or of an earlier one.
type Rows struct {
	Pending   []int             // index among the pending rows of the cache
	Parents   []int             // index of the parent among the pending rows, or −1 for the last committed row
	Slots     []int             // slot in the cache
	Positions []int             // position in the text
	Visible   []kernels.Visible // keys that the row attends to
	Tokens    []int32           // of which the row is
	paths     []int32           // holds the Path of every Visible
}

// Len returns the number of rows.
func (r *Rows) Len() int { return len(r.Pending) }

// Fill sets r to the given pending rows of c, which are of these tokens, reusing its memory.
func (r *Rows) Fill(c *KVCache, pending []int, tokens []int32) {
	r.Pending, r.Tokens = append(r.Pending[:0], pending...), append(r.Tokens[:0], tokens...)
	r.Parents, r.Slots, r.Positions = r.Parents[:0], r.Slots[:0], r.Positions[:0]
	r.Visible, r.paths = r.Visible[:0], r.paths[:0]
	for _, row := range pending {
		var v kernels.Visible
		v, r.paths = c.Visible(row, r.paths)
		r.Parents = append(r.Parents, c.Parent(row))
		r.Slots = append(r.Slots, c.Slot(row))
		r.Positions = append(r.Positions, c.Position(row))
		r.Visible = append(r.Visible, v)
	}
}

// move makes row dst what row src was.
func (r *Rows) move(dst, src int) {
	r.Pending[dst], r.Parents[dst], r.Slots[dst] = r.Pending[src], r.Parents[src], r.Slots[src]
	r.Positions[dst], r.Visible[dst], r.Tokens[dst] = r.Positions[src], r.Visible[src], r.Tokens[src]
}

// cut keeps the first n rows.
func (r *Rows) cut(n int) {
	r.Pending, r.Parents, r.Slots = r.Pending[:n], r.Parents[:n], r.Slots[:n]
	r.Positions, r.Visible, r.Tokens = r.Positions[:n], r.Visible[:n], r.Tokens[:n]
}
