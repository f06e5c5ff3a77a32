package offload

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

// inFlight is the number of submits under way: one that the device computes, one that waits for it, one that is being prepared.
const inFlight = 3

// Queue submits the products of one consumer. Its methods are called by one goroutine.
type Queue struct {
	engine *Engine
	blocks Place // of projections inside blocks
	head   Place // and of the output head
	mixed  bool  // rows may be computed on any engine

	// The input of the products to come.
	rows    []float32 // borrowed, [n][k]
	n, k    int
	buffer  npu.Buffer // holds them, once written
	written bool
	seen    bool // the device has read them

	slots   chan *slot
	jobs    chan job
	stopped chan struct{}
	pending sync.WaitGroup

	// Of what falls back: here, and on the goroutine that waits.
	submitting, waiting fallback
	closed              bool
}

// slot is the memory of one submit.
type slot struct {
	output   npu.Buffer
	bindings [3]npu.Binding
	parts    [1]tensor.Packed
}

// job is a submit under way.
type job struct {
	chunk
	event npu.Event
	slot  *slot
	done  func() // releases the part; nil: nobody waits for that
	began time.Time
}

// chunk is the product of some of the input's rows with a part of a matrix.
type chunk struct {
	dst  []float32
	ldd  int
	x    []float32 // [n][k]
	n, k int
	part tensor.Packed
}

// QueueOptions describe a [Queue]. The zero value computes each product where that takes less time.
type QueueOptions struct {
	Blocks, Head Place // of projections inside blocks, and of the output head
	// Loose says that results only guess at text, as a draft model's do, so that they may be rounded in any way.
	Loose bool
	// Kernels computes what the device fails at; nil: the default set.
	Kernels *kernels.Set
}

// NewQueue returns a queue, which is closed in the end. It is a [github.com/lever-go/lever/layers.Device].
func (e *Engine) NewQueue(o QueueOptions) *Queue {
	if o.Kernels == nil {
		o.Kernels = kernels.Default()
	}
	q := &Queue{
		engine: e, blocks: o.Blocks, head: o.Head,
		slots: make(chan *slot, inFlight), jobs: make(chan job, inFlight), stopped: make(chan struct{}),
		submitting: newFallback(o.Kernels), waiting: newFallback(o.Kernels),
	}
	for range inFlight {
		q.slots <- &slot{}
	}
	q.mixed = o.Loose || e.caps.Rounding == npu.RoundingExact
	e.mu.Lock()
	e.queues++
	e.mu.Unlock()
	go q.wait()
	return q
}

// Close frees the queue's memory. Errors are for [Engine.Close] to tell. Closing again does nothing.
func (q *Queue) Close() {
	if q.closed {
		return
	}
	q.closed = true
	close(q.jobs)
	<-q.stopped
	var errs []error
	if q.buffer != nil {
		errs = append(errs, q.buffer.Free())
	}
	for range inFlight {
		if s := <-q.slots; s.output != nil {
			errs = append(errs, s.output.Free())
		}
	}
	q.engine.mu.Lock()
	defer q.engine.mu.Unlock()
	q.engine.queues--
	q.engine.closing = errors.Join(append(errs, q.engine.closing)...)
}

// SetInput makes x, n rows of k columns, the rows of the products to come. It is borrowed until they are finished.
func (q *Queue) SetInput(x []float32, n, k int) {
	q.rows, q.n, q.k, q.written, q.seen = x[:n*k], n, k, false, false
}

// Takes reports whether the device is to compute a group of products of n rows with weights of one type and so many bytes, those
// of the output head or of a block. Where that was wanted in any case, and it can't, it counts as a fallback.
func (q *Queue) Takes(head bool, d tensor.DType, bytes, n int) bool {
	e, place := q.engine, q.blocks
	if head {
		place = q.head
	}
	if place == Auto && !q.mixed {
		place = e.fixed()
	}
	switch known := e.costs.Known(d); {
	case place == CPU:
		return false
	case !known:
		if place == NPU {
			e.failed(npu.ErrUnsupported)
		}
		return false
	case place == Auto:
		place, _ = e.costs.Times(d, bytes, n).Best()
	}
	return place == NPU && e.ready()
}

// Multiply starts the product of the input's rows with a part of a matrix; dst and ldd are those of [kernels.MatMul]. release, if not nil,
// is called when the part is no longer used, by another goroutine; without it the caller keeps the part until [Queue.Finish]. Where the device
// does not take the product, Multiply returns false, and has called release: the caller computes it.
func (q *Queue) Multiply(dst []float32, ldd int, p tensor.Packed, release func()) bool {
	largest := q.engine.caps.Batch(q.n)
	if chunks := (q.n + largest - 1) / largest; chunks > 1 && release != nil {
		release = lastOf(chunks, release)
	}
	first := !q.seen
	for from := 0; from < q.n; from += largest {
		n := min(largest, q.n-from)
		c := chunk{dst[from*ldd:], ldd, q.rows[from*q.k : (from+n)*q.k], n, q.k, p}
		err := q.submit(c, 4*from*q.k, first, release)
		if err == nil {
			continue
		}
		q.engine.failed(err)
		if from == 0 && n == q.n {
			call(release)
			return false
		}
		q.submitting.compute(&c)
		call(release)
	}
	q.seen = true
	return true
}

// submit starts the product of one chunk, whose rows begin at an offset of the input buffer.
func (q *Queue) submit(c chunk, offset int, first bool, release func()) error {
	e := q.engine
	if offset%e.caps.Alignment != 0 {
		return npu.ErrUnsupported
	}
	batch := e.caps.Batch(c.n)
	p, err := e.program(shape{c.part.Type, c.part.Rows, c.part.Cols, batch})
	if err != nil {
		return err
	}
	if err := q.write(); err != nil {
		return err
	}
	s := <-q.slots
	if s.output, err = e.grown(s.output, 4*batch*c.part.Rows); err != nil {
		q.slots <- s
		return err
	}
	s.parts[0] = c.part
	s.bindings = [3]npu.Binding{{Parts: s.parts[:]}, {Buffer: q.buffer, Offset: offset, Unchanged: !first}, {Buffer: s.output}}
	began := time.Now()
	// What is under way here always ends, so Submit need not be interrupted.
	event, err := p.Submit(context.Background(), c.n, s.bindings[:])
	if err != nil {
		q.slots <- s
		return err
	}
	q.pending.Add(1)
	q.jobs <- job{c, event, s, release, began}
	return nil
}

// write copies the rows to the device, unless they are there.
func (q *Queue) write() (err error) {
	if q.written {
		return nil
	}
	q.Finish() // the buffer is no longer in use
	largest := q.engine.caps.Batch(q.n)
	whole := (q.n - 1) / largest * largest
	padded := whole + q.engine.caps.Batch(q.n-whole)
	if q.buffer, err = q.engine.grown(q.buffer, 4*padded*q.k); err != nil {
		return err
	}
	copy(floats(q.buffer), q.rows)
	if err := q.buffer.Flush(0, 4*len(q.rows)); err != nil {
		return err
	}
	q.written = true
	return nil
}

// grown returns a buffer of at least n bytes: b, or a new one in its place.
func (e *Engine) grown(b npu.Buffer, n int) (npu.Buffer, error) {
	if b != nil && len(b.Bytes()) >= n {
		return b, nil
	}
	if b != nil {
		if err := b.Free(); err != nil {
			return nil, err
		}
	}
	b, err := e.device.Alloc(n)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Finish returns when all products are computed, on one engine or the other.
func (q *Queue) Finish() { q.pending.Wait() }

// wait ends what is under way, in order.
func (q *Queue) wait() {
	defer close(q.stopped)
	for j := range q.jobs {
		if err := j.finish(); err != nil {
			q.engine.failed(err)
			q.waiting.compute(&j.chunk)
		} else {
			q.engine.computed(j.n, j.began)
		}
		call(j.done)
		q.slots <- j.slot
		q.pending.Done()
	}
}

// finish waits for the device and copies the result.
func (j *job) finish() error {
	if err := j.event.Wait(context.Background()); err != nil {
		return err
	}
	rows := j.part.Rows
	if err := j.slot.output.Invalidate(0, 4*j.n*rows); err != nil {
		return err
	}
	out := floats(j.slot.output)
	for i := range j.n {
		copy(j.dst[i*j.ldd+j.part.Row:][:rows], out[i*rows:])
	}
	return nil
}

// fallback computes on the CPU, on the calling goroutine alone.
type fallback struct {
	pool *kernels.Pool // of one worker
	in   kernels.Input
}

func newFallback(set *kernels.Set) fallback {
	f := fallback{pool: kernels.NewPool(1)}
	f.pool.Use(set)
	return f
}

func (f *fallback) compute(c *chunk) {
	f.in.Reset(c.x, c.n, c.k)
	kernels.MatMul(f.pool, c.dst, c.ldd, c.part, &f.in)
}

// floats returns a buffer's memory as numbers.
func floats(b npu.Buffer) []float32 {
	mem := b.Bytes()
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(mem))), len(mem)/4)
}

// call calls f if there is one.
func call(f func()) {
	if f != nil {
		f()
	}
}

// lastOf returns a function that calls f when it is called for the n-th time.
func lastOf(n int, f func()) func() {
	var left atomic.Int32
	left.Store(int32(n))
	return func() {
		if left.Add(-1) == 0 {
			f()
		}
	}
}
