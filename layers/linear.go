package layers

import (
	"context"
	"fmt"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Linear multiplies rows by a matrix: y = W·x, W [Out][In] without bias.
type Linear struct {
	ws     *Workspace
	reader *reader
	out    int

	stored    int  // rows of the matrix
	groupRows int  // those of all matrices that are multiplied with the same rows
	head      bool // it computes logits

	// Of the Forward under way.
	dst     []float32
	in      *kernels.Input
	sending bool // to the device
}

// NewLinear returns the layer of the matrix of that name, [out][in].
func NewLinear(ws *Workspace, name string, out, in int) *Linear {
	return newLinear(ws, name, out, out, in)
}

// NewHead returns a Linear that computes the first out of the stored rows, [stored][in], of the matrix of that name: rows that pad a
// vocabulary are read and left away.
func NewHead(ws *Workspace, name string, out, stored, in int) *Linear {
	l := newLinear(ws, name, out, stored, in)
	l.head = true
	return l
}

func newLinear(ws *Workspace, name string, out, stored, in int) *Linear {
	ws.wiring.positive(name, out, stored, in)
	ws.wiring.tensor(ws.weights, name, stored, in, false)
	l := &Linear{ws: ws, out: out, stored: stored, groupRows: stored}
	l.reader = newReader(ws.weights, name, stored, in, l.multiply)
	return l
}

// Out returns the number of elements of an output row.
func (l *Linear) Out() int { return l.out }

// Forward writes the product of each row of in to dst, [n][Out] for an input of n rows; see [Workspace.Input].
// dst must not overlap the input.
func (l *Linear) Forward(ctx context.Context, dst []float32, in *kernels.Input) error {
	defer l.ws.finish()
	return l.start(ctx, dst, in)
}

// start is Forward, except that a device may go on computing.
func (l *Linear) start(ctx context.Context, dst []float32, in *kernels.Input) error {
	if _, n, _ := in.Rows(); len(dst) < n*l.out {
		return fmt.Errorf("layers: %s: an output of %d elements for %d rows of %d", l.reader.name, len(dst), n, l.out)
	}
	l.dst, l.in = dst, in
	err := l.reader.read(ctx)
	l.dst, l.in = nil, nil
	return err
}

// multiply computes the output elements of one part. Stored rows from out on are padding and are left away.
func (l *Linear) multiply(p tensor.Packed) error {
	if !tensor.Packable(p.Type) {
		return fmt.Errorf("a matrix of type %v is not multiplied: %w", p.Type, ErrUnsupported)
	}
	if _, _, k := l.in.Rows(); k != p.Cols {
		return fmt.Errorf("rows of %d elements for a matrix of %d columns", k, p.Cols)
	}
	if p.Row >= l.out {
		return nil
	}
	if p.Row+p.Rows > l.out {
		p.Rows = l.out - p.Row
		p.Data = p.Data[:tensor.PackedBytes(p.Type, p.Rows, p.Cols)]
	}
	if !l.send(p) {
		kernels.MatMul(l.ws.pool, l.dst, l.out, p, l.in)
	}
	return nil
}
