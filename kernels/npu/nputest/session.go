package nputest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

// capabilities checks that they make sense and stay the same.
func (s *suite) capabilities() {
	c := s.caps
	again := s.d.Capabilities()
	if fmt.Sprint(c) != fmt.Sprint(again) {
		s.Errorf("%+v, then %+v", c, again)
	}
	if c.Device == "" || len(c.Ops) == 0 {
		s.Errorf("nameless, or without operations: %+v", c)
	}
	if c.Alignment < 1 || c.Alignment&(c.Alignment-1) != 0 || c.Queue < 1 {
		s.Errorf("alignment %d, queue %d", c.Alignment, c.Queue)
	}
	if !slices.IsSorted(c.Batches) || len(c.Batches) > 0 && c.Batches[0] < 1 {
		s.Errorf("batches %v", c.Batches)
	}
	if c.Has(npu.MatMul) && len(c.Weights) == 0 {
		s.Error("multiplies with no type")
	}
	if k, ok := s.d.(npu.Coster); ok {
		costs := k.Costs()
		s.must(costs.Check())
	}
}

// buffers writes to buffers and frees them.
func (s *suite) buffers() {
	for _, size := range []int{1, 100, 4096, 1<<20 + 4} {
		b := s.alloc(size)
		mem := b.Bytes()
		if len(mem) != size {
			s.Fatalf("%d bytes of %d", len(mem), size)
		}
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(mem))); at%uintptr(s.caps.Alignment) != 0 {
			s.Fatalf("a buffer at %#x is not aligned to %d", at, s.caps.Alignment)
		}
		for i, v := range mem {
			if v != 0 {
				s.Fatalf("byte %d of a new buffer is %d", i, v)
			}
			mem[i] = byte(i)
		}
		s.must(b.Flush(0, size))
		s.must(b.Invalidate(0, size))
		for i, v := range b.Bytes() {
			if v != byte(i) {
				s.Fatalf("byte %d is %d after a flush", i, v)
			}
		}
		if b.Flush(0, size+1) == nil || b.Invalidate(-1, 0) == nil {
			s.Error("no error for bytes outside a buffer")
		}
		s.must(b.Free())
		s.must(b.Free())
	}
	if _, err := s.d.Alloc(0); err == nil {
		s.Error("a buffer of no bytes")
	}
	if n := s.caps.MaxBuffer; n > 0 {
		if _, err := s.d.Alloc(int(n) + 1); !errors.Is(err, npu.ErrUnsupported) && !errors.Is(err, npu.ErrOutOfMemory) {
			s.Errorf("a buffer larger than the largest: %v", err)
		}
	}
}

// wrongGraphs compiles what must be refused.
func (s *suite) wrongGraphs() {
	batch := s.caps.Batch(1)
	good := npu.Projection(tensor.Q8_0, 16, 64)
	for name, change := range map[string]func(*npu.Graph){
		"no outputs":          func(g *npu.Graph) { g.Outputs = nil },
		"an output unwritten": func(g *npu.Graph) { g.Outputs = []int{1} },
		"a missing operand":   func(g *npu.Graph) { g.Steps[0].Args = []int{0, 7} },
		"a wrong kind":        func(g *npu.Graph) { g.Steps[0].Args = []int{1, 1} },
		"a wrong shape":       func(g *npu.Graph) { g.Operands[1].Cols = 96 },
		"half a block":        func(g *npu.Graph) { g.Operands[0].Cols, g.Operands[1].Cols = 80, 80 },
		"too few arguments":   func(g *npu.Graph) { g.Steps[0].Args = []int{0} },
		"in place":            func(g *npu.Graph) { g.Operands[1].Cols = 64; g.Steps[0].Out = 1 },
		"no such operation":   func(g *npu.Graph) { g.Steps[0].Op = 200 },
	} {
		g := npu.Graph{Operands: slices.Clone(good.Operands), Steps: slices.Clone(good.Steps), Outputs: good.Outputs}
		change(&g)
		if p, err := s.d.Compile(g, batch); err == nil {
			s.Errorf("%s: no error", name)
			s.must(p.Close())
		}
	}
	for _, d := range []tensor.DType{tensor.F16, tensor.Q4_0, tensor.Q8_0, tensor.Q4_K, tensor.Q6_K} {
		if s.caps.Takes(d) {
			continue
		}
		if _, err := s.d.Compile(npu.Projection(d, 16, 256), batch); !errors.Is(err, npu.ErrUnsupported) {
			s.Errorf("weights of type %v, which the device does not take: %v", d, err)
		}
	}
	if s.caps.Takes(tensor.Q8_0) {
		for _, batch := range []int{0, -1} {
			if _, err := s.d.Compile(good, batch); err == nil {
				s.Errorf("no error for a batch of %d", batch)
			}
		}
		if n := len(s.caps.Batches); n > 0 {
			if _, err := s.d.Compile(good, s.caps.Batches[n-1]+1); !errors.Is(err, npu.ErrUnsupported) {
				s.Errorf("a batch larger than the largest: %v", err)
			}
		}
	}
}

// anyProjection compiles a small product for a batch of at least rows rows, and returns bindings for it.
func (s *suite) anyProjection(rows int) (p npu.Program, batch int, w tensor.Packed, b []npu.Binding) {
	s.need(npu.MatMul)
	d := s.caps.Weights[0]
	batch = s.caps.Batch(rows)
	w = s.matrix(d, 32, 256)
	p = s.compile(npu.Projection(d, 32, 256), batch)
	return p, batch, w, []npu.Binding{{Parts: []tensor.Packed{w}}, s.padded(s.normal(batch*256), batch, 256), s.output(batch, 32)}
}

// wrongSubmits submits what must be refused, and then what must not.
func (s *suite) wrongSubmits() {
	p, batch, w, good := s.anyProjection(2)
	for name, change := range map[string]func(b []npu.Binding) (rows int, bindings []npu.Binding){
		"no rows":           func(b []npu.Binding) (int, []npu.Binding) { return 0, b },
		"too many rows":     func(b []npu.Binding) (int, []npu.Binding) { return batch + 1, b },
		"too few bindings":  func(b []npu.Binding) (int, []npu.Binding) { return 1, b[:2] },
		"no buffer":         func(b []npu.Binding) (int, []npu.Binding) { b[1].Buffer = nil; return 1, b },
		"an offset outside": func(b []npu.Binding) (int, []npu.Binding) { b[1].Offset = 4096 * 4096; return 1, b },
		"no weights":        func(b []npu.Binding) (int, []npu.Binding) { b[0].Parts = nil; return 1, b },
		"half the weights": func(b []npu.Binding) (int, []npu.Binding) {
			b[0].Parts = []tensor.Packed{w.Slice(0, 16)}
			return 1, b
		},
		"weights out of order": func(b []npu.Binding) (int, []npu.Binding) {
			b[0].Parts = []tensor.Packed{w.Slice(16, 32), w.Slice(0, 16)}
			return 1, b
		},
		"weights that are cut off": func(b []npu.Binding) (int, []npu.Binding) {
			short := w
			short.Data = w.Data[1:]
			b[0].Parts = []tensor.Packed{short}
			return 1, b
		},
	} {
		rows, b := change(slices.Clone(good))
		if _, err := p.Submit(context.Background(), rows, b); err == nil {
			s.Errorf("%s: no error", name)
		}
	}
	s.run(p, 1, good...)
}

// inFlight submits many programs before it waits for any, more than the queue holds, and waits in another order.
func (s *suite) inFlight() {
	const n = 24
	p, batch, w, b := s.anyProjection(1)
	x := view[float32](b[1].Buffer, 256)
	want := product(w, x, 1)
	events, outs := make([]npu.Event, n), make([]npu.Binding, n)
	for i := range n {
		outs[i] = s.output(batch, 32)
		e, err := p.Submit(context.Background(), 1, []npu.Binding{b[0], b[1], outs[i]})
		s.must(err)
		events[i] = e
	}
	for _, i := range s.rng.Perm(n) {
		s.must(events[i].Wait(context.Background()))
		s.must(events[i].Wait(context.Background()))
	}
	for i := range n {
		s.near(fmt.Sprintf("submit %d", i), s.result(outs[i], 32), want, matMulTolerance)
	}
}

// cancelled waits with a context that is done; the program goes on.
func (s *suite) cancelled() {
	p, _, w, b := s.anyProjection(1)
	want := product(w, view[float32](b[1].Buffer, 256), 1)
	done, cancel := context.WithCancel(context.Background())
	cancel()
	e, err := p.Submit(context.Background(), 1, b)
	s.must(err)
	if err := e.Wait(done); err != nil && !errors.Is(err, context.Canceled) {
		s.Errorf("a wait whose context is done: %v", err)
	}
	s.must(e.Wait(context.Background()))
	s.near("the result", s.result(b[2], 32), want, matMulTolerance)
	if e, err := p.Submit(done, 1, b); err == nil {
		s.must(e.Wait(context.Background()))
	} else if !errors.Is(err, context.Canceled) {
		s.Errorf("a submit whose context is done: %v", err)
	}
}

// close ends the session; nothing can be done with it any more, and nothing breaks.
func (s *suite) close() {
	p, _, _, b := s.anyProjection(1)
	s.run(p, 1, b...)
	s.end()
	s.must(s.d.Close())
	if _, err := p.Submit(context.Background(), 1, b); err == nil {
		s.Error("a submit to a closed device succeeds")
	}
	s.programs, s.allocated = nil, nil
}
