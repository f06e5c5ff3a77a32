package hexagon

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

// program is a product for one batch size. The DSP needs nothing of it before it runs.
type program struct {
	d       *Device
	product npu.Product
	batch   int
}

// Compile checks the product.
func (d *Device) Compile(p npu.Product, batch int) (npu.Program, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if !slices.Contains(types, p.Type) {
		return nil, fmt.Errorf("hexagon: weights of type %v: %w", p.Type, npu.ErrUnsupported)
	}
	if batch < 1 || tensor.PackedBytes(p.Type, p.Rows, p.Cols) > math.MaxInt32 || batch > math.MaxInt32/4/max(p.Rows, p.Cols) {
		return nil, fmt.Errorf("hexagon: a batch of %d with a matrix [%d %d]: %w", batch, p.Rows, p.Cols, npu.ErrUnsupported)
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

// Submit writes a message, after copying the weights to memory that the DSP sees, unless they lie there.
func (p *program) Submit(ctx context.Context, rows int, o npu.Operands) (npu.Event, error) {
	if err := p.product.CheckSubmit(p.batch, alignment, rows, &o); err != nil {
		return nil, err
	}
	x, isX := o.X.(*buffer)
	y, isY := o.Y.(*buffer)
	if !isX || !isY || x.d != p.d || y.d != p.d {
		return nil, fmt.Errorf("hexagon: submit: X or Y is a buffer of another device")
	}
	d := p.d
	select {
	case d.free <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.submitting.Lock()
	defer d.submitting.Unlock()
	e, err := p.queue(rows, &o, x, y)
	if err != nil {
		<-d.free
		return nil, err
	}
	return e, nil
}

// queue writes a message to the next place of the queue, which is free.
func (p *program) queue(rows int, o *npu.Operands, x, y *buffer) (_ *event, err error) {
	d := p.d
	d.mu.Lock()
	place := d.to % slots
	err = d.usable()
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	e := &event{x: x, y: y, done: make(chan struct{})}
	weights, err := d.place(e, o.W.Data)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.mu.Lock()
			e.giveBack(d)
			d.mu.Unlock()
		}
	}()
	form, there, err := x.quantised(o.XOffset, rows*p.product.Cols/block, o.XUnchanged)
	if err != nil {
		return nil, err
	}
	activations := x.memory.Address() + uint32(o.XOffset)
	if there {
		activations = 0
	}
	m := d.queue.Bytes()[place*messageBytes:][:messageBytes]
	for i, v := range []uint32{
		uint32(slices.Index(types, o.W.Type)), uint32(rows), uint32(o.W.Cols), uint32(o.W.Rows), weights, activations, form, y.memory.Address(),
	} {
		binary.LittleEndian.PutUint32(m[4*i:], v)
	}
	if err := d.queue.Flush(); err != nil {
		return nil, d.failed(err)
	}
	if err := d.publish(e); err != nil {
		return nil, err
	}
	return e, nil
}

// publish lets the DSP have the message at the end of the queue.
func (d *Device) publish(e *event) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return err
	}
	d.events[d.to%slots] = e
	d.to++
	select {
	case d.wake <- struct{}{}:
	default: // it will look
	}
	return nil
}
