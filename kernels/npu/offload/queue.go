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
	scheduler *Scheduler
	blocks    Place // of projections inside blocks
	head      Place // and of the output head
	mixed     bool  // rows may be computed on the CPU and on the device by turns

	// The rows of the products until Finish.
	input   *kernels.Input // borrowed. If it is nil, there are none yet
	buffer  npu.Buffer     // holds the rows, once they are written
	written bool
	seen    bool // the device has got all of them in a submit

	outputs chan npu.Buffer // inFlight buffers, or nil for those that are not allocated
	jobs    chan job
	stopped chan struct{}
	pending sync.WaitGroup

	// Of what falls back: here, and on the goroutine that waits.
	submitting, waiting fallback
	closed              bool
}

// job is a submit under way.
type job struct {
	task
	event  npu.Event
	output npu.Buffer
	done   func() // releases the part, if not nil
	began  time.Time
}

// task is the product of a batch, some of the input's rows, with a part of a matrix.
type task struct {
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
	// Kernels computes what the device fails at. If it is nil, the default set does.
	Kernels *kernels.Set
}

// NewQueue returns a queue, which is closed in the end. It is a [github.com/lever-go/lever/layers.Offloader].
func (s *Scheduler) NewQueue(o QueueOptions) *Queue {
	if o.Kernels == nil {
		o.Kernels = kernels.Default()
	}
	q := &Queue{
		scheduler: s, blocks: o.Blocks, head: o.Head,
		outputs: make(chan npu.Buffer, inFlight), jobs: make(chan job, inFlight), stopped: make(chan struct{}),
		submitting: newFallback(o.Kernels), waiting: newFallback(o.Kernels),
	}
	for range inFlight {
		q.outputs <- nil
	}
	q.mixed = o.Loose || s.caps.Rounding == npu.RoundingExact
	s.mu.Lock()
	s.queues++
	s.mu.Unlock()
	go q.wait()
	return q
}

// Close frees the queue's memory. [Scheduler.Close] returns the errors of that. Closing again does nothing.
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
		if b := <-q.outputs; b != nil {
			errs = append(errs, b.Free())
		}
	}
	s := q.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues--
	s.closing = errors.Join(append(errs, s.closing)...)
}

// Takes reports whether the device is to compute a group of products of n rows with weights of one type and so many bytes, those
// of the output head or of a block. Where that was wanted in any case, and it can't, it counts as a fallback.
func (q *Queue) Takes(head bool, d tensor.DType, bytes, n int) bool {
	s, place := q.scheduler, q.blocks
	if head {
		place = q.head
	}
	if place == Auto && !q.mixed {
		place = s.fixed()
	}
	switch known := s.costs.Known(d); {
	case place == CPU:
		return false
	case !known:
		if place == NPU {
			s.failed(npu.ErrUnsupported)
		}
		return false
	case place == Auto:
		place, _ = s.costs.Times(d, bytes, n).Best()
	}
	return place == NPU && s.ready()
}

// Multiply starts the product of the rows of in with a part of a matrix. The arguments are those of [kernels.MatMul]; the products between two
// calls of Finish have the same in, which is borrowed until then. release, if not nil, is called when the part is no longer used, by another
// goroutine; without it the caller keeps the part until [Queue.Finish]. Where the device does not take the product, Multiply returns false,
// and has called release: the caller computes it.
func (q *Queue) Multiply(dst []float32, ldd int, p tensor.Packed, in *kernels.Input, release func()) bool {
	if q.input == nil {
		q.input, q.written, q.seen = in, false, false
	}
	x, rows, k := in.Rows()
	largest := q.scheduler.caps.Batch(rows)
	if batches := (rows + largest - 1) / largest; batches > 1 && release != nil {
		release = lastOf(batches, release)
	}
	first, submitted := !q.seen, true
	for from := 0; from < rows; from += largest {
		n := min(largest, rows-from)
		t := task{dst[from*ldd:], ldd, x[from*k : (from+n)*k], n, k, p}
		err := q.submit(t, 4*from*k, first, release)
		if err == nil {
			continue
		}
		q.scheduler.failed(err)
		if from == 0 && n == rows {
			call(release)
			return false
		}
		submitted = false
		q.submitting.compute(&t)
		call(release)
	}
	q.seen = q.seen || submitted
	return true
}

// submit starts one task, whose rows begin at an offset of the input buffer.
func (q *Queue) submit(t task, offset int, first bool, release func()) error {
	s := q.scheduler
	if offset%s.caps.Alignment != 0 {
		return npu.ErrUnsupported
	}
	batch := s.caps.Batch(t.n)
	p, err := s.program(key{npu.Product{Type: t.part.Type, Rows: t.part.Rows, Cols: t.part.Cols}, batch})
	if err != nil {
		return err
	}
	if err := q.write(); err != nil {
		return err
	}
	output := <-q.outputs
	if output, err = s.grown(output, 4*batch*t.part.Rows); err != nil {
		q.outputs <- output
		return err
	}
	began := time.Now()
	// What is under way here always ends, so Submit need not be interrupted.
	event, err := p.Submit(context.Background(), t.n, npu.Operands{W: t.part, X: q.buffer, XOffset: offset, XUnchanged: !first, Y: output})
	if err != nil {
		q.outputs <- output
		return err
	}
	q.pending.Add(1)
	q.jobs <- job{t, event, output, release, began}
	return nil
}

// write copies the rows to the device, unless they are there.
func (q *Queue) write() (err error) {
	if q.written {
		return nil
	}
	q.pending.Wait() // the buffer is no longer in use
	x, n, k := q.input.Rows()
	s := q.scheduler
	largest := s.caps.Batch(n)
	whole := (n - 1) / largest * largest
	padded := whole + s.caps.Batch(n-whole)
	if q.buffer, err = s.grown(q.buffer, 4*padded*k); err != nil {
		return err
	}
	copy(floats(q.buffer), x[:n*k])
	if err := q.buffer.Flush(0, 4*n*k); err != nil {
		return err
	}
	q.written = true
	return nil
}

// grown returns a buffer of at least n bytes: b, or a new one in its place.
func (s *Scheduler) grown(b npu.Buffer, n int) (npu.Buffer, error) {
	if b != nil && len(b.Bytes()) >= n {
		return b, nil
	}
	if b != nil {
		if err := b.Free(); err != nil {
			return nil, err
		}
	}
	b, err := s.device.Alloc(n)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Finish returns when all products are computed, on the device or on the CPU.
func (q *Queue) Finish() {
	q.pending.Wait()
	q.input = nil
}

// wait ends what is under way, in order.
func (q *Queue) wait() {
	defer close(q.stopped)
	for j := range q.jobs {
		if err := j.finish(); err != nil {
			q.scheduler.failed(err)
			q.waiting.compute(&j.task)
		} else {
			q.scheduler.computed(j.n, j.began)
		}
		call(j.done)
		q.outputs <- j.output
		q.pending.Done()
	}
}

// finish waits for the device and copies the result.
func (j *job) finish() error {
	if err := j.event.Wait(context.Background()); err != nil {
		return err
	}
	rows := j.part.Rows
	if err := j.output.Invalidate(0, 4*j.n*rows); err != nil {
		return err
	}
	out := floats(j.output)
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

func (f *fallback) compute(t *task) {
	f.in.Reset(t.x, t.n, t.k)
	kernels.MatMul(f.pool, t.dst, t.ldd, t.part, &f.in)
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
