package layers

import (
	"context"
	"fmt"

	"github.com/lever-go/lever/tensor"
)

// Normalizer normalises the rows of x, [any][width], into dst of the same shape, which may be x. [Norm] is one.
type Normalizer interface {
	Forward(ctx context.Context, dst, x []float32) error
}

// NormConfig describes norms of any width.
type NormConfig struct {
	Eps      float32 // is added to the mean of squares, or to the variance
	Centered bool    // LayerNorm; otherwise RMSNorm
	Bias     bool    // a vector, which is named like the gain with _bias behind it, is added in the end
	Offset   float32 // is added to each element of the gain when it is read; 1 where a model keeps gains around 0, as Gemma does
}

// Norm scales rows to an even size and multiplies them by a learned gain. It is RMSNorm (Zhang and Sennrich, arXiv 1910.07467) or, if
// the configuration says Centered, LayerNorm (Ba et al., arXiv 1607.06450):
//
//	y = x / sqrt(mean(x²)+Eps) · (gain+Offset) + bias
//	y = (x−mean(x)) / sqrt(var(x)+Eps) · (gain+Offset) + bias
type Norm struct {
	ws     *Workspace
	config NormConfig
	gain   *vector
	bias   *vector // nil without Bias

	// Of the Forward under way.
	dst, x []float32
	row    func(worker, i int)
}

// NewRMSNorm returns an RMSNorm without bias: the usual norm.
func NewRMSNorm(ws *Workspace, name string, width int, eps float32) *Norm {
	return NewNorm(ws, name, width, NormConfig{Eps: eps})
}

// NewNorm returns the norm of rows of width elements with the gain vector of that name.
func NewNorm(ws *Workspace, name string, width int, c NormConfig) *Norm {
	n := &Norm{ws: ws, config: c, gain: newVector(ws, name, width)}
	if c.Bias {
		n.bias = newVector(ws, name+"_bias", width)
	}
	n.row = func(_, i int) {
		width := n.Width()
		n.Apply(n.dst[i*width:(i+1)*width], n.x[i*width:(i+1)*width])
	}
	return n
}

// Width returns the number of elements of a row.
func (n *Norm) Width() int { return len(n.gain.values) }

// Load reads gain and bias.
func (n *Norm) Load(ctx context.Context) error {
	if err := n.gain.read(ctx); err != nil {
		return err
	}
	if n.config.Offset != 0 {
		for i := range n.gain.values {
			n.gain.values[i] += n.config.Offset
		}
	}
	if n.bias == nil {
		return nil
	}
	return n.bias.read(ctx)
}

// Apply normalises one row, [width], with what Load has read. dst may be x. It is safe for concurrent use.
func (n *Norm) Apply(dst, x []float32) {
	set := n.ws.Kernels()
	if n.config.Centered {
		center(dst, x)
		x = dst // the variance of x is the mean square of what is left
	}
	set.RMSNorm(dst, x, n.gain.values, n.config.Eps)
	if n.bias != nil {
		set.Add(dst, n.bias.values)
	}
}

// center writes x without its mean to dst.
func center(dst, x []float32) {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	mean := float32(sum / float64(len(x)))
	for i, v := range x {
		dst[i] = v - mean
	}
}

// applyAll normalises each row of x, [any][width], in place.
func (n *Norm) applyAll(x []float32) {
	for width := n.Width(); len(x) > 0; x = x[width:] {
		n.Apply(x[:width], x[:width])
	}
}

// Forward reads gain and bias and normalises the rows of x, [any][width], into dst of the same shape. dst may be x.
func (n *Norm) Forward(ctx context.Context, dst, x []float32) error {
	width := n.Width()
	if width == 0 || len(x)%width != 0 || len(dst) != len(x) {
		return fmt.Errorf("layers: %s: %d elements in, %d out, for rows of %d", n.gain.reader.name, len(x), len(dst), width)
	}
	if err := n.Load(ctx); err != nil {
		return err
	}
	n.dst, n.x = dst, x
	n.ws.pool.Run(len(x)/width, n.row)
	n.dst, n.x = nil, nil
	return nil
}

// vector is a tensor of one row of float32, which is read anew in each pass.
type vector struct {
	reader *reader
	values []float32 // as last read
}

// newVector returns the vector of that name, of n elements.
func newVector(ws *Workspace, name string, n int) *vector {
	ws.wiring.positive(name, n)
	ws.wiring.tensor(ws.weights, name, 1, n, true)
	n = max(n, 0)
	v := &vector{values: make([]float32, n)}
	v.reader = newReader(ws.weights, name, 1, n, func(p tensor.Packed) error { return tensor.Decode(v.values, p.Data, p.Type) })
	return v
}

func (v *vector) read(ctx context.Context) error { return v.reader.read(ctx) }
