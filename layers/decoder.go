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

// Decoder runs the layers of a model over one or more sequences, each with a text and a tree of rows that may continue it. The first sequence
// is there from the start: its methods are the Decoder's too, so that a Decoder alone is one text. Neither Decoder nor sequences are safe for
// concurrent use.
type Decoder struct {
	*Sequence // the first

	model  DecoderConfig
	ws     *Workspace
	width  int
	names  []string // of the layers, for the trace
	last   *Block   // the last layer, if its MLP keeps nothing and so may leave rows out; else nil
	turns  alternation
	states []State // of the layers
	unsaid error   // about the first layer that does not say what it keeps, if there is one
	closed bool

	sequences []*Sequence // by number; nil where one was closed
	taken     []bool      // by number of a pending row: some sequence has it

	// Of the pass at work.
	one     [1]Part // of a pass for one sequence
	spans   []span
	rows    Rows
	tokens  []int32
	offered []int     // what a hook gets to see
	x       []float32 // [MaxRows][width], the residual stream

	// Of the projection at work.
	projection [1]Projection // of one sequence
	projected  []projectedRow
	logits     [][]float32
}

// span is a run of rows of a pass that are of one batch: entries from..to−1 of the batch, of which the rows of the residual stream before end, and
// from the end of the span before on, are left.
type span struct {
	part     *Part
	from, to int
	end      int
}

// NewDecoder returns the decoder that runs the parts of m. The error wraps [ErrWiring] if parts do not fit each other, those inside
// layers included, and names all that do not.
func NewDecoder(m DecoderConfig) (*Decoder, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("layers: new decoder: %w", err)
	}
	n, width := m.Workspace.maxRows, m.Embedding.Width()
	d := &Decoder{model: m, ws: m.Workspace, width: width, x: make([]float32, n*width)}
	for i, layer := range m.Layers {
		d.names = append(d.names, fmt.Sprintf("block.%d", i))
		states, says := statesOf(layer)
		d.states = append(d.states, states...)
		if !says && d.unsaid == nil {
			d.unsaid = fmt.Errorf("layers: %w: layer %d, a %T, does not say what it keeps; give it the method States", ErrStateful, i, layer)
		}
	}
	d.turns.blocks = blocksOf(m.Layers)
	d.last = lastBlock(m.Layers)
	d.Sequence = d.add(m.Cache)
	return d, nil
}

// MaxRows returns the number of rows of one pass: that of the [Workspace].
func (d *Decoder) MaxRows() int { return d.ws.maxRows }

// Batch is what one Forward computes. It is an alias of a type without a name, the same as spec's Batch is, so that a [Decoder] is a model for
// package spec though neither package knows the other.
type Batch = struct {
	Tokens []int32

	// Parents make the tokens a tree: the index of each one's parent among the pending rows, which are all rows forwarded
	// since the last Commit, counted from 0; −1 is the last committed row. Nil is a chain that continues the last pending row.
	Parents []int32

	// Last says that only the last token's hidden state is asked for. Those of the others may then be left out, and can't be projected: keys and values
	// need no more of the last layer than attention.
	Last bool

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

// Part is what one pass computes of one sequence.
type Part struct {
	Sequence *Sequence
	Batch    Batch
	First    int   // the pending index of the first row, when Err is nil
	Err      error // about Batch or Sequence, for which nothing was computed
}

// ForwardAll computes a batch of each of several sequences in one pass, which reads weights once for all of them: what it does for each is what
// [Sequence.Forward] does, to the bit. What is wrong with one part is told in its Err, and the others are computed; an error of the pass is returned,
// and leaves all sequences as they were. A hook sees the rows of its part alone. A sequence has one part at most.
//
// More rows than [Workspace].MaxRows are computed in as many passes as they need.
func (d *Decoder) ForwardAll(ctx context.Context, parts []Part) error {
	if d.closed {
		return errClosed
	}
	done, begun := false, 0
	defer func() { // also when a worker panics
		for i := range parts[:begun] {
			if p := &parts[i]; p.Err == nil {
				if p.Sequence.forwarding = false; !done {
					p.Sequence.drop(p.First)
				}
			}
		}
		clear(d.spans)
	}()
	for i := range parts {
		p := &parts[i]
		p.First, p.Err = d.begin(p)
		begun++
	}
	d.spans = d.spans[:0]
	room := d.ws.maxRows
	for i := range parts {
		p := &parts[i]
		if p.Err != nil {
			continue
		}
		for from, n := 0, len(p.Batch.Tokens); from < n; {
			// What a hook looks at is better seen whole.
			if room == 0 || p.Batch.Hook != nil && n <= d.ws.maxRows && n > room {
				if err := d.pass(ctx); err != nil {
					return err
				}
				d.spans, room = d.spans[:0], d.ws.maxRows
			}
			to := min(from+room, n)
			d.spans = append(d.spans, span{part: p, from: from, to: to})
			room -= to - from
			from = to
		}
	}
	if err := d.pass(ctx); err != nil {
		return err
	}
	done = true
	return nil
}

// begin adds the rows of a part to the pending rows of its sequence.
func (d *Decoder) begin(p *Part) (first int, err error) {
	s, tokens := p.Sequence, p.Batch.Tokens
	switch {
	case s.closed:
		return 0, errClosed
	case s.d != d:
		return 0, errors.New("layers: forward: a sequence of another decoder")
	case s.forwarding:
		return 0, errors.New("layers: forward: a sequence with two parts")
	case len(tokens) == 0:
		return 0, errors.New("layers: forward: no tokens")
	}
	if err := d.model.Embedding.Check(tokens); err != nil {
		return 0, err
	}
	if first, err = s.cache.Append(len(tokens), p.Batch.Parents); err != nil {
		return 0, err
	}
	s.forwarding = true
	s.pending = append(s.pending, tokens...)
	s.number(len(tokens))
	return first, nil
}

// pass computes the rows of d.spans.
func (d *Decoder) pass(ctx context.Context) error {
	d.rows.cut(0)
	d.tokens = d.tokens[:0]
	for i := range d.spans {
		sp := &d.spans[i]
		s, tokens := sp.part.Sequence, sp.part.Batch.Tokens
		for at := sp.from; at < sp.to; at++ {
			if row := sp.part.First + at; !s.cache.inheritDrop(row) {
				unread := sp.part.Batch.Last && sp.part.Batch.Hook == nil && at < sp.to-1
				if d.rows.add(s.cache, row, s.numbers[row], s.parent(row), tokens[at], unread); unread {
					s.forget(row)
				}
				d.tokens = append(d.tokens, tokens[at])
			}
		}
		sp.end = d.rows.Len()
	}
	if d.rows.Len() == 0 {
		return nil
	}
	x := d.x[:d.rows.Len()*d.width]
	began := d.now()
	if err := d.model.Embedding.Forward(ctx, x, d.tokens); err != nil {
		return err
	}
	d.traced("embedding", d.rows.Len(), began)
	if err := d.layersByTurns(ctx, x); err != nil {
		return err
	}
	if x = x[:d.rows.Len()*d.width]; len(x) == 0 {
		return nil
	}
	if err := d.model.Norm.Forward(ctx, x, x); err != nil {
		return err
	}
	i := 0
	for _, sp := range d.spans {
		for ; i < sp.end; i++ {
			s := sp.part.Sequence
			s.keep(d.rows.Slots[i]-s.Len(), x[i*d.width:(i+1)*d.width])
		}
	}
	return nil
}

// layers computes all layers of x, until hooks have left no row.
func (d *Decoder) layers(ctx context.Context, x []float32) error {
	for i, layer := range d.model.Layers {
		began := d.now()
		d.ws.quarter = 4 * i / len(d.model.Layers)
		rows := d.rows.Len()
		if err := d.layer(ctx, i, layer, x); err != nil {
			return err
		}
		d.traced(d.names[i], rows, began)
		if err := d.prune(i, x); err != nil {
			return err
		}
		if x = x[:d.rows.Len()*d.width]; len(x) == 0 {
			return nil
		}
	}
	return nil
}

// lastBlock returns the last of the layers if it is a block whose MLP says that it keeps nothing of a text; else nil.
func lastBlock(layers []Layer) *Block {
	if len(layers) == 0 {
		return nil
	}
	b, ok := layers[len(layers)-1].(*Block)
	if !ok {
		return nil
	}
	if states, says := statesOf(b.branches[1].sublayer); !says || len(states) > 0 {
		return nil
	}
	return b
}

// layer computes a layer of x: of the last one, rows that nobody reads only as far as their keys and values need it.
func (d *Decoder) layer(ctx context.Context, i int, layer Layer, x []float32) error {
	b := d.last
	if b == nil || i < len(d.model.Layers)-1 || !slices.Contains(d.rows.unread, true) {
		return layer.Forward(ctx, x, &d.rows)
	}
	if err := b.add(ctx, 0, 0, x, &d.rows); err != nil {
		return err
	}
	d.leave(x, func(_ *Sequence, row int) bool { return d.rows.unread[row] })
	return b.add(ctx, 1, 0, x[:d.rows.Len()*d.width], &d.rows)
}

// now returns the time if there is a trace.
func (d *Decoder) now() time.Time {
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

// prune asks the hooks of the parts which rows go on after a layer, drops the others, and closes the gaps they leave in x and d.rows.
func (d *Decoder) prune(layer int, x []float32) error {
	begin, asked := 0, false
	for i := range d.spans {
		sp := &d.spans[i]
		if b := &sp.part.Batch; b.Hook != nil && begin < sp.end && slices.Contains(b.HookAfter, layer) {
			if err := d.ask(sp, layer, begin, x); err != nil {
				return err
			}
			asked = true
		}
		begin = sp.end
	}
	if asked {
		d.leave(x, func(s *Sequence, row int) bool { return s.cache.Dropped(d.rows.Slots[row] - s.Len()) })
	}
	return nil
}

// leave leaves out rows of the pass, and closes the gaps in x and d.rows.
func (d *Decoder) leave(x []float32, out func(s *Sequence, row int) bool) {
	begin, kept := 0, 0
	for i := range d.spans {
		sp := &d.spans[i]
		end := sp.end
		for row := begin; row < end; row++ {
			if out(sp.part.Sequence, row) {
				continue
			}
			if kept != row {
				copy(x[kept*d.width:(kept+1)*d.width], x[row*d.width:(row+1)*d.width])
				d.rows.move(kept, row)
			}
			kept++
		}
		begin, sp.end = end, kept
	}
	d.rows.cut(kept)
}

// ask asks the hook of a span, whose rows begin at a row of x, which of them go on, and drops the others.
func (d *Decoder) ask(sp *span, layer, begin int, x []float32) error {
	s := sp.part.Sequence
	d.offered = d.offered[:0]
	for _, slot := range d.rows.Slots[begin:sp.end] {
		d.offered = append(d.offered, slot-s.Len())
	}
	keep, err := sp.part.Batch.Hook(layer, d.offered, x[begin*d.width:sp.end*d.width])
	if err != nil {
		return fmt.Errorf("layers: hook after layer %d: %w", layer, err)
	}
	for _, slot := range d.rows.Slots[begin:sp.end] {
		row := slot - s.Len()
		if len(keep) == 0 || keep[0] != row {
			s.cache.Drop(row)
			continue
		}
		keep = keep[1:]
		s.cache.inheritDrop(row)
	}
	if len(keep) > 0 {
		return fmt.Errorf("layers: hook after layer %d: row %d to keep is not a live row, or not in ascending order", layer, keep[0])
	}
	return nil
}

var errClosed = errors.New("layers: the decoder, or the sequence, is closed")

// Close gives up the caches of all sequences. Pool and weights stay open: they are the caller's.
func (d *Decoder) Close() {
	for _, s := range d.sequences {
		if s != nil {
			s.Close()
		}
	}
	d.closed = true
}
