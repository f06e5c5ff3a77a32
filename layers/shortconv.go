package layers

import (
	"context"
	"errors"
)

// ShortConvConfig describes a [ShortConv].
type ShortConvConfig struct {
	Width  int  // elements of a row of the residual stream
	Kernel int  // rows that a row is computed from, itself included: 3 in LFM2
	Bias   bool // projections and convolution have one
}

// ShortConv is the gated short convolution of LFM2 (Liquid AI, arXiv 2511.23404), which mixes a row with the few before it:
//
//	b, c, v = Win·x; u = b ⊙ v; y = Wout·(c ⊙ Σ_j conv[:, j] ⊙ u[Kernel−1−j rows before])
//
// Before the text u is zero. Its tensors are name.in [3·Width][Width], whose rows are those of b, c and v in this order, the vector
// name.conv of Width·Kernel elements, those of a channel side by side and the last of them for the row itself, and name.out [Width][Width],
// read in this order, each followed by its bias if there is one: name.in_bias, name.conv_bias, name.out_bias.
type ShortConv struct {
	ws        *Workspace
	name      string
	config    ShortConvConfig
	in, out   *Linear
	conv      *vector
	bias      *vector    // of the convolution; nil without one
	states    *RowStates // u of the latest Kernel−1 rows, the oldest first
	rows      *Rows      // of the Forward under way
	transform func(worker, i int)
}

// convChannels is the number of channels that a worker computes at a time.
const convChannels = 128

// NewShortConv returns the convolution whose tensors start with name.
func NewShortConv(ws *Workspace, name string, c ShortConvConfig) *ShortConv {
	s := &ShortConv{ws: ws, name: name, config: c}
	if !ws.wiring.positive(name, c.Width, c.Kernel) {
		return s // which NewDecoder refuses
	}
	s.in = newLinear(ws, name+".in", 3*c.Width, 3*c.Width, c.Width, c.Bias)
	s.conv = newVector(ws, name+".conv", c.Width*c.Kernel)
	if c.Bias {
		s.bias = newVector(ws, name+".conv_bias", c.Width)
	}
	s.out = newLinear(ws, name+".out", c.Width, c.Width, c.Width, c.Bias)
	s.states = NewRowStates((c.Kernel - 1) * c.Width)
	s.transform = s.convolve
	ws.reserve(&ws.projected, 3*c.Width)
	ws.reserve(&ws.mixed, c.Width)
	return s
}

// Width returns the number of elements of a row.
func (s *ShortConv) Width() int { return s.config.Width }

// States returns the state of the convolution.
func (s *ShortConv) States() []State { return []State{s.states} }

// Forward writes the output for each row of x to dst, both [rows.Len()][Width]. dst must not overlap x.
func (s *ShortConv) Forward(ctx context.Context, dst, x []float32, rows *Rows) error {
	n, ws, width := rows.Len(), s.ws, s.config.Width
	if err := errors.Join(ws.checkRows(s.name, x, n, width), ws.checkRows(s.name, dst, n, width)); err != nil {
		return err
	}
	if err := s.in.Forward(ctx, ws.projected, ws.Input(x, n, width)); err != nil {
		return err
	}
	if err := s.conv.read(ctx); err != nil {
		return err
	}
	if s.bias != nil {
		if err := s.bias.read(ctx); err != nil {
			return err
		}
	}
	s.states.Grow(rows)
	s.rows = rows
	ws.pool.Run((width+convChannels-1)/convChannels, s.transform)
	s.rows = nil
	return s.out.Forward(ctx, dst, ws.Input(ws.mixed, n, width))
}

// convolve computes piece i of the channels for all rows, of which a parent comes before its children.
func (s *ShortConv) convolve(_, i int) {
	width, kernel := s.config.Width, s.config.Kernel
	first, end := i*convChannels, min((i+1)*convChannels, width)
	for row := range s.rows.Len() {
		before, after := s.states.At(s.rows.Parents[row]), s.states.At(s.rows.Pending[row])
		b, c, v := split(s.ws.projected[row*3*width:(row+1)*3*width], width)
		y := s.ws.mixed[row*width : (row+1)*width]
		for ch := first; ch < end; ch++ {
			w := s.conv.values[ch*kernel : (ch+1)*kernel]
			u := b[ch] * v[ch]
			sum := float32(0)
			for j := range kernel - 1 {
				old := before[j*width+ch]
				sum += w[j] * old
				if j > 0 {
					after[(j-1)*width+ch] = old
				}
			}
			sum += w[kernel-1] * u
			if kernel > 1 {
				after[(kernel-2)*width+ch] = u
			}
			if s.bias != nil {
				sum += s.bias.values[ch]
			}
			y[ch] = c[ch] * sum
		}
	}
}

// split cuts a row of three times width elements.
func split(x []float32, width int) (a, b, c []float32) {
	return x[:width], x[width : 2*width], x[2*width:]
}
