package host

import (
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
)

// computer runs programs, one at a time.
type computer struct {
	input   kernels.Input
	from    *float32 // rows that input holds, and how many; nil: none that may be used again
	rows    int
	scratch kernels.AttentionScratch
	path    []int32

	e *event
}

// compute runs one program.
func (c *computer) compute(e *event) {
	c.e = e
	for i := range e.program.graph.Steps {
		c.step(&e.program.graph.Steps[i])
	}
	c.e = nil
}

// values returns the rows or the vector of an operand.
func (c *computer) values(operand int) []float32 {
	o := &c.e.program.graph.Operands[operand]
	cols, rows := o.Cols, c.e.rows
	switch {
	case o.Kind == npu.Vector:
		rows = 1
	case cols == 0:
		cols = c.e.program.batch
	}
	if t := c.e.program.temporary[operand]; t != nil {
		return t[:rows*cols]
	}
	return floats(c.e.bindings[operand], rows*cols)
}

func (c *computer) step(s *npu.Step) {
	out := c.values(s.Out)
	cols := len(out) / c.e.rows
	switch s.Op {
	case npu.MatMul:
		c.multiply(out, cols, s.Args)
	case npu.RMSNorm:
		x, gain := c.values(s.Args[0]), c.values(s.Args[1])
		for i := 0; i < len(x); i += len(gain) {
			kernels.Default().RMSNorm(out[i:i+len(gain)], x[i:i+len(gain)], gain, s.Eps)
		}
	case npu.RoPE:
		copy(out, c.values(s.Args[0]))
		cos, sin := c.values(s.Args[1]), c.values(s.Args[2])
		dim := cols / s.Heads
		for i := range c.e.rows {
			kernels.Default().RoPE(out[i*cols:(i+1)*cols], cos[i*dim/2:(i+1)*dim/2], sin[i*dim/2:(i+1)*dim/2], s.Heads, dim, kernels.PairHalves)
		}
	case npu.SiLUMul:
		kernels.Default().SiLUMul(out, c.values(s.Args[0]), c.values(s.Args[1]))
	case npu.Add:
		copy(out, c.values(s.Args[0]))
		kernels.Default().Add(out, c.values(s.Args[1]))
	case npu.Attention:
		c.attend(out, s)
	}
}

// multiply computes W·x, part by part.
func (c *computer) multiply(out []float32, cols int, args []int) {
	x := c.values(args[1])
	from := &x[0]
	if !c.e.bindings[args[1]].Unchanged || c.from != from || c.rows != c.e.rows {
		c.input.Reset(x, c.e.rows, len(x)/c.e.rows)
		c.from, c.rows = from, c.e.rows
	}
	parts := c.e.bindings[args[0]].Parts
	first := parts[0].Row
	for _, p := range parts {
		p.Row -= first
		kernels.MatMul(nil, out, cols, p, &c.input)
	}
}

// attend computes attention over the caches and the batch itself. The keys and values of the batch are put behind those of the
// caches, in pages of their own.
func (c *computer) attend(out []float32, s *npu.Step) {
	g := &c.e.program.graph
	cache := &g.Operands[s.Args[1]]
	dim := cache.Cols / s.KVHeads
	// The caches are one page of so many slots, the batch's rows the beginning of another.
	kv := kernels.KV{HeadDim: dim, KVHeads: s.KVHeads, PageLen: max(cache.Rows, c.e.rows)}
	kv.K = c.pages(s.Args[1], s.Args[3], &kv, cache.Rows)
	kv.V = c.pages(s.Args[2], s.Args[4], &kv, cache.Rows)
	q, past, tree := c.values(s.Args[0]), c.values(s.Args[5]), c.values(s.Args[6])
	cols, group := len(q)/c.e.rows, s.Heads/s.KVHeads
	for i := range c.e.rows {
		c.path = c.path[:0]
		for slot, mask := range past[i*cache.Rows : (i+1)*cache.Rows] {
			if mask >= 0 {
				c.path = append(c.path, int32(slot))
			}
		}
		for row, mask := range tree[i*c.e.program.batch:][:c.e.rows] {
			if mask >= 0 {
				c.path = append(c.path, int32(kv.PageLen+row))
			}
		}
		if len(c.path) == 0 { // against the rules; the result may be anything
			clear(out[i*cols : (i+1)*cols])
			continue
		}
		for h := range s.KVHeads {
			kernels.Default().Attention(out[i*cols:(i+1)*cols], q[i*cols:(i+1)*cols], &kv, h*group, group, h, kernels.Visible{Path: c.path}, s.Scale, &c.scratch)
		}
	}
}

// pages returns a cache and the rows of a batch as pages of the layout of [kernels.KV].
func (c *computer) pages(cache, rows int, kv *kernels.KV, positions int) [][]uint16 {
	x := c.values(rows)
	size := kv.KVHeads * kv.PageLen * kv.HeadDim
	first := halves(c.e.bindings[cache], kv.KVHeads*positions*kv.HeadDim)
	if positions < kv.PageLen {
		page := make([]uint16, size)
		for h := range kv.KVHeads {
			copy(page[h*kv.PageLen*kv.HeadDim:], first[h*positions*kv.HeadDim:(h+1)*positions*kv.HeadDim])
		}
		first = page
	}
	second := make([]uint16, size)
	for i := range c.e.rows {
		for h := range kv.KVHeads {
			at := (h*kv.PageLen + i) * kv.HeadDim
			kernels.Default().F32ToF16(second[at:at+kv.HeadDim], x[(i*kv.KVHeads+h)*kv.HeadDim:][:kv.HeadDim])
		}
	}
	return [][]uint16{first, second}
}
