package opencl

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/lever-go/lever/kernels/npu"
)

// program is a product for one batch size.
type program struct {
	d       *Device
	product npu.Product
	batch   int
}

// Compile checks the product; the kernels are there.
func (d *Device) Compile(p npu.Product, batch int) (npu.Program, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if _, ok := products[p.Type]; !ok {
		return nil, fmt.Errorf("opencl: %v weights, there are kernels for %v: %w", p.Type, d.Capabilities().Weights, npu.ErrUnsupported)
	}
	if batch < 1 {
		return nil, fmt.Errorf("opencl: batch of %d: %w", batch, npu.ErrUnsupported)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return nil, err
	}
	return &program{d, p, batch}, nil
}

// Close does nothing.
func (p *program) Close() error { return nil }

// memory is an object, and where an operand begins in it.
type memory struct {
	object handle
	offset int
}

// launch is one Submit while its commands are queued.
type launch struct {
	*program
	rows     int
	operands *npu.Operands
	e        *event
}

// Submit queues the product's kernels.
func (p *program) Submit(ctx context.Context, rows int, o npu.Operands) (npu.Event, error) {
	if err := p.product.CheckSubmit(p.batch, alignment, rows, &o); err != nil {
		return nil, err
	}
	d := p.d
	for _, b := range []npu.Buffer{o.X, o.Y} {
		if own, ok := b.(*buffer); !ok || own.d != d {
			return nil, fmt.Errorf("opencl: submit: an operand lies in a buffer of another device")
		}
	}
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
		l := launch{p, rows, &o, e}
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

// enqueue queues the product and the event behind it.
func (l *launch) enqueue() error {
	if err := l.multiply(); err != nil {
		return err
	}
	d := l.d
	if err := d.check(d.lib.status(enqueueMarker, uintptr(d.queue), 0, 0, uintptr(unsafe.Pointer(&l.e.object))), "queue a marker", false); err != nil {
		return err
	}
	return d.check(d.lib.status(flush, uintptr(d.queue)), "flush the queue", false)
}
