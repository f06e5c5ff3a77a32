package opencl

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/lever-go/lever/kernels/npu"
)

// program is a graph with memory for its temporary operands.
type program struct {
	d         *Device
	graph     npu.Graph
	batch     int
	temporary []handle // by operand; 0 where it is bound
	scores    handle   // of attention
}

// Compile allocates the temporary operands of a graph.
func (d *Device) Compile(g npu.Graph, batch int) (npu.Program, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	if batch < 1 {
		return nil, fmt.Errorf("opencl: batch of %d: %w", batch, npu.ErrUnsupported)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return nil, err
	}
	p := &program{d: d, graph: g, batch: batch, temporary: make([]handle, len(g.Operands))}
	if err := p.allocate(); err != nil {
		p.release()
		return nil, err
	}
	return p, nil
}

// allocate makes the temporary operands and the scores.
func (p *program) allocate() error {
	for i := range p.graph.Operands {
		if !p.graph.Temporary(i) {
			continue
		}
		if err := p.newBuffer(&p.temporary[i], p.graph.Operands[i].Bytes(p.batch)); err != nil {
			return err
		}
	}
	scores := 0
	for _, s := range p.graph.Steps {
		if s.Op == npu.Attention {
			scores = max(scores, 4*p.batch*s.Heads*(p.graph.Operands[s.Args[1]].Rows+p.batch))
		}
	}
	if scores == 0 {
		return nil
	}
	return p.newBuffer(&p.scores, scores)
}

func (p *program) newBuffer(object *handle, bytes int) error {
	var c code
	*object, c = p.d.lib.newBuffer(p.d.context, memReadWrite, uintptr(bytes), nil)
	return p.d.check(c, fmt.Sprintf("allocate %d bytes of temporary operands", bytes), false)
}

func (p *program) Close() error {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	p.release()
	return nil
}

func (p *program) release() {
	for i, t := range p.temporary {
		if t != 0 {
			p.d.lib.status(releaseMemObject, uintptr(t))
			p.temporary[i] = 0
		}
	}
	if p.scores != 0 {
		p.d.lib.status(releaseMemObject, uintptr(p.scores))
		p.scores = 0
	}
}

// memory is an operand: an object, and where the operand begins in it.
type memory struct {
	object handle
	offset int
}

// launch is one Submit while its commands are queued.
type launch struct {
	*program
	rows     int
	bindings []npu.Binding
	e        *event
}

// Submit queues the program's kernels.
func (p *program) Submit(ctx context.Context, rows int, b []npu.Binding) (npu.Event, error) {
	if err := p.graph.CheckSubmit(p.batch, alignment, rows, b); err != nil {
		return nil, err
	}
	for i := range b {
		if own, ok := b[i].Buffer.(*buffer); b[i].Buffer != nil && (!ok || own.d != p.d) {
			return nil, fmt.Errorf("opencl: submit: operand %d (%s) lies in a buffer of another device", i, p.graph.Operands[i].Name)
		}
	}
	d := p.d
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case d.free <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	e := &event{d: d, done: make(chan struct{})}
	err := d.usable()
	if err == nil {
		l := launch{p, rows, b, e}
		err = l.enqueue()
	}
	if err != nil {
		// What was queued may still read what was leased.
		if len(e.leased) > 0 {
			d.lib.status(finish, uintptr(d.queue))
		}
		e.endLease()
		<-d.free
		return nil, err
	}
	d.pending <- e // has room for every token
	return e, nil
}

// enqueue queues all steps and the event behind them.
func (l *launch) enqueue() error {
	for i := range l.graph.Steps {
		if err := l.step(&l.graph.Steps[i]); err != nil {
			return err
		}
	}
	d := l.d
	if err := d.check(d.lib.status(enqueueMarker, uintptr(d.queue), 0, 0, uintptr(unsafe.Pointer(&l.e.object))), "queue a marker", false); err != nil {
		return err
	}
	return d.check(d.lib.status(flush, uintptr(d.queue)), "flush the queue", false)
}

// operand returns where rows or a vector lie.
func (l *launch) operand(i int) memory {
	if t := l.temporary[i]; t != 0 {
		return memory{t, 0}
	}
	return memory{l.bindings[i].Buffer.(*buffer).object, l.bindings[i].Offset}
}
