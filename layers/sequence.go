package layers

import (
	"context"
	"fmt"
	"slices"
)

// Sequence is a text of a [Decoder] with its cache. Rows that Forward computes are pending until Commit makes one path of them part of the text.
type Sequence struct {
	d       *Decoder
	index   int // among the sequences of the decoder
	cache   *KVCache
	text    []int32   // tokens of the committed rows
	pending []int32   // and of the pending ones
	numbers []int     // of the pending rows, among those of all sequences
	path    []int     // numbers of the rows that are being committed
	cold    [][4]int  // of the rows that were pending at the last Commit: see Cold
	hidden  []float32 // [at most MaxRows][width]; that of pending row r lies at r mod MaxRows
	holds   []int     // the pending row whose hidden state each row of hidden is

	forwarding bool // it has a part of the pass at work
	closed     bool
}

// NewSequence returns a sequence without a text. Closing it, or the decoder, frees its memory. If a layer does not say what it keeps, and so may
// take one sequence for another, the error wraps [ErrStateful].
func (d *Decoder) NewSequence() (*Sequence, error) {
	if d.closed {
		return nil, errClosed
	}
	if d.unsaid != nil {
		return nil, d.unsaid
	}
	cache, err := NewKVCache(d.model.Cache.config)
	if err != nil {
		return nil, err
	}
	s := d.add(cache)
	for _, state := range d.states {
		state.Truncate(s.index, 0)
	}
	return s, nil
}

// Fork returns a sequence with the same text and no pending rows. The two share the full pages of their caches until one of them is truncated
// into these. If a layer does not say what it keeps, the error wraps [ErrStateful].
func (s *Sequence) Fork() (*Sequence, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.d.unsaid != nil {
		return nil, s.d.unsaid
	}
	f := s.d.add(s.cache.fork())
	f.text = slices.Clone(s.text)
	for _, state := range s.d.states {
		state.Fork(f.index, s.index)
	}
	return f, nil
}

// add adds a sequence with a cache.
func (d *Decoder) add(cache *KVCache) *Sequence {
	s := &Sequence{d: d, cache: cache, index: slices.Index(d.sequences, nil)}
	if s.index < 0 {
		s.index, d.sequences = len(d.sequences), append(d.sequences, nil)
	}
	d.sequences[s.index] = s
	return s
}

// Close gives up the text and its cache. Of a closed sequence there is nothing to use.
func (s *Sequence) Close() {
	if s.closed {
		return
	}
	s.drop(0)
	s.cache.release(0)
	s.closed, s.hidden, s.d.sequences[s.index] = true, nil, nil
}

// Memory returns the bytes that keys and values of all sequences take now; pages that they share count once.
func (d *Decoder) Memory() int64 {
	seen := map[any]bool{}
	elems := 0
	for _, s := range d.sequences {
		if s == nil {
			continue
		}
		for _, kv := range s.cache.layers {
			elems += elemsOf(kv.K, seen) + elemsOf(kv.K32, seen) + elemsOf(kv.K8, seen)
		}
	}
	return d.model.Cache.config.bytes(elems)
}

// MaxMemory returns the bytes that keys and values of one sequence take when its text is as long as the context.
func (d *Decoder) MaxMemory() int64 { return d.model.Cache.MaxBytes() }

// elemsOf returns the elements of the pages that were not seen yet.
func elemsOf[T any](pages [][]T, seen map[any]bool) (n int) {
	for _, page := range pages {
		if page != nil && !seen[&page[0]] {
			seen[&page[0]] = true
			n += len(page)
		}
	}
	return n
}

// check returns an error if the sequence is closed.
func (s *Sequence) check() error {
	if s.closed {
		return errClosed
	}
	return nil
}

// Len returns the number of committed rows.
func (s *Sequence) Len() int { return s.cache.Len() }

// Tokens returns the tokens of the committed rows. The slice is valid until the next Commit or Truncate.
func (s *Sequence) Tokens() []int32 { return s.text }

// Pending returns the number of rows forwarded since the last Commit.
func (s *Sequence) Pending() int { return s.cache.Pending() }

// Context returns the number of positions of the longest text.
func (s *Sequence) Context() int { return s.cache.Context() }

// Vocab returns the number of logits of a row.
func (s *Sequence) Vocab() int { return s.d.model.Head.Out() }

// Width returns the number of elements of a hidden state.
func (s *Sequence) Width() int { return s.d.width }

// Forward computes the rows of b and adds them to the pending rows; first is the pending index of the first, the others follow.
// More rows than [Workspace].MaxRows are computed in pieces of that size.
//
// After an error there are the pending rows of before and no others: the text is intact, and Forward may be called again. A
// token whose position lies outside the context gives an error that wraps [ErrContextFull].
func (s *Sequence) Forward(ctx context.Context, b Batch) (first int, err error) {
	one := s.d.one[:]
	one[0] = Part{Sequence: s, Batch: b}
	err = s.d.ForwardAll(ctx, one)
	if err == nil {
		first, err = one[0].First, one[0].Err
	}
	one[0] = Part{}
	return first, err
}

// number gives numbers to n more pending rows.
func (s *Sequence) number(n int) {
	d, free := s.d, 0
	for range n {
		for free < len(d.taken) && d.taken[free] {
			free++
		}
		if free == len(d.taken) {
			d.taken = append(d.taken, false)
		}
		d.taken[free] = true
		s.numbers = append(s.numbers, free)
		if free < len(d.ws.cold) {
			d.ws.cold[free] = [4]int{}
		}
	}
}

// parent returns the number of the parent of a pending row, as [Rows] has it.
func (s *Sequence) parent(row int) int {
	if parent := s.cache.Parent(row); parent >= 0 {
		return s.numbers[parent]
	}
	return -1 - s.index
}

// drop gives up the pending rows from n on.
func (s *Sequence) drop(n int) {
	s.cache.pending, s.pending = s.cache.pending[:n], s.pending[:n]
	for _, number := range s.numbers[n:] {
		s.d.taken[number] = false
	}
	s.numbers = s.numbers[:n]
}

// Cold returns, of a pending row, or of one that was pending at the last Commit if none was computed since, how many experts had to be read for
// it that no row before it in its pass had chosen, by quarter of the layers. It is 0 where the weights are not a [Prefetcher].
func (s *Sequence) Cold(row int) [4]int {
	if len(s.numbers) == 0 && row >= 0 && row < len(s.cold) {
		return s.cold[row]
	}
	if row < 0 || row >= len(s.numbers) || s.numbers[row] >= len(s.d.ws.cold) {
		return [4]int{}
	}
	return s.d.ws.cold[s.numbers[row]]
}

// keep keeps the hidden state of a pending row.
func (s *Sequence) keep(row int, hidden []float32) {
	at := row % s.d.ws.maxRows
	for len(s.holds) <= at {
		s.holds, s.hidden = append(s.holds, -1), append(s.hidden, hidden...)
	}
	copy(s.hidden[at*len(hidden):], hidden)
	s.holds[at] = row
}

// forget gives up the hidden state that a pending row of that number had before.
func (s *Sequence) forget(row int) {
	if at := row % s.d.ws.maxRows; at < len(s.holds) {
		s.holds[at] = -1
	}
}

// Hidden returns the hidden state of a pending row after the final norm, [Width], which the head turns into logits. It is valid until
// the next Forward. It is nil where there is none: see [Sequence.Project].
func (s *Sequence) Hidden(row int) []float32 {
	h, err := s.state(row)
	if err != nil {
		return nil
	}
	return h
}

func (s *Sequence) state(row int) ([]float32, error) {
	if row < 0 || row >= s.Pending() {
		return nil, fmt.Errorf("layers: row %d is not one of %d pending rows", row, s.Pending())
	}
	if s.cache.Dropped(row) {
		return nil, fmt.Errorf("layers: row %d was dropped", row)
	}
	at, width := row%s.d.ws.maxRows, s.d.width
	if at >= len(s.holds) || s.holds[at] != row {
		return nil, fmt.Errorf("layers: the hidden state of row %d is gone: those of the latest %d rows are kept, as far as they were asked for", row, s.d.ws.maxRows)
	}
	return s.hidden[at*width : (at+1)*width], nil
}

// Commit makes the pending rows of path, from a child of the last committed row down the tree, part of the text and drops the other
// pending rows. An empty path drops all. After an error nothing has changed.
func (s *Sequence) Commit(path []int) error {
	if err := s.cache.Commit(path); err != nil {
		return err
	}
	s.path = s.path[:0]
	for _, row := range path {
		s.text, s.path = append(s.text, s.pending[row]), append(s.path, s.numbers[row])
	}
	for _, state := range s.d.states {
		state.Commit(s.index, s.path)
	}
	s.cold = s.cold[:0]
	for row := range s.numbers {
		s.cold = append(s.cold, s.Cold(row))
	}
	s.drop(0)
	return nil
}

// Rollback keeps the first n pending rows and drops the others.
func (s *Sequence) Rollback(n int) error {
	if err := s.cache.Rollback(n); err != nil {
		return err
	}
	s.drop(n)
	return nil
}

// Truncate shortens the text to its first n rows and drops all pending rows. If the layers no longer keep what rows at position n need, it fails
// with an error that wraps [ErrNotKept], and nothing has changed; Truncate(0) always works.
func (s *Sequence) Truncate(n int) error {
	if n > 0 && n < s.Len() {
		for _, state := range s.d.states {
			if !state.Keeps(s.index, n) {
				return fmt.Errorf("layers: truncate to %d of %d rows: %w: a layer keeps a state, a %T, of the last rows alone", n, s.Len(), ErrNotKept, state)
			}
		}
	}
	if err := s.cache.Truncate(n); err != nil {
		return err
	}
	s.text = s.text[:n]
	s.drop(0)
	for _, state := range s.d.states {
		state.Truncate(s.index, n)
	}
	return nil
}
