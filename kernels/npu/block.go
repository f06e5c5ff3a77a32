package npu

import (
	"slices"

	"github.com/lever-go/lever/tensor"
)

// BlockShape describes the graph of a transformer block of Llama or Qwen3; see [Block].
type BlockShape struct {
	Width, Heads, KVHeads, HeadDim, FFN int
	Positions                           int  // of the caches
	QKNorm                              bool // queries and keys are normalised per head
	Eps, Scale                          float32
	Weights                             tensor.DType
}

// Block returns the graph of a whole transformer block: y = h + mlp(norm(h)), h = x + attention(norm(x)). Operands, by name:
//
//	x, y                       [n][Width], the residual stream
//	cos, sin                   [n][HeadDim/2], the angles of the rows' positions
//	past, tree, k_cache, v_cache   what the rows see; see Attention
//	k, v                       outputs: keys, after the rotation, and values of the rows
//	W_q, W_k, W_v, W_o, W_gate, W_up, W_down; attn_norm, mlp_norm, q_norm, k_norm
//
// The mask and the angles being data, one program serves every tree and every position; new keys and values being outputs, the caller
// keeps those of the rows that it accepts.
func Block(b BlockShape) Graph {
	g := &builder{}
	qDim, kvDim := b.Heads*b.HeadDim, b.KVHeads*b.HeadDim
	x, cos, sin := g.rows("x", b.Width), g.rows("cos", b.HeadDim/2), g.rows("sin", b.HeadDim/2)
	past, tree := g.rows("past", b.Positions), g.rows("tree", 0)
	cache := Operand{Kind: Cache, Rows: b.Positions, Cols: kvDim}
	keys, values := g.operand("k_cache", cache), g.operand("v_cache", cache)
	multiply := func(name string, x, out int) int {
		w := g.operand("W_"+name, Operand{Kind: Weights, Type: b.Weights, Rows: out, Cols: g.Operands[x].Cols})
		return g.step(Step{Op: MatMul, Args: []int{w, x}}, "", out)
	}
	norm := func(name string, x, width int) int {
		gain := g.operand(name, Operand{Kind: Vector, Cols: width})
		return g.step(Step{Op: RMSNorm, Args: []int{x, gain}, Eps: b.Eps}, "", g.Operands[x].Cols)
	}
	normed := norm("attn_norm", x, b.Width)
	q, k, v := multiply("q", normed, qDim), multiply("k", normed, kvDim), multiply("v", normed, kvDim)
	if b.QKNorm {
		q, k = norm("q_norm", q, b.HeadDim), norm("k_norm", k, b.HeadDim)
	}
	q = g.step(Step{Op: RoPE, Args: []int{q, cos, sin}, Heads: b.Heads}, "", qDim)
	k = g.step(Step{Op: RoPE, Args: []int{k, cos, sin}, Heads: b.KVHeads}, "k", kvDim)
	g.Operands[v].Name = "v"
	mixed := g.step(Step{Op: Attention, Args: []int{q, keys, values, k, v, past, tree}, Heads: b.Heads, KVHeads: b.KVHeads, Scale: b.Scale}, "", qDim)
	h := g.step(Step{Op: Add, Args: []int{x, multiply("o", mixed, b.Width)}}, "", b.Width)
	normed = norm("mlp_norm", h, b.Width)
	inner := g.step(Step{Op: SiLUMul, Args: []int{multiply("gate", normed, b.FFN), multiply("up", normed, b.FFN)}}, "", b.FFN)
	y := g.step(Step{Op: Add, Args: []int{h, multiply("down", inner, b.Width)}}, "y", b.Width)
	g.Outputs = []int{k, v, y}
	return g.Graph
}

// Operand returns the index of the operand of that name, or -1.
func (g *Graph) Operand(name string) int {
	return slices.IndexFunc(g.Operands, func(o Operand) bool { return o.Name == name })
}

// builder makes a graph.
type builder struct{ Graph }

func (g *builder) operand(name string, o Operand) int {
	o.Name = name
	g.Operands = append(g.Operands, o)
	return len(g.Operands) - 1
}

func (g *builder) rows(name string, cols int) int {
	return g.operand(name, Operand{Kind: Rows, Cols: cols})
}

// step adds a step whose result has so many columns, and returns the result.
func (g *builder) step(s Step, name string, cols int) int {
	s.Out = g.rows(name, cols)
	g.Steps = append(g.Steps, s)
	return s.Out
}
