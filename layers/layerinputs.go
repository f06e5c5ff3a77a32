package layers

import (
	"context"
	"fmt"
	"math"
)

// LayerInputsConfig describes [LayerInputs].
type LayerInputsConfig struct {
	Width  int // elements of a row of the residual stream
	Layers int // that have an input
	Dim    int // elements of an input
	Vocab  int // tokens that have a row in the table; others have that of token 0
	Norm   NormConfig
}

// LayerInputs computes what each layer learns of a row's token beside the residual stream: the per-layer embeddings of Gemma 3n and Gemma 4. It is a
// [Layer] that comes before all others, when rows are embeddings still. It leaves them as they are and keeps, of each row and layer,
//
//	input = (norm(Wproj·x/√Width) + √Dim·table[token])/√2
//
// until the next pass, for the [InputGate] of that layer. Its tensors are name.table [Vocab][Layers·Dim], of which the rows of the tokens of a pass are looked
// up, name.proj [Layers·Dim][Width] and name.norm [Dim], the gain of each layer's part.
type LayerInputs struct {
	ws     *Workspace
	name   string
	config LayerInputsConfig
	table  *Embedding
	proj   *Linear
	norm   *Norm
	inputs []float32 // [MaxRows][Layers][Dim]; by the place of the row

	token [1]int32 // that is looked up
	rows  *Rows    // of the Forward under way
	add   func(worker, i int)
}

// NewLayerInputs returns the inputs whose tensors start with name.
func NewLayerInputs(ws *Workspace, name string, c LayerInputsConfig) *LayerInputs {
	l := &LayerInputs{ws: ws, name: name, config: c}
	if !ws.wiring.positive(name, c.Width, c.Layers, c.Dim, c.Vocab) {
		return l // which NewDecoder refuses
	}
	all := c.Layers * c.Dim
	l.table = NewScaledEmbedding(ws, name+".table", c.Vocab, all, float32(math.Sqrt(float64(c.Dim))))
	l.proj = NewLinear(ws, name+".proj", all, c.Width)
	l.norm = NewNorm(ws, name+".norm", c.Dim, c.Norm)
	l.inputs = make([]float32, ws.maxRows*all)
	l.add = l.addProjected
	ws.reserve(&ws.projected, all)
	return l
}

// States returns nothing: inputs follow from tokens.
func (l *LayerInputs) States() []State { return nil }

// Forward computes the inputs of the rows x, [rows.Len()][Width].
func (l *LayerInputs) Forward(ctx context.Context, x []float32, rows *Rows) error {
	n, ws := rows.Len(), l.ws
	if err := ws.checkRows(l.name, x, n, l.config.Width); err != nil {
		return err
	}
	if len(rows.Tokens) != n {
		return fmt.Errorf("layers: %s: %d tokens of %d rows", l.name, len(rows.Tokens), n)
	}
	for i := range n {
		if l.token[0] = rows.Tokens[i]; int(l.token[0]) >= l.config.Vocab {
			l.token[0] = 0
		}
		if err := l.table.Forward(ctx, l.row(rows.Places[i]), l.token[:]); err != nil {
			return err
		}
	}
	if err := l.proj.Forward(ctx, ws.projected, ws.Input(x, n, l.config.Width)); err != nil {
		return err
	}
	if err := l.norm.Load(ctx); err != nil {
		return err
	}
	l.rows = rows
	ws.pool.Run(n, l.add)
	l.rows = nil
	return nil
}

// row returns the inputs of the row at a place of the pass, [Layers][Dim].
func (l *LayerInputs) row(at int) []float32 {
	all := l.config.Layers * l.config.Dim
	return l.inputs[at*all : (at+1)*all]
}

// addProjected adds what is projected of row i of the pass to what its token has in the table.
func (l *LayerInputs) addProjected(_, i int) {
	set, input := l.ws.Kernels(), l.row(l.rows.Places[i])
	projected := l.ws.projected[i*len(input) : (i+1)*len(input)]
	set.Scale(projected, float32(1/math.Sqrt(float64(l.config.Width))))
	l.norm.applyAll(projected)
	set.Add(input, projected)
	set.Scale(input, float32(1/math.Sqrt2))
}

// InputGate is a [Layer] that adds to the residual stream what a row makes of its input of one layer:
//
//	x += norm(Wproj·(a(Wgate·x) ⊙ input))
//
// Its tensors are name.input_gate [Dim][Width], name.input_proj [Width][Dim] and the gain name.input_norm [Width].
type InputGate struct {
	ws         *Workspace
	inputs     *LayerInputs
	layer      int
	activation Activation
	gate, proj *Linear
	norm       *Norm

	rows  *Rows // of the Forward under way
	apply func(worker, i int)
}

// Gate returns the gate of a layer, counted from 0, whose tensors start with name.
func (l *LayerInputs) Gate(name string, layer int, a Activation) *InputGate {
	ws, c := l.ws, &l.config
	if layer < 0 || layer >= c.Layers || a < SiLU || a > ReLU2 {
		ws.wiring.fault(name, "a gate with %v of layer %d of %d", a, layer, c.Layers)
	}
	g := &InputGate{
		ws: ws, inputs: l, layer: layer, activation: a,
		gate: NewLinear(ws, name+".input_gate", c.Dim, c.Width), proj: NewLinear(ws, name+".input_proj", c.Width, c.Dim),
		norm: NewNorm(ws, name+".input_norm", c.Width, c.Norm),
	}
	g.apply = g.applyRow
	ws.reserve(&ws.inner, c.Dim)
	ws.reserve(&ws.out, c.Width)
	return g
}

// States returns nothing.
func (g *InputGate) States() []State { return nil }

// Forward adds to x, [rows.Len()][Width].
func (g *InputGate) Forward(ctx context.Context, x []float32, rows *Rows) error {
	if err := g.ws.checkRows(g.gate.Name(), x, rows.Len(), g.inputs.config.Width); err != nil {
		return err
	}
	out := g.ws.out[:len(x)]
	if err := g.compute(ctx, out, x, rows); err != nil {
		return err
	}
	g.ws.Kernels().Add(x, out)
	return nil
}

// compute writes to out what Forward would add to x.
func (g *InputGate) compute(ctx context.Context, out, x []float32, rows *Rows) error {
	ws, c, n := g.ws, &g.inputs.config, rows.Len()
	if err := g.gate.Forward(ctx, ws.inner, ws.Input(x, n, c.Width)); err != nil {
		return err
	}
	g.rows = rows
	ws.pool.Run(n, g.apply)
	g.rows = nil
	if err := g.proj.Forward(ctx, out, ws.Input(ws.inner, n, c.Dim)); err != nil {
		return err
	}
	return g.norm.Forward(ctx, out, out)
}

// applyRow multiplies the input of row i of the pass by its gate.
func (g *InputGate) applyRow(_, i int) {
	dim, set := g.inputs.config.Dim, g.ws.Kernels()
	gate := g.ws.inner[i*dim : (i+1)*dim]
	g.activation.apply(set, gate, gate)
	set.Mul(gate, g.inputs.row(g.rows.Places[i])[g.layer*dim:(g.layer+1)*dim])
}
