package layers

import (
	"context"
	"errors"
	"fmt"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// ErrUnsupported is wrapped by errors about types that layers do not compute with.
var ErrUnsupported = errors.New("not supported")

// Projector computes the logits of hidden states. [Linear] is the usual one; see [NewHead].
type Projector interface {
	// Out returns the number of logits of a row.
	Out() int
	// Forward writes the logits of each row of in to dst, [n][Out] for an input of n rows.
	Forward(ctx context.Context, dst []float32, in *kernels.Input) error
}

// Linear multiplies rows by a matrix: y = W·x + bias, W [Out][In]. The bias, if there is one, is a vector [Out], which is named like the matrix
// with _bias behind it and read after it.
type Linear struct {
	ws     *Workspace
	reader *reader
	bias   *vector // nil without one
	out    int
	scale  float32 // of the products of a head, unless it is 1
	cap    float32 // to which they are then limited, unless it is 0

	stored    int     // rows of the matrix
	groupRows int     // those of all matrices that are multiplied with the same rows
	first     *Linear // of these
	head      bool    // it computes logits
	experts   int     // if it is of an expert, how many there are
	chosen    int     // of which each row takes so many
	alike     bool    // it is of another expert than the first

	// Of the Forward under way.
	dst       []float32
	rows      [][]float32 // where each row of the product goes, in place of dst
	in        *kernels.Input
	sending   bool // parts to the offloader
	finishRow func(worker, i int)
}

// NewLinear returns the layer of the matrix of that name, [out][in], without bias.
func NewLinear(ws *Workspace, name string, out, in int) *Linear {
	return newLinear(ws, name, out, out, in, false)
}

// NewBiasedLinear returns the layer of the matrix of that name, [out][in], with bias.
func NewBiasedLinear(ws *Workspace, name string, out, in int) *Linear {
	return newLinear(ws, name, out, out, in, true)
}

// HeadConfig describes an output head: logits = SoftCap·tanh(Scale·(W·x + bias)/SoftCap).
type HeadConfig struct {
	Vocab   int     // logits of a row
	Stored  int     // rows of the matrix, at least Vocab: those that pad a vocabulary are read and left away
	Width   int     // elements of a hidden state
	Bias    bool    // a vector [Vocab], which is named like the matrix with _bias behind it
	Scale   float32 // 0 means 1
	SoftCap float32 // 0 means none
}

// NewHead returns a Linear that computes logits with the matrix of that name.
func NewHead(ws *Workspace, name string, c HeadConfig) *Linear {
	l := newLinear(ws, name, c.Vocab, c.Stored, c.Width, c.Bias)
	l.head = true
	if c.Scale != 0 {
		l.scale = c.Scale
	}
	l.cap = c.SoftCap
	return l
}

func newLinear(ws *Workspace, name string, out, stored, in int, bias bool) *Linear {
	ws.wiring.positive(name, out, stored, in)
	ws.wiring.tensor(ws.weights, name, stored, in, false)
	l := &Linear{ws: ws, out: out, stored: stored, groupRows: stored, scale: 1}
	l.first = l
	ws.linears = append(ws.linears, l)
	l.reader = newReader(ws.weights, name, stored, in, l.multiply)
	if bias {
		l.bias = newVector(ws, name+"_bias", out)
	}
	l.finishRow = func(_, i int) { l.finish(l.dst[i*l.out : (i+1)*l.out]) }
	return l
}

// Name returns the name of the matrix.
func (l *Linear) Name() string { return l.reader.name }

// Out returns the number of elements of an output row.
func (l *Linear) Out() int { return l.out }

// Forward writes the product of each row of in to dst, [n][Out] for an input of n rows; see [Workspace.Input].
// dst must not overlap the input.
func (l *Linear) Forward(ctx context.Context, dst []float32, in *kernels.Input) error {
	if err := l.product(ctx, dst, in); err != nil {
		return err
	}
	l.finishRows(dst, in)
	return nil
}

// product computes W·x.
func (l *Linear) product(ctx context.Context, dst []float32, in *kernels.Input) error {
	defer l.ws.finish() // also when a worker panics
	return l.start(ctx, dst, in)
}

// finishRows does with the products what is left to do once an [Offloader] has finished too.
func (l *Linear) finishRows(dst []float32, in *kernels.Input) {
	if l.bias == nil && l.scale == 1 && l.cap == 0 {
		return
	}
	_, n, _ := in.Rows()
	l.dst = dst
	l.ws.pool.Run(n, l.finishRow)
	l.dst = nil
}

func (l *Linear) finish(row []float32) {
	set := l.ws.Kernels()
	if l.bias != nil {
		set.Add(row, l.bias.values)
	}
	if l.scale != 1 {
		set.Scale(row, l.scale)
	}
	if l.cap != 0 {
		set.SoftCap(row, l.cap)
	}
}

// start reads the matrix and the bias, and computes W·x, with which an [Offloader] may go on.
func (l *Linear) start(ctx context.Context, dst []float32, in *kernels.Input) error {
	if _, n, _ := in.Rows(); len(dst) < n*l.out {
		return fmt.Errorf("layers: %s: an output of %d elements for %d rows of %d", l.reader.name, len(dst), n, l.out)
	}
	l.dst, l.in = dst, in
	err := l.reader.read(ctx)
	l.dst, l.in = nil, nil
	if err == nil && l.bias != nil {
		err = l.bias.read(ctx)
	}
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
	if p.Row == 0 {
		l.ws.observe(l.reader.name, l.in)
	}
	if p.Row+p.Rows > l.out {
		p.Rows = l.out - p.Row
		p.Data = p.Data[:tensor.PackedBytes(p.Type, p.Rows, p.Cols)]
	}
	if l.rows != nil {
		l.scatter(p)
		return nil
	}
	step := l.together(p)
	for from := 0; from < p.Rows; from += step {
		if piece := p.Slice(from, min(from+step, p.Rows)); !l.send(piece) {
			kernels.MatMul(l.ws.pool, l.dst, l.out, piece, l.in)
		}
	}
	return nil
}

// forwardRows is Forward with rows that do not lie side by side: row i goes to rows[i].
func (l *Linear) forwardRows(ctx context.Context, rows [][]float32, in *kernels.Input) error {
	l.rows, l.in = rows, in
	err := l.reader.read(ctx)
	l.rows, l.in = nil, nil
	if err == nil && l.bias != nil {
		err = l.bias.read(ctx)
	}
	if err != nil {
		return err
	}
	for _, row := range rows {
		l.finish(row)
	}
	return nil
}

// scattered is the number of elements of products that are computed before they go where they belong.
const scattered = 1 << 14

// scatter computes the output elements of one part, stripe by stripe, and copies them to their rows.
func (l *Linear) scatter(p tensor.Packed) {
	n := len(l.rows)
	most := max(1, scattered/(n*tensor.TileRows)) * tensor.TileRows // rows of a stripe
	if len(l.ws.stripe) < most*n {
		l.ws.stripe = make([]float32, most*n)
	}
	for first := 0; first < p.Rows; first += most {
		stripe := p
		stripe.Row, stripe.Rows = 0, min(most, p.Rows-first)
		stripe.Data = p.Data[tensor.PackedBytes(p.Type, first, p.Cols):tensor.PackedBytes(p.Type, first+stripe.Rows, p.Cols)]
		kernels.MatMul(l.ws.pool, l.ws.stripe, stripe.Rows, stripe, l.in)
		for i, row := range l.rows {
			copy(row[p.Row+first:], l.ws.stripe[i*stripe.Rows:(i+1)*stripe.Rows])
		}
	}
}
