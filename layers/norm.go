package layers

import (
	"context"
	"fmt"

	"github.com/lever-go/lever/tensor"
)

// RMSNorm divides a row by its root mean square and multiplies it by a learned gain (Zhang and Sennrich, arXiv 1910.07467):
// y = x / sqrt(mean(x²)+eps) · gain.
type RMSNorm struct {
	ws     *Workspace
	reader *reader
	gain   []float32 // [width], as last loaded
	eps    float32

	// Of the Forward under way.
	dst, x []float32
	row    func(worker, i int)
}

// NewRMSNorm returns the norm of rows of width elements with the gain vector of that name.
func NewRMSNorm(ws *Workspace, name string, width int, eps float32) *RMSNorm {
	ws.wiring.positive(name, width)
	ws.wiring.tensor(ws.weights, name, 1, width, true)
	width = max(width, 0)
	n := &RMSNorm{ws: ws, gain: make([]float32, width), eps: eps}
	n.reader = newReader(ws.weights, name, 1, width, n.load)
	n.row = func(_, i int) {
		n.Apply(n.dst[i*width:(i+1)*width], n.x[i*width:(i+1)*width])
	}
	return n
}

// Load reads the gain.
func (n *RMSNorm) Load(ctx context.Context) error { return n.reader.read(ctx) }

func (n *RMSNorm) load(p tensor.Packed) error { return tensor.Decode(n.gain, p.Data, p.Type) }

// Apply normalises one row, [width], with the gain that Load has read. dst may be x. It is safe for concurrent use.
func (n *RMSNorm) Apply(dst, x []float32) { n.ws.Kernels().RMSNorm(dst, x, n.gain, n.eps) }

// applyAll normalises each row of x, [any][width], in place.
func (n *RMSNorm) applyAll(x []float32) {
	for ; len(x) > 0; x = x[len(n.gain):] {
		n.Apply(x[:len(n.gain)], x[:len(n.gain)])
	}
}

// Forward reads the gain and normalises the rows of x, [any][width], into dst of the same shape. dst may be x.
func (n *RMSNorm) Forward(ctx context.Context, dst, x []float32) error {
	if len(n.gain) == 0 || len(x)%len(n.gain) != 0 || len(dst) != len(x) {
		return fmt.Errorf("layers: %s: %d elements in, %d out, for rows of %d", n.reader.name, len(x), len(dst), len(n.gain))
	}
	if err := n.Load(ctx); err != nil {
		return err
	}
	n.dst, n.x = dst, x
	n.ws.pool.Run(len(x)/len(n.gain), n.row)
	n.dst, n.x = nil, nil
	return nil
}
