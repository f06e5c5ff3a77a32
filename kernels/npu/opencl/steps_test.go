package opencl_test

import (
	"math"
	"slices"
	"testing"
	"unsafe"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
)

// put returns a buffer with data.
func put[T float32 | uint16](b *bench, data []T) npu.Binding {
	b.Helper()
	size := len(data) * int(unsafe.Sizeof(data[0]))
	buffer, err := b.d.Alloc(size)
	b.must(err)
	b.Cleanup(func() { b.must(buffer.Free()) })
	copy(unsafe.Slice((*T)(unsafe.Pointer(&buffer.Bytes()[0])), len(data)), data)
	b.must(buffer.Flush(0, size))
	return npu.Binding{Buffer: buffer}
}

// surrounded is rows with what they see: visible lists for each row the positions, then the rows of the batch.
type surrounded struct {
	q, k, v       []float32
	keys, values  []float32
	past, current [][]int
}

const attentionHeads, attentionKVHeads, attentionDim = 4, 2, 32

// attend returns the rows' attention.
func (s *surrounded) attend(b *bench) []float32 {
	b.Helper()
	const q, kv = attentionHeads * attentionDim, attentionKVHeads * attentionDim
	n, positions := len(s.past), len(s.keys)/kv
	g := npu.Graph{
		Operands: []npu.Operand{
			{Cols: q}, {Kind: npu.Cache, Rows: positions, Cols: kv}, {Kind: npu.Cache, Rows: positions, Cols: kv}, {Cols: kv}, {Cols: kv},
			{Cols: positions}, {}, {Cols: q},
		},
		Steps:   []npu.Step{{Op: npu.Attention, Args: []int{0, 1, 2, 3, 4, 5, 6}, Out: 7, Heads: attentionHeads, KVHeads: attentionKVHeads, Scale: 0.2}},
		Outputs: []int{7},
	}
	cache := func(rows []float32) []uint16 { // [positions][kv heads][dim] → [kv heads][positions][dim], as F16
		f16 := make([]uint16, len(rows))
		for p := range positions {
			for h := range attentionKVHeads {
				to := (h*positions + p) * attentionDim
				kernels.Default().F32ToF16(f16[to:to+attentionDim], rows[p*kv+h*attentionDim:][:attentionDim])
			}
		}
		return f16
	}
	mask := func(rows [][]int, cols int) []float32 {
		m := slices.Repeat([]float32{float32(math.Inf(-1))}, len(rows)*cols)
		for i, seen := range rows {
			for _, j := range seen {
				m[i*cols+j] = 0
			}
		}
		return m
	}
	p, err := b.d.Compile(g, n)
	b.must(err)
	out := put(b, make([]float32, n*q))
	e, err := p.Submit(b.Context(), n, []npu.Binding{
		put(b, s.q), put(b, cache(s.keys)), put(b, cache(s.values)), put(b, s.k), put(b, s.v),
		put(b, mask(s.past, positions)), put(b, mask(s.current, n)), out,
	})
	b.must(err)
	b.must(e.Wait(b.Context()))
	b.must(out.Buffer.Invalidate(0, 4*n*q))
	b.must(p.Close())
	return slices.Clone(floats(out.Buffer, n*q))
}

// TestAttentionBatchInvariant computes a path of rows in a batch among others, and one row at a time: the bits are the same, wherever the
// keys and values lie that a row sees, and whatever the others hold.
func TestAttentionBatchInvariant(t *testing.T) {
	const q, kv, positions = attentionHeads * attentionDim, attentionKVHeads * attentionDim, 100
	b := newBench(t, open(t), 4096)
	rng := newRand()
	tree := &surrounded{
		q: normal(rng, 5*q), k: normal(rng, 5*kv), v: normal(rng, 5*kv), keys: normal(rng, positions*kv), values: normal(rng, positions*kv),
		// Rows 0, 2 and 4 are a path; 1 and 3 are in its way and hold nothing but NaN.
		current: [][]int{{0}, {0, 1}, {0, 2}, {0, 1, 3}, {0, 2, 4}},
	}
	var past []int // two of three positions
	for p := range positions - 10 {
		if p%3 != 1 {
			past = append(past, p)
		}
	}
	for _, row := range []int{1, 3} {
		for i := range kv {
			tree.k[row*kv+i], tree.v[row*kv+i] = float32(math.NaN()), float32(math.NaN())
		}
	}
	tree.past = slices.Repeat([][]int{past}, 5)
	got := tree.attend(b)

	// The same path a row at a time, with what has been seen moved to the front of a cache.
	plain := &surrounded{past: [][]int{nil}, current: [][]int{{0}}, keys: make([]float32, positions*kv), values: make([]float32, positions*kv)}
	for i, p := range past {
		copy(plain.keys[i*kv:(i+1)*kv], tree.keys[p*kv:])
		copy(plain.values[i*kv:(i+1)*kv], tree.values[p*kv:])
		plain.past[0] = append(plain.past[0], i)
	}
	for _, row := range []int{0, 2, 4} {
		plain.q, plain.k, plain.v = tree.q[row*q:(row+1)*q], tree.k[row*kv:(row+1)*kv], tree.v[row*kv:(row+1)*kv]
		if alone := plain.attend(b); !slices.Equal(alone, got[row*q:(row+1)*q]) {
			t.Errorf("row %d alone differs", row)
		}
		next := len(plain.past[0])
		copy(plain.keys[next*kv:], plain.k)
		copy(plain.values[next*kv:], plain.v)
		plain.past[0] = append(plain.past[0], next)
	}
}

// TestRMSNormBatchInvariant compares rows alone with the same ones together.
func TestRMSNormBatchInvariant(t *testing.T) {
	b := newBench(t, open(t), 4096)
	rng := newRand()
	const n, width = 7, 300
	x, gain := normal(rng, n*width), normal(rng, width)
	g := npu.Graph{
		Operands: []npu.Operand{{Cols: width}, {Kind: npu.Vector, Cols: width}, {Cols: width}},
		Steps:    []npu.Step{{Op: npu.RMSNorm, Args: []int{0, 1}, Out: 2, Eps: 1e-5}},
		Outputs:  []int{2},
	}
	p, err := b.d.Compile(g, n)
	b.must(err)
	run := func(x []float32) []float32 {
		in, out := put(b, append(slices.Clone(x), make([]float32, n*width-len(x))...)), put(b, make([]float32, n*width))
		e, err := p.Submit(t.Context(), len(x)/width, []npu.Binding{in, put(b, gain), out})
		b.must(err)
		b.must(e.Wait(t.Context()))
		b.must(out.Buffer.Invalidate(0, 4*len(x)))
		return slices.Clone(floats(out.Buffer, len(x)))
	}
	all := run(x)
	for i := range n {
		if !slices.Equal(run(x[i*width:(i+1)*width]), all[i*width:(i+1)*width]) {
			t.Errorf("row %d alone differs", i)
		}
	}
	b.must(p.Close())
}
