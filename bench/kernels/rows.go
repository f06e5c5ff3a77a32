package kernels

import (
	"fmt"
	"time"

	"github.com/lever-go/lever/bench/inflate"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// rowOperation is an operation on rows of a model, which one thread computes in its caches.
type rowOperation struct {
	name   string
	weight tensor.DType // that it decodes or quantises for; Invalid: none
	rows   int
	elems  int              // of a row
	bytes  int              // that an element of a row reads and writes; if zero, see size
	run    func(v *vectors) // once
	less   func(v *vectors) // takes time within run that does not count; if nil, nothing does
}

// size returns the bytes that are read and written.
func (op rowOperation) size() int {
	if op.weight == tensor.Invalid {
		return op.rows * op.elems * op.bytes
	}
	return op.rows*op.elems*op.bytes + op.rows*op.weight.RowBytes(op.elems)
}

// vectors are what operations compute with, as long as the operation's rows, so that they lie in the caches.
type vectors struct {
	dst, x, y []float32
	signs     []float32 // ±1
	cos, sin  []float32 // of one angle
	half      []uint16
	ids       []int32
	values    []float32
	tile      tensor.Packed // of the operation's weights
	in        kernels.Input // x, quantised
	alone     *kernels.Pool // of one worker, with the set that is measured
}

const (
	topK          = 64
	quantizedRows = 16
)

// rowOperations returns the operations on the rows that a model has.
func (m *meter) rowOperations(s inflate.Shape) []rowOperation {
	rope := func(p kernels.Pairing) func(v *vectors) {
		return func(v *vectors) {
			v.alone.Set().RoPE(v.dst, v.cos[:s.HeadDim/2], v.sin[:s.HeadDim/2], s.Heads, s.HeadDim, p)
		}
	}
	product := func(v *vectors) { kernels.MatMul(v.alone, v.dst, v.tile.Rows, v.tile, &v.in) }
	heads := s.Heads * s.HeadDim
	ops := []rowOperation{
		{name: "rmsnorm", elems: s.Width, bytes: 12, run: func(v *vectors) { v.alone.Set().RMSNorm(v.dst, v.x, v.y, 1e-5) }},
		{name: "rope halves", elems: heads, bytes: 8, run: rope(kernels.PairHalves)},
		{name: "rope adjacent", elems: heads, bytes: 8, run: rope(kernels.PairAdjacent)},
		{name: "silumul", elems: s.FFN, bytes: 12, run: func(v *vectors) { v.alone.Set().SiLUMul(v.dst, v.x, v.y) }},
		{name: "silu", elems: s.FFN, bytes: 8, run: func(v *vectors) { v.alone.Set().SiLU(v.dst, v.x) }},
		{name: "add", elems: s.Width, bytes: 12, run: func(v *vectors) { v.alone.Set().Add(v.dst, v.x) }},
		{name: "mul", elems: s.Width, bytes: 12, run: func(v *vectors) { v.alone.Set().Mul(v.dst, v.signs) }},
		{name: "scale", elems: s.Width, bytes: 8, run: func(v *vectors) { v.alone.Set().Scale(v.dst, 1) }},
		{name: "softmax", elems: s.Vocab, bytes: 8, run: func(v *vectors) { v.alone.Set().Softmax(v.dst) }},
		{name: "argmax", elems: s.Vocab, bytes: 4, run: func(v *vectors) { v.alone.Set().Argmax(v.x) }},
		{name: fmt.Sprint("topk ", topK), elems: s.Vocab, bytes: 4, run: func(v *vectors) { v.alone.Set().TopK(v.ids, v.values, v.x) }},
		{name: "f16tof32", elems: s.Width, bytes: 6, run: func(v *vectors) { v.alone.Set().F16ToF32(v.dst, v.half) }},
		{name: "f32tof16", elems: s.Width, bytes: 6, run: func(v *vectors) { v.alone.Set().F32ToF16(v.half, v.x) }},
		{name: "bf16tof32", elems: s.Width, bytes: 6, run: func(v *vectors) { v.alone.Set().BF16ToF32(v.dst, v.half) }},
		{name: "f32tobf16", elems: s.Width, bytes: 6, run: func(v *vectors) { v.alone.Set().F32ToBF16(v.half, v.x) }},
	}
	for i := range ops {
		ops[i].rows = 1
	}
	for _, d := range types {
		if s.Width%d.BlockElems() != 0 {
			continue
		}
		ops = append(ops, rowOperation{name: "dequantizerow", weight: d, rows: 1, elems: s.Width, bytes: 4, run: func(v *vectors) { v.alone.Set().DequantizeRow(v.dst, v.tile, 5) }})
		if d.Quantized() {
			ops = append(ops, rowOperation{name: "quantize", weight: d, rows: quantizedRows, elems: s.Width, bytes: 5, less: product, run: func(v *vectors) {
				v.in.Reset(v.x, quantizedRows, s.Width)
				product(v)
			}})
		}
	}
	return ops
}

// newVectors returns numbers for an operation.
func (m *meter) newVectors(op rowOperation) *vectors {
	n := op.rows * op.elems
	v := &vectors{alone: kernels.NewPool(1), dst: m.normal(n), x: m.normal(n), y: m.normal(n), signs: make([]float32, n), cos: make([]float32, n), sin: make([]float32, n)}
	for i := range n {
		v.cos[i], v.sin[i], v.signs[i] = 0.6, 0.8, 1-2*float32(i%2)
	}
	v.half, v.ids, v.values = make([]uint16, n), make([]int32, topK), make([]float32, topK)
	kernels.Default().F32ToF16(v.half, v.x)
	if d := op.weight; d != tensor.Invalid {
		v.tile = tensor.Packed{Type: d, Rows: tensor.TileRows, Cols: op.elems, Data: make([]byte, tensor.TileBytes(d, op.elems))}
		m.fill(v.tile.Data)
		v.in.Reset(v.x, op.rows, op.elems)
	}
	return v
}

// rows measures the operations on rows.
func (m *meter) rows() error {
	for _, s := range m.Models {
		for _, op := range m.rowOperations(s) {
			v := m.newVectors(op)
			bound, err := m.moving(op.size())
			if err != nil {
				return err
			}
			err = m.eachSet(func(set string, _ *Peak) error {
				v.alone.Use(m.pool.Set())
				r := Result{Kernels: set, Model: s.Name, Op: op.name, Shape: fmt.Sprint(op.elems), Rows: op.rows, Bytes: op.size(), Bound: byMoving}
				if op.weight != tensor.Invalid {
					r.Type = op.weight.String()
					v.in.Reset(v.x, op.rows, op.elems) // for the form of this set
				}
				r.Seconds = m.seconds(func() { op.run(v) })
				if op.less != nil {
					r.Seconds = max(r.Seconds-m.seconds(func() { op.less(v) }), time.Nanosecond.Seconds())
				}
				r.Share = bound / r.Seconds
				m.add(r)
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// moving returns the seconds in which one thread reads and writes so many bytes in the caches: those of a copy or, if it is faster, of an addition
// by the last of the sets.
func (m *meter) moving(bytes int) (float64, error) {
	set, err := kernels.Named(m.Kernels[len(m.Kernels)-1])
	if err != nil {
		return 0, err
	}
	from, to := make([]byte, bytes/2), make([]byte, bytes/2)
	m.fill(from)
	x, y := m.normal(bytes/12), m.normal(bytes/12)
	return min(m.seconds(func() { copy(to, from) }), m.seconds(func() { set.Add(y, x) })), nil
}
