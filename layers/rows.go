package layers

import "github.com/lever-go/lever/kernels"

// Rows says for each row of a pass where it stands. Entry i of each field belongs to row i of the residual stream. A row comes after its parent,
// which is of this pass or of an earlier one. A pass may have rows of several sequences; those of each lie side by side.
type Rows struct {
	Pending   []int             // number of the row, which no other pending row of any sequence has: of the only sequence, its index among the pending rows
	Parents   []int             // number of the parent; −1−s for the last committed row of sequence s, which is −1 of the only one
	Caches    []*KVCache        // of the row's sequence
	Slots     []int             // slot in that cache
	Positions []int             // position in the text
	Visible   []kernels.Visible // keys in that cache that the row attends to
	Tokens    []int32           // of which the row is
	Places    []int             // index of the row in the pass before hooks dropped others, below [Workspace].MaxRows
	unread    []bool            // nobody asks for the hidden state
	paths     []int32           // holds the Path of every Visible
}

// Len returns the number of rows.
func (r *Rows) Len() int { return len(r.Pending) }

// Fill sets r to the given pending rows of c, the only sequence, which are of these tokens, reusing its memory.
func (r *Rows) Fill(c *KVCache, pending []int, tokens []int32) {
	r.cut(0)
	for i, row := range pending {
		r.add(c, row, row, c.Parent(row), tokens[i], false)
	}
}

// add appends the pending row of c, whose number and whose parent's number are given.
func (r *Rows) add(c *KVCache, row, number, parent int, token int32, unread bool) {
	var v kernels.Visible
	v, r.paths = c.Visible(row, r.paths)
	r.Places = append(r.Places, len(r.Pending))
	r.Pending, r.Parents = append(r.Pending, number), append(r.Parents, parent)
	r.Caches, r.Slots = append(r.Caches, c), append(r.Slots, c.Slot(row))
	r.Positions, r.Visible = append(r.Positions, c.Position(row)), append(r.Visible, v)
	r.Tokens, r.unread = append(r.Tokens, token), append(r.unread, unread)
}

// part returns rows from..to−1, which it shares.
func (r *Rows) part(from, to int) Rows {
	return Rows{
		Pending: r.Pending[from:to], Parents: r.Parents[from:to], Caches: r.Caches[from:to], Slots: r.Slots[from:to],
		Positions: r.Positions[from:to], Visible: r.Visible[from:to], Tokens: r.Tokens[from:to], Places: r.Places[from:to], unread: r.unread[from:to],
	}
}

// move makes row dst what row src was.
func (r *Rows) move(dst, src int) {
	r.Pending[dst], r.Parents[dst], r.Caches[dst], r.Slots[dst] = r.Pending[src], r.Parents[src], r.Caches[src], r.Slots[src]
	r.Positions[dst], r.Visible[dst], r.Tokens[dst], r.Places[dst] = r.Positions[src], r.Visible[src], r.Tokens[src], r.Places[src]
	r.unread[dst] = r.unread[src]
}

// cut keeps the first n rows.
func (r *Rows) cut(n int) {
	r.Pending, r.Parents, r.Caches, r.Slots = r.Pending[:n], r.Parents[:n], r.Caches[:n], r.Slots[:n]
	r.Positions, r.Visible, r.Tokens, r.Places, r.unread = r.Positions[:n], r.Visible[:n], r.Tokens[:n], r.Places[:n], r.unread[:n]
	if n == 0 {
		r.paths = r.paths[:0]
	}
}
