package layers

import (
	"context"
	"errors"
)

// MLP is the gated feed-forward network SwiGLU (Shazeer, arXiv 2002.05202): y = Wdown·(silu(Wgate·x) ⊙ Wup·x).
//
// Its tensors are prefix.gate and prefix.up [ffn][width] and prefix.down [width][ffn], read in this order.
type MLP struct {
	ws         *Workspace
	name       string
	width, ffn int
	gateUp     group
	down       *Linear
	activate   func(worker, i int)
}

// NewMLP returns the network whose tensors start with prefix.
func NewMLP(ws *Workspace, prefix string, width, ffn int) *MLP {
	m := &MLP{
		ws: ws, name: prefix, width: width, ffn: ffn,
		gateUp: newGroup(NewLinear(ws, prefix+".gate", ffn, width), NewLinear(ws, prefix+".up", ffn, width)),
		down:   NewLinear(ws, prefix+".down", width, ffn),
	}
	ws.reserve(&ws.gate, ffn)
	ws.reserve(&ws.inner, ffn)
	m.activate = func(_, i int) {
		gate, up := ws.gate[i*ffn:(i+1)*ffn], ws.inner[i*ffn:(i+1)*ffn]
		ws.Kernels().SiLUMul(gate, gate, up)
	}
	return m
}

// Forward writes the output of each row of x to dst, both [n][width]. dst must not overlap x.
func (m *MLP) Forward(ctx context.Context, dst, x []float32, n int) error {
	if err := errors.Join(m.ws.checkRows(m.name, x, n, m.width), m.ws.checkRows(m.name, dst, n, m.width)); err != nil {
		return err
	}
	in := m.ws.Input(x, n, m.width)
	if err := m.gateUp.forward(ctx, in, m.ws.gate, m.ws.inner); err != nil {
		return err
	}
	m.ws.pool.Run(n, m.activate)
	return m.down.Forward(ctx, dst, m.ws.Input(m.ws.gate, n, m.ffn))
}
