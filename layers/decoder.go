package layers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Layer changes rows of the residual stream x, [rows.Len()][width], in place. [Block] is the usual one.
type Layer interface {
	Forward(ctx context.Context, x []float32, rows *Rows) error
}

// DecoderConfig lists what a [Decoder] runs, in order. All are built on one Workspace, and the layers share the cache.
type DecoderConfig struct {
	Workspace *Workspace
	Cache     *KVCache
	Embedding Embedder
	Layers    []Layer
	Norm      Normalizer // before the head
	Head      Projector  // hidden state to logits
	Trace     Trace      // is called after each part of a pass, unless it is nil
}

// Trace is called after each part of a pass, on the goroutine of the pass: part is "embedding", "block.N" for layer N, or "head" for a projection,
// rows is how many rows it computed, and began is when it began. The time since then includes reading the weights and waiting for them.
type Trace func(part string, rows int, began time.Time)

// Decoder is a transformer with its cache. Rows that Forward computes are pending until Commit makes one path of them part of the
// text. A Decoder is not safe for concurrent use.
type Decoder struct {
	model DecoderConfig
	cache *KVCache
	ws    *Workspace
	width int

	rows    Rows
	text    []int32   // tokens of the committed rows
	pending []int32   // and of the pending ones
	live    []int     // pending rows of the pass at its start
	tokens  []int32   // theirs
	offered []int     // what a hook gets to see
	x       []float32 // [MaxRows][width], the residual stream
	hidden  []float32 // [MaxRows][width]; that of pending row r lies at r mod MaxRows
	holds   []int     // the pending row whose hidden state each row of hidden is
	names   []string  // of the layers, for the trace
	states  []State   // of the layers
	unsaid  error     // about the first layer that does not say what it keeps, if there is one

	closed bool
}

// NewDecoder returns the decoder that runs the parts of m. The error wraps [ErrWiring] if parts do not fit each other, those inside
// layers included, and names all that do not.
func NewDecoder(m DecoderConfig) (*Decoder, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("layers: new decoder: %w", err)
	}
	n, width := m.Workspace.maxRows, m.Embedding.Width()
	d := &Decoder{
		model: m, cache: m.Cache, ws: m.Workspace, width: width,
		x:      make([]float32, n*width),
		hidden: make([]float32, n*width),
		holds:  make([]int, n),
	}
	for i, layer := range m.Layers {
		d.names = append(d.names, fmt.Sprintf("block.%d", i))
		states, says := statesOf(layer)
		d.states = append(d.states, states...)
		if !says && d.unsaid == nil {
			d.unsaid = fmt.Errorf("layers: %w: layer %d, a %T, does not say what it keeps; give it the method States", ErrStateful, i, layer)
		}
	}
	return d, nil
}

// Batch is what one Forward computes. It is an alias of a type without a name, the same as spec's Batch is, so that a [Decoder] is a model for
// package spec though neither package knows the other.
type Batch = struct {
	Tokens []int32

	// Parents make the tokens a tree: the index of each one's parent among the pending rows, which are all rows forwarded
	// since the last Commit, counted from 0; −1 is the last committed row. Nil is a chain that continues the last pending row.
	Parents []int32

	// Hook is called after each layer of HookAfter, which counts from 0.
	Hook      Hook
	HookAfter []int
}

// Hook sees the residual stream after a layer: rows are the pending indices of the live rows, ascending, and hidden, [len(rows)][width],
// holds their states, which the hook must not change. It returns the rows that go on, ascending; it may filter rows in place.
//
// The others are dropped, and their descendants with them: later layers don't compute them, and they can be neither
// projected nor committed. A batch larger than the workspace runs in pieces, and the hook sees them one by one.
type Hook = func(layer int, rows []int, hidden []float32) (keep []int, err error)

// Len returns the number of committed rows.
func (d *Decoder) Len() int { return d.cache.Len() }

// Tokens returns the tokens of the committed rows. The slice is valid until the next Commit or Truncate.
func (d *Decoder) Tokens() []int32 { return d.text }

// Pending returns the number of rows forwarded since the last Commit.
func (d *Decoder) Pending() int { return d.cache.Pending() }

// Context returns the number of positions of the longest text.
func (d *Decoder) Context() int { return d.cache.Context() }

// Vocab returns the number of logits of a row.
func (d *Decoder) Vocab() int { return d.model.Head.Out() }

// Width returns the number of elements of a hidden state.
func (d *Decoder) Width() int { return d.width }

// Forward computes the rows of b and adds them to the pending rows; first is the pending index of the first, the others follow.
// More rows than [Workspace].MaxRows are computed in pieces of that size.
//
// After an error there are the pending rows of before and no others: the text is intact, and Forward may be called again. A
// token whose position lies outside the context gives an error that wraps [ErrContextFull].
func (d *Decoder) Forward(ctx context.Context, b Batch) (first int, err error) {
	if d.closed {
		return 0, errClosed
	}
	if len(b.Tokens) == 0 {
		return 0, errors.New("layers: forward: no tokens")
	}
	if err := d.model.Embedding.Check(b.Tokens); err != nil {
		return 0, err
	}
	first, err = d.cache.Append(len(b.Tokens), b.Parents)
	if err != nil {
		return 0, err
	}
	before, done := first, false
	d.ws.cold = d.ws.cold[:min(first, len(d.ws.cold))]
	defer func() { // also when a worker panics
		if !done {
			d.drop(before)
		}
	}()
	d.pending = append(d.pending, b.Tokens...)
	for from := 0; from < len(b.Tokens); from += d.ws.maxRows {
		to := min(from+d.ws.maxRows, len(b.Tokens))
		if err := d.pass(ctx, &b, first, from, to); err != nil {
			return 0, err
		}
	}
	done = true
	return first, nil
}

// drop gives up the pending rows from n on.
func (d *Decoder) drop(n int) {
	d.cache.pending, d.pending = d.cache.pending[:n], d.pending[:n]
	for _, s := range d.states {
		s.Rollback(n)
	}
}

// pass computes rows from..to−1 of the batch, whose first row is the pending row first.
func (d *Decoder) pass(ctx context.Context, b *Batch, first, from, to int) error {
	d.live, d.tokens = d.live[:0], d.tokens[:0]
	for i := from; i < to; i++ {
		if !d.cache.inheritDrop(first + i) {
			d.live, d.tokens = append(d.live, first+i), append(d.tokens, b.Tokens[i])
		}
	}
	d.rows.Fill(d.cache, d.live, d.tokens)
	x := d.x[:d.rows.Len()*d.width]
	began := d.begin()
	if err := d.model.Embedding.Forward(ctx, x, d.tokens); err != nil {
		return err
	}
	d.traced("embedding", d.rows.Len(), began)
	for i, layer := range d.model.Layers {
		if d.rows.Len() == 0 {
			return nil
		}
		began := d.begin()
		d.ws.quarter = 4 * i / len(d.model.Layers)
		if err := layer.Forward(ctx, x, &d.rows); err != nil {
			return err
		}
		d.traced(d.names[i], d.rows.Len(), began)
		if b.Hook != nil && slices.Contains(b.HookAfter, i) {
			if err := d.prune(b.Hook, i, x); err != nil {
				return err
			}
			x = x[:d.rows.Len()*d.width]
		}
	}
	if err := d.model.Norm.Forward(ctx, x, x); err != nil {
		return err
	}
	for i, row := range d.rows.Pending {
		at := row % d.ws.maxRows
		copy(d.hidden[at*d.width:(at+1)*d.width], x[i*d.width:])
		d.holds[at] = row
	}
	return nil
}

// begin returns the time if there is a trace.
func (d *Decoder) begin() time.Time {
	if d.model.Trace == nil {
		return time.Time{}
	}
	return time.Now()
}

func (d *Decoder) traced(part string, rows int, began time.Time) {
	if d.model.Trace != nil {
		d.model.Trace(part, rows, began)
	}
}

// prune asks the hook which rows go on, drops the others, and closes the gaps they leave in x and d.rows.
func (d *Decoder) prune(hook Hook, layer int, x []float32) error {
	d.offered = append(d.offered[:0], d.rows.Pending...)
	keep, err := hook(layer, d.offered, x)
	if err != nil {
		return fmt.Errorf("layers: hook after layer %d: %w", layer, err)
	}
	kept := 0
	for i, row := range d.rows.Pending {
		if len(keep) == 0 || keep[0] != row {
			d.cache.Drop(row)
			continue
		}
		keep = keep[1:]
		if d.cache.inheritDrop(row) {
			continue
		}
		copy(x[kept*d.width:(kept+1)*d.width], x[i*d.width:(i+1)*d.width])
		d.rows.move(kept, i)
		kept++
	}
	if len(keep) > 0 {
		return fmt.Errorf("layers: hook after layer %d: row %d to keep is not a live row, or not in ascending order", layer, keep[0])
	}
	d.rows.cut(kept)
	return nil
}

// Cold returns, of a pending row, how many experts had to be read for it that no row before it in its pass had chosen, by quarter of the layers. It
// is 0 where the weights are not a [Prefetcher].
func (d *Decoder) Cold(row int) [4]int {
	if row < 0 || row >= len(d.ws.cold) {
		return [4]int{}
	}
	return d.ws.cold[row]
}

// Hidden returns the hidden state of a pending row after the final norm, [Width], which the head turns into logits. It is valid until
// the next Forward. It is nil where there is none: see [Decoder.Project].
func (d *Decoder) Hidden(row int) []float32 {
	h, err := d.state(row)
	if err != nil {
		return nil
	}
	return h
}

func (d *Decoder) state(row int) ([]float32, error) {
	if row < 0 || row >= d.Pending() {
		return nil, fmt.Errorf("layers: row %d is not one of %d pending rows", row, d.Pending())
	}
	if d.cache.Dropped(row) {
		return nil, fmt.Errorf("layers: row %d was dropped", row)
	}
	at := row % d.ws.maxRows
	if d.holds[at] != row {
		return nil, fmt.Errorf("layers: the hidden state of row %d is gone: those of the latest %d rows are kept", row, d.ws.maxRows)
	}
	return d.hidden[at*d.width : (at+1)*d.width], nil
}

// Project writes the logits of pending rows to dst, [len(rows)][Vocab]. The hidden states of the latest [Workspace].MaxRows pending rows are
// kept; an older row, or one that a hook dropped, is an error.
func (d *Decoder) Project(ctx context.Context, dst []float32, rows []int) error {
	if d.closed {
		return errClosed
	}
	vocab := d.Vocab()
	if len(dst) != len(rows)*vocab {
		return fmt.Errorf("layers: project: %d logits do not hold %d rows of %d", len(dst), len(rows), vocab)
	}
	for part := range slices.Chunk(rows, d.ws.maxRows) {
		for i, row := range part {
			h, err := d.state(row)
			if err != nil {
				return err
			}
			copy(d.x[i*d.width:], h)
		}
		began := d.begin()
		if err := d.model.Head.Forward(ctx, dst[:len(part)*vocab], d.ws.Input(d.x, len(part), d.width)); err != nil {
			return err
		}
		d.traced("head", len(part), began)
		dst = dst[len(part)*vocab:]
	}
	return nil
}

// Commit makes the pending rows of path, from a child of the last committed row down the tree, part of the text and drops the other
// pending rows. An empty path drops all. After an error nothing has changed.
func (d *Decoder) Commit(path []int) error {
	if err := d.cache.Commit(path); err != nil {
		return err
	}
	for _, row := range path {
		d.text = append(d.text, d.pending[row])
	}
	d.pending = d.pending[:0]
	for _, s := range d.states {
		s.Commit(path)
	}
	return nil
}

// Rollback keeps the first n pending rows and drops the others.
func (d *Decoder) Rollback(n int) error {
	if err := d.cache.Rollback(n); err != nil {
		return err
	}
	d.drop(n)
	return nil
}

// Truncate shortens the text to its first n rows and drops all pending rows. If the layers no longer keep what rows at position n need, it fails
// with an error that wraps [ErrNotKept], and nothing has changed; Truncate(0) always works.
func (d *Decoder) Truncate(n int) error {
	if n > 0 && n < d.Len() {
		for _, s := range d.states {
			if !s.Keeps(n) {
				return fmt.Errorf("layers: truncate to %d of %d rows: %w: a layer keeps a state, a %T, of the last rows alone", n, d.Len(), ErrNotKept, s)
			}
		}
	}
	if err := d.cache.Truncate(n); err != nil {
		return err
	}
	d.text, d.pending = d.text[:n], d.pending[:0]
	for _, s := range d.states {
		s.Truncate(n)
	}
	return nil
}

var errClosed = errors.New("layers: the decoder is closed")

// Close gives up the cache. Pool and weights stay open: they are the caller's.
func (d *Decoder) Close() {
	d.closed = true
	d.cache.release(0)
}
