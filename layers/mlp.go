package layers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/lever-go/lever/kernels"
)

// Activation is the function between the matrices of an [MLP].
type Activation int

// Activations. SiLU runs on the fast kernels, and so do GELUTanh and ClampedSwiGLU in gated networks; the others are computed in plain Go, and GELU
// takes the longest.
const (
	SiLU     Activation = iota // x·sigmoid(x)
	GELU                       // x·Φ(x) with the normal distribution Φ (Hendrycks and Gimpel, arXiv 1606.08415)
	GELUTanh                   // its approximation x/2·(1+tanh(√(2/π)·(x+0.044715·x³))), which some models are trained with
	ReLU2                      // max(x, 0)² (So et al., arXiv 2109.08668)

	// ClampedSwiGLU is that of gpt-oss, for gated networks: with g = min(gate, 7) and u = max(min(up, 7), −7), g·sigmoid(1.702·g)·(u+1).
	ClampedSwiGLU
)

// apply computes dst[i] = a(x[i]); dst may be x.
func (a Activation) apply(set *kernels.Set, dst, x []float32) {
	switch a {
	case SiLU:
		set.SiLU(dst, x)
	case GELU:
		set.GELU(dst, x)
	case GELUTanh:
		set.GELUTanh(dst, x)
	case ReLU2:
		set.ReLU2(dst, x)
	}
}

// MLPConfig describes an [MLP].
type MLPConfig struct {
	Width      int // elements of a row of the residual stream
	FFN        int // inner width
	Activation Activation
	Ungated    bool // y = Wdown·a(Wup·x)

	// Cutoff, if it is not 0, makes the gate of a gated network sparse before the activation, as in the first layers of Gemma 3n: of its elements, of which
	// a row has the mean m and the standard deviation s, those below m + Cutoff·s become 0, and others what they exceed it by.
	Cutoff float32

	Bias bool // all matrices have one
}

// MLP is a feed-forward network, gated (Shazeer, arXiv 2002.05202) unless the configuration says Ungated:
//
//	y = Wdown·(a(Wgate·x) ⊙ Wup·x)
//
// With SiLU it is SwiGLU, with one of the GELUs GeGLU. Its tensors are name.gate and name.up [FFN][Width] and name.down [Width][FFN], read in this
// order, each followed by its bias if there is one: name.gate_bias, and so on. An ungated network has no gate.
type MLP struct {
	ws       *Workspace
	name     string
	config   MLPConfig
	inner    group // gate and up; without a gate up alone
	down     *Linear
	activate func(worker, i int)
}

// NewMLP returns the network whose tensors start with name.
func NewMLP(ws *Workspace, name string, c MLPConfig) *MLP {
	if c.Activation < SiLU || c.Activation > ClampedSwiGLU {
		ws.wiring.fault(name, "there is no Activation %d", c.Activation)
	}
	if c.Activation == ClampedSwiGLU && c.Ungated {
		ws.wiring.fault(name, "%v needs a gate", c.Activation)
	}
	linear := func(tensor string, out, in int) *Linear { return newLinear(ws, name+tensor, out, out, in, c.Bias) }
	m := &MLP{ws: ws, name: name, config: c}
	ws.reserve(&ws.inner, c.FFN)
	if c.Ungated {
		m.inner = newGroup(linear(".up", c.FFN, c.Width))
		m.activate = m.activateRow
	} else {
		m.inner = newGroup(linear(".gate", c.FFN, c.Width), linear(".up", c.FFN, c.Width))
		ws.reserve(&ws.gate, c.FFN)
		m.activate = m.gateRow
	}
	m.down = linear(".down", c.Width, c.FFN)
	return m
}

// tensors returns the names of what the network reads.
func (m *MLP) tensors() (names []string) {
	for _, l := range append(slices.Clone(m.inner), m.down) {
		if names = append(names, l.Name()); l.bias != nil {
			names = append(names, l.bias.reader.name)
		}
	}
	return names
}

// Width returns the number of elements of a row.
func (m *MLP) Width() int { return m.config.Width }

// States returns nothing.
func (m *MLP) States() []State { return nil }

// Forward writes the output of each row of x to dst, both [rows.Len()][Width]. dst must not overlap x.
func (m *MLP) Forward(ctx context.Context, dst, x []float32, rows *Rows) error {
	return m.forward(ctx, dst, x, rows.Len())
}

// forward is Forward for n rows.
func (m *MLP) forward(ctx context.Context, dst, x []float32, n int) error {
	ws, c := m.ws, &m.config
	if err := errors.Join(ws.checkRows(m.name, x, n, c.Width), ws.checkRows(m.name, dst, n, c.Width)); err != nil {
		return err
	}
	in := ws.Input(x, n, c.Width)
	var err error
	if c.Ungated {
		err = m.inner.forward(ctx, in, ws.inner)
	} else {
		err = m.inner.forward(ctx, in, ws.gate, ws.inner)
	}
	if err != nil {
		return err
	}
	ws.pool.Run(n, m.activate)
	return m.down.Forward(ctx, dst, ws.Input(ws.inner, n, c.FFN))
}

func (m *MLP) activateRow(_, i int) {
	up := m.ws.inner[i*m.config.FFN : (i+1)*m.config.FFN]
	m.config.Activation.apply(m.ws.Kernels(), up, up)
}

func (m *MLP) gateRow(_, i int) {
	set, ffn := m.ws.Kernels(), m.config.FFN
	gate, up := m.ws.gate[i*ffn:(i+1)*ffn], m.ws.inner[i*ffn:(i+1)*ffn]
	if m.config.Cutoff != 0 {
		cutOff(gate, m.config.Cutoff)
	}
	switch m.config.Activation {
	case SiLU:
		set.SiLUMul(up, gate, up)
	case GELUTanh:
		geluTanhMul(set, gate, up)
	case ClampedSwiGLU:
		clampedSwiGLU(set, gate, up)
	default:
		m.config.Activation.apply(set, gate, gate)
		set.Mul(up, gate)
	}
}

// cutOff leaves what elements exceed the mean by more than so many standard deviations.
func cutOff(x []float32, deviations float32) {
	sum, squares := 0.0, 0.0
	for _, v := range x {
		sum += float64(v)
	}
	mean := sum / float64(len(x))
	for _, v := range x {
		squares += (float64(v) - mean) * (float64(v) - mean)
	}
	least := float32(mean + float64(deviations)*math.Sqrt(squares/float64(len(x))))
	for i, v := range x {
		x[i] = max(v-least, 0)
	}
}

// geluTanhMul multiplies up by GELUTanh of gate, and leaves something in gate. With s = 2·√(2/π)·(1+0.044715·g²), GELUTanh(g) is
// g·sigmoid(s·g), and so SiLU(s·g)/s.
func geluTanhMul(set *kernels.Set, gate, up []float32) {
	const twice, most = 2 * 0.797884560802865355880, 1e4
	for i, g := range gate {
		c := min(max(g, -most), most) // of which s·c is finite
		s := twice * (1 + 0.044715*c*c)
		gate[i] = s * c
		if c != g {
			up[i] *= g / c
		}
		up[i] /= s
	}
	set.SiLUMul(up, gate, up)
}

// clampedSwiGLU leaves its result in up, and something in gate.
func clampedSwiGLU(set *kernels.Set, gate, up []float32) {
	const limit, slope = 7, 1.702
	for i, g := range gate {
		gate[i] = slope * min(g, limit)
		up[i] = (max(min(up[i], limit), -limit) + 1) / slope
	}
	set.SiLUMul(up, gate, up) // slope·g·sigmoid(slope·g)·(u+1)/slope
}

// String names an activation.
func (a Activation) String() string {
	names := [...]string{"SiLU", "GELU", "GELUTanh", "ReLU2", "ClampedSwiGLU"}
	if a < 0 || int(a) >= len(names) {
		return fmt.Sprintf("Activation(%d)", int(a))
	}
	return names[a]
}
