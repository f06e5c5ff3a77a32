package layers

import (
	"context"
	"fmt"
	"iter"

	"github.com/lever-go/lever/tensor"
)

// Weights is where layers read their parameters from, by name, in the order in which a pass uses them (see the package
// documentation). It is satisfied by the stores of package weights and by [Memory].
type Weights interface {
	// Parts yields the rows of a tensor in order, in parts of any number of tiles. The data of a part is valid only until the
	// next one is asked for. An error ends the sequence.
	//
	// A source whose sequences are made once and returned again lets a decode step run without allocation.
	Parts(ctx context.Context, name string) iter.Seq2[tensor.Packed, error]

	// Tile returns the tile of [tensor.TileRows] rows that holds the given row; valid until the next call of Tile.
	Tile(ctx context.Context, name string, row int) (tensor.Packed, error)
}

// Leaser is a [Weights] whose parts can be used after their turn, by an [Offloader] that computes while the next one is read. The stores of
// package weights and [Memory] are.
type Leaser interface {
	// Lease keeps the part that is being yielded valid until release is called: once, from any goroutine.
	Lease() (release func())
}

// Shaper is a [Weights] that knows its tensors before they are read, so that [NewDecoder] refuses a model whose tensors are not what its layers
// need. The stores of package weights are.
type Shaper interface {
	// Shape returns the type and shape of a tensor; ok is false where there is none of that name.
	Shape(name string) (d tensor.DType, rows, cols int, ok bool)
}

// Prefetcher is a [Weights] that is told which tensors are asked for next, of those that passes leave out at times; *weights.Streamer is one.
type Prefetcher interface {
	// Prefetch tells of them, in the order of the store. It may begin to read them at once. A name that is there several times in a row will be of
	// use to so many rows, which is a reason to keep it. names is borrowed for the call.
	Prefetch(names []string)
	// Ready reports whether a tensor can be read without waiting.
	Ready(name string) bool
	// Resident reports whether all other tensors are in memory. A pass may then ask for them several times, tells of what comes next for two groups
	// of rows by turns, and what it tells replaces what calls before the last one told.
	Resident() bool
}

// reader passes the parts of one tensor to use, after checking that they are what the layer expects. The function that it hands
// to the source is made once, so that reading does not allocate.
type reader struct {
	weights Weights
	name    string
	rows    int // rows of the stored tensor
	cols    int
	use     func(tensor.Packed) error

	next  int   // first row of the next part
	err   error // why reading stopped
	yield func(tensor.Packed, error) bool
}

func newReader(w Weights, name string, rows, cols int, use func(tensor.Packed) error) *reader {
	r := &reader{weights: w, name: name, rows: rows, cols: cols, use: use}
	r.yield = r.part
	return r
}

// read runs use over all parts of the tensor.
func (r *reader) read(ctx context.Context) error {
	r.next, r.err = 0, ctx.Err()
	if r.err == nil {
		r.weights.Parts(ctx, r.name)(r.yield)
	}
	if r.err == nil && r.next != r.rows {
		r.err = fmt.Errorf("ends after row %d of %d", r.next, r.rows)
	}
	if r.err != nil {
		return fmt.Errorf("layers: read %s: %w", r.name, r.err)
	}
	return nil
}

func (r *reader) part(p tensor.Packed, err error) bool {
	if err == nil {
		err = p.Check()
	}
	if err == nil && (p.Row != r.next || p.Row+p.Rows > r.rows || p.Cols != r.cols) {
		err = fmt.Errorf("got rows %d..%d of %d columns where rows from %d to at most %d of %d columns belong",
			p.Row, p.Row+p.Rows, p.Cols, r.next, r.rows, r.cols)
	}
	if err == nil {
		err = r.use(p)
	}
	r.next += p.Rows
	r.err = err
	return err == nil
}
