package nputest

import (
	"context"
	"errors"
	"fmt"
	"math"
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
	if c.Device == "" || len(c.Weights) == 0 {
		s.Errorf("nameless, or without types of weights: %+v", c)
	}
	if c.Alignment < 1 || c.Alignment&(c.Alignment-1) != 0 {
		s.Errorf("alignment %d", c.Alignment)
	}
	if !slices.IsSorted(c.Batches) || len(c.Batches) > 0 && c.Batches[0] < 1 {
		s.Errorf("batches %v", c.Batches)
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
}

// wrongProducts compiles what must be refused.
func (s *suite) wrongProducts() {
	batch, d := s.caps.Batch(1), s.caps.Weights[0]
	good := npu.Product{Type: d, Rows: 16, Cols: 256}
	for _, wrong := range []npu.Product{
		{}, {Type: d, Rows: 0, Cols: 256}, {Type: d, Rows: 16, Cols: 0}, {Type: d, Rows: -16, Cols: 256}, {Type: tensor.F32, Rows: 16, Cols: 256},
		{Type: tensor.Q8_0, Rows: 16, Cols: 80},
	} {
		if p, err := s.d.Compile(wrong, batch); err == nil {
			s.Errorf("%+v: no error", wrong)
			s.must(p.Close())
		}
	}
	for d := range tensor.DType(math.MaxUint8) {
		if s.caps.Takes(d) || !tensor.Packable(d) {
			continue
		}
		if _, err := s.d.Compile(npu.Product{Type: d, Rows: 16, Cols: 256}, batch); !errors.Is(err, npu.ErrUnsupported) {
			s.Errorf("weights of type %v, which the device does not take: %v", d, err)
		}
	}
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

// anyProduct compiles a small product for a batch of at least rows rows, and returns operands for it.
func (s *suite) anyProduct(rows int) (p npu.Program, batch int, o npu.Operands) {
	batch = s.caps.Batch(rows)
	w := s.matrix(s.caps.Weights[0], 32, 256)
	p = s.compile(w.Type, w.Rows, w.Cols, batch)
	return p, batch, npu.Operands{W: w, X: s.padded(s.normal(batch*256), batch, 256), Y: s.output(batch, 32)}
}

// wrongSubmits submits what must be refused, and then what must not.
func (s *suite) wrongSubmits() {
	p, batch, good := s.anyProduct(2)
	for name, change := range map[string]func(o *npu.Operands) (rows int){
		"no rows":                  func(*npu.Operands) int { return 0 },
		"too many rows":            func(*npu.Operands) int { return batch + 1 },
		"no input":                 func(o *npu.Operands) int { o.X = nil; return 1 },
		"no output":                func(o *npu.Operands) int { o.Y = nil; return 1 },
		"an offset outside":        func(o *npu.Operands) int { o.XOffset = 4096 * 4096; return 1 },
		"an output that is small":  func(o *npu.Operands) int { o.Y = s.alloc(4); return 1 },
		"no weights":               func(o *npu.Operands) int { o.W = tensor.Packed{}; return 1 },
		"half the weights":         func(o *npu.Operands) int { o.W = o.W.Slice(0, 16); return 1 },
		"weights that are cut off": func(o *npu.Operands) int { o.W.Data = o.W.Data[1:]; return 1 },
	} {
		o := good
		rows := change(&o)
		if _, err := p.Submit(context.Background(), rows, o); err == nil {
			s.Errorf("%s: no error", name)
		}
	}
	s.run(p, 1, good)
}

// inFlight submits many programs before it waits for any, more than queues hold, and waits in another order.
func (s *suite) inFlight() {
	const n = 24
	p, batch, o := s.anyProduct(1)
	want := product(o.W, floats(o.X, 256), 1)
	events, outs := make([]npu.Event, n), make([]npu.Buffer, n)
	for i := range n {
		outs[i] = s.output(batch, 32)
		o.Y = outs[i]
		e, err := p.Submit(context.Background(), 1, o)
		s.must(err)
		events[i] = e
	}
	for _, i := range s.rng.Perm(n) {
		s.must(events[i].Wait(context.Background()))
		s.must(events[i].Wait(context.Background()))
	}
	for i := range n {
		s.near(fmt.Sprintf("submit %d", i), s.result(outs[i], 32), want)
	}
}

// cancelled waits with a context that is done; the program goes on.
func (s *suite) cancelled() {
	p, _, o := s.anyProduct(1)
	want := product(o.W, floats(o.X, 256), 1)
	done, cancel := context.WithCancel(context.Background())
	cancel()
	e, err := p.Submit(context.Background(), 1, o)
	s.must(err)
	if err := e.Wait(done); err != nil && !errors.Is(err, context.Canceled) {
		s.Errorf("a wait whose context is done: %v", err)
	}
	s.must(e.Wait(context.Background()))
	s.near("the result", s.result(o.Y, 32), want)
	if e, err := p.Submit(done, 1, o); err == nil {
		s.must(e.Wait(context.Background()))
	} else if !errors.Is(err, context.Canceled) {
		s.Errorf("a submit whose context is done: %v", err)
	}
}

// close ends the session; nothing can be done with it any more, and nothing breaks.
func (s *suite) close() {
	p, _, o := s.anyProduct(1)
	s.run(p, 1, o)
	s.end()
	s.must(s.d.Close())
	if _, err := p.Submit(context.Background(), 1, o); err == nil {
		s.Error("a submit to a closed device succeeds")
	}
	s.programs, s.allocated = nil, nil
}
