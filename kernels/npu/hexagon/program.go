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

// Submit copies the weights to memory that the DSP sees and writes a message.
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
func (p *program) queue(rows int, o *npu.Operands, x, y *buffer) (*event, error) {
	d := p.d
	d.mu.Lock()
	err, place := d.usable(), d.to%slots
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	weights, err := d.copyWeights(place, o.W.Data)
	if err != nil {
		return nil, err
	}
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
	return d.publish(x, y)
}

// publish lets the DSP have the message at the end of the queue.
func (d *Device) publish(x, y *buffer) (*event, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return nil, err
	}
	e := &event{x: x, y: y, done: make(chan struct{})}
	d.events[d.to%slots] = e
	d.to++
	select {
	case d.wake <- struct{}{}:
	default: // it will look
	}
	return e, nil
}

// copyWeights copies a part of a matrix to the memory of a place of the queue, and returns its address on the DSP.
func (d *Device) copyWeights(place uint32, part []byte) (uint32, error) {
	w := &d.weights[place]
	if *w != nil && len((*w).Bytes()) < len(part) {
		err := (*w).Free()
		*w = nil
		if err != nil {
			return 0, d.failed(err)
		}
	}
	if *w == nil {
		var err error
		if *w, err = d.session.Alloc(len(part)); err != nil {
			return 0, d.failed(err)
		}
	}
	copy((*w).Bytes(), part)
	return (*w).Address(), d.failed((*w).Flush())
}
