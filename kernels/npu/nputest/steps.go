package nputest

import (
	"fmt"
	"math"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

// stepTolerance is for steps other than products with quantised weights.
const stepTolerance = 0.01

// rows is an operand of so many columns.
func rows(cols int) npu.Operand { return npu.Operand{Kind: npu.Rows, Cols: cols} }

// single compiles a graph of one step whose result is the last operand.
func (s *suite) single(batch int, step npu.Step, operands ...npu.Operand) npu.Program {
	s.Helper()
	for i := range operands[1:] {
		step.Args = append(step.Args, i)
	}
	step.Out = len(operands) - 1
	return s.compile(npu.Graph{Operands: operands, Steps: []npu.Step{step}, Outputs: []int{step.Out}}, batch)
}

// each calls f for each batch size, with all rows and with fewer.
func (s *suite) each(f func(batch, n int)) {
	for _, batch := range s.batches() {
		f(batch, batch)
		if batch > 1 {
			f(batch, batch-1)
		}
	}
}

// rmsNorm normalises rows, and heads of rows.
func (s *suite) rmsNorm() {
	s.need(npu.RMSNorm)
	const cols, eps = 384, 1e-5
	for _, width := range []int{cols, 128} {
		s.each(func(batch, n int) {
			x, gain := s.normal(n*cols), s.normal(width)
			p := s.single(batch, npu.Step{Op: npu.RMSNorm, Eps: eps}, rows(cols), npu.Operand{Kind: npu.Vector, Cols: width}, rows(cols))
			out := s.output(batch, cols)
			s.run(p, n, s.padded(x, batch, cols), put(s, gain), out)
			s.near(fmt.Sprintf("width %d, %d rows of %d", width, n, batch), s.result(out, n*cols), norms(x, gain, eps), stepTolerance)
		})
	}
}

func norms(x, gain []float32, eps float32) []float32 {
	out := make([]float32, len(x))
	for i := 0; i < len(x); i += len(gain) {
		kernels.Default().RMSNorm(out[i:i+len(gain)], x[i:i+len(gain)], gain, eps)
	}
	return out
}

// rope turns heads by the angles of arbitrary positions.
func (s *suite) rope() {
	s.need(npu.RoPE)
	const heads, dim = 3, 64
	s.each(func(batch, n int) {
		x, cos, sin := s.normal(n*heads*dim), s.normal(n*dim/2), s.normal(n*dim/2)
		p := s.single(batch, npu.Step{Op: npu.RoPE, Heads: heads}, rows(heads*dim), rows(dim/2), rows(dim/2), rows(heads*dim))
		out := s.output(batch, heads*dim)
		s.run(p, n, s.padded(x, batch, heads*dim), s.padded(cos, batch, dim/2), s.padded(sin, batch, dim/2), out)
		s.near(fmt.Sprintf("%d rows of %d", n, batch), s.result(out, len(x)), turned(x, cos, sin, n, heads, dim), stepTolerance)
	})
}

func turned(x, cos, sin []float32, n, heads, dim int) []float32 {
	out := append([]float32(nil), x...)
	for i := range n {
		kernels.Default().RoPE(out[i*heads*dim:(i+1)*heads*dim], cos[i*dim/2:(i+1)*dim/2], sin[i*dim/2:(i+1)*dim/2], heads, dim, kernels.PairHalves)
	}
	return out
}

func (s *suite) elementwise() {
	const cols = 200
	for _, op := range []npu.Op{npu.SiLUMul, npu.Add} {
		if !s.caps.Has(op) {
			continue
		}
		s.each(func(batch, n int) {
			a, b := s.normal(n*cols), s.normal(n*cols)
			p := s.single(batch, npu.Step{Op: op}, rows(cols), rows(cols), rows(cols))
			out := s.output(batch, cols)
			s.run(p, n, s.padded(a, batch, cols), s.padded(b, batch, cols), out)
			want := append([]float32(nil), a...)
			if op == npu.Add {
				kernels.Default().Add(want, b)
			} else {
				kernels.Default().SiLUMul(want, a, b)
			}
			s.near(fmt.Sprintf("%v, %d rows of %d", op, n, batch), s.result(out, n*cols), want, stepTolerance)
		})
	}
}

// surroundings are what rows of a batch see of a text: caches and masks.
type surroundings struct {
	heads, kvHeads, dim, positions int
	n, batch                       int
	keys, values                   []uint16
	past, tree                     []float32
}

// newSurroundings makes random caches, and masks with which row i sees some positions and, of the batch, a few rows before it and itself.
func (s *suite) newSurroundings(n, batch, heads, kvHeads, dim, positions int) *surroundings {
	c := &surroundings{heads: heads, kvHeads: kvHeads, dim: dim, positions: positions, n: n, batch: batch}
	c.keys, c.values = make([]uint16, positions*kvHeads*dim), make([]uint16, positions*kvHeads*dim)
	kernels.Default().F32ToF16(c.keys, s.normal(len(c.keys)))
	kernels.Default().F32ToF16(c.values, s.normal(len(c.values)))
	hidden := float32(math.Inf(-1))
	c.past, c.tree = make([]float32, n*positions), make([]float32, n*batch)
	for i := range c.past {
		if i%positions >= positions*3/4 || s.rng.IntN(8) == 0 {
			c.past[i] = hidden
		}
	}
	for i := range c.tree {
		if row, col := i/batch, i%batch; col > row || col < row && s.rng.IntN(2) == 0 {
			c.tree[i] = hidden
		}
	}
	return c
}

// attend is what package kernels makes of it.
func (c *surroundings) attend(q, k, v []float32, scale float32) []float32 {
	size := c.positions * c.kvHeads * c.dim
	page := func(cache []uint16, x []float32) [][]uint16 {
		second := make([]uint16, max(size, c.n*c.kvHeads*c.dim))
		for i := range c.n {
			for h := range c.kvHeads {
				at := (h*c.positions + i) * c.dim
				kernels.Default().F32ToF16(second[at:at+c.dim], x[(i*c.kvHeads+h)*c.dim:][:c.dim])
			}
		}
		return [][]uint16{cache, second}
	}
	kv := kernels.KV{HeadDim: c.dim, KVHeads: c.kvHeads, PageLen: c.positions, K: page(c.keys, k), V: page(c.values, v)}
	out := make([]float32, len(q))
	cols, group := c.heads*c.dim, c.heads/c.kvHeads
	var scratch kernels.AttentionScratch
	for i := range c.n {
		var seen kernels.Visible
		for slot := range c.positions {
			if c.past[i*c.positions+slot] >= 0 {
				seen.Path = append(seen.Path, int32(slot))
			}
		}
		for row := range c.n {
			if c.tree[i*c.batch+row] >= 0 {
				seen.Path = append(seen.Path, int32(c.positions+row))
			}
		}
		for h := range c.kvHeads {
			kernels.Default().Attention(out[i*cols:(i+1)*cols], q[i*cols:(i+1)*cols], &kv, h*group, group, h, seen, scale, &scratch)
		}
	}
	return out
}

func (s *suite) attention() {
	s.need(npu.Attention)
	const heads, kvHeads, dim, positions, scale = 6, 2, 32, 96, 0.2
	s.each(func(batch, n int) {
		c := s.newSurroundings(n, batch, heads, kvHeads, dim, positions)
		q, k, v := s.normal(n*heads*dim), s.normal(n*kvHeads*dim), s.normal(n*kvHeads*dim)
		cache := npu.Operand{Kind: npu.Cache, Rows: positions, Cols: kvHeads * dim}
		p := s.single(batch, npu.Step{Op: npu.Attention, Heads: heads, KVHeads: kvHeads, Scale: scale},
			rows(heads*dim), cache, cache, rows(kvHeads*dim), rows(kvHeads*dim), rows(positions), rows(0), rows(heads*dim))
		out := s.output(batch, heads*dim)
		s.run(p, n, s.padded(q, batch, heads*dim), put(s, c.keys), put(s, c.values), s.padded(k, batch, kvHeads*dim),
			s.padded(v, batch, kvHeads*dim), s.padded(c.past, batch, positions), s.padded(c.tree, batch, batch), out)
		s.near(fmt.Sprintf("%d rows of %d", n, batch), s.result(out, len(q)), c.attend(q, k, v, scale), stepTolerance)
	})
}

// block computes a whole transformer block in one program and compares it with its steps on the CPU.
func (s *suite) block() {
	s.need(npu.MatMul, npu.RMSNorm, npu.RoPE, npu.SiLUMul, npu.Add, npu.Attention)
	const width, heads, kvHeads, dim, ffn, positions = 256, 4, 2, 64, 512, 64
	d := s.caps.Weights[0]
	shape := npu.BlockShape{
		Width: width, Heads: heads, KVHeads: kvHeads, HeadDim: dim, FFN: ffn, Positions: positions, QKNorm: true, Eps: 1e-5,
		Scale: 0.125, Weights: d,
	}
	g := npu.Block(shape)
	s.each(func(batch, n int) {
		p := s.compile(g, batch)
		c := s.newSurroundings(n, batch, heads, kvHeads, dim, positions)
		x, cos, sin := s.normal(n*width), s.normal(n*dim/2), s.normal(n*dim/2)
		b := make([]npu.Binding, len(g.Operands))
		matrices, gains := map[string]tensor.Packed{}, map[string][]float32{}
		for i, o := range g.Operands {
			switch {
			case g.Temporary(i):
			case o.Kind == npu.Weights:
				matrices[o.Name] = s.matrix(d, o.Rows, o.Cols)
				b[i].Parts = []tensor.Packed{matrices[o.Name]}
			case o.Kind == npu.Vector:
				gains[o.Name] = s.normal(o.Cols)
				b[i] = put(s, gains[o.Name])
			}
		}
		bind := func(name string, with npu.Binding) { b[g.Operand(name)] = with }
		bind("x", s.padded(x, batch, width))
		bind("cos", s.padded(cos, batch, dim/2))
		bind("sin", s.padded(sin, batch, dim/2))
		bind("past", s.padded(c.past, batch, positions))
		bind("tree", s.padded(c.tree, batch, batch))
		bind("k_cache", put(s, c.keys))
		bind("v_cache", put(s, c.values))
		for _, name := range []string{"k", "v", "y"} {
			bind(name, s.output(batch, g.Operands[g.Operand(name)].Cols))
		}
		s.run(p, n, b...)

		norm := norms(x, gains["attn_norm"], shape.Eps)
		q := turned(norms(product(matrices["W_q"], norm, n), gains["q_norm"], shape.Eps), cos, sin, n, heads, dim)
		k := turned(norms(product(matrices["W_k"], norm, n), gains["k_norm"], shape.Eps), cos, sin, n, kvHeads, dim)
		v := product(matrices["W_v"], norm, n)
		y := append([]float32(nil), x...)
		kernels.Default().Add(y, product(matrices["W_o"], c.attend(q, k, v, shape.Scale), n))
		norm = norms(y, gains["mlp_norm"], shape.Eps)
		gate := product(matrices["W_gate"], norm, n)
		kernels.Default().SiLUMul(gate, gate, product(matrices["W_up"], norm, n))
		kernels.Default().Add(y, product(matrices["W_down"], gate, n))
		for name, want := range map[string][]float32{"k": k, "v": v, "y": y} {
			s.near(fmt.Sprintf("%s, %d rows of %d", name, n, batch), s.result(b[g.Operand(name)], len(want)), want, 2*matMulTolerance)
		}
	})
}
