// Package host is the reference driver: it computes products with package kernels, on a goroutine of its own. It runs everywhere and is
// exact; tests and other drivers stand on it.
//
// Importing it registers the driver under the name "host"; [New] opens a device without the registry.
//
// Limits: one goroutine computes, whatever the number of processors.
//
// # Errors
//
// Those of package npu: [npu.ErrUnsupported] for what is no batch or buffer, [npu.ErrOutOfMemory] where the system gives no memory; and
// [io/fs.ErrClosed] after Close.
package host

import (
	"context"
	"fmt"
	"io/fs"
	"sync"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

func init() {
	npu.Register("host", func(_ context.Context, config string) (npu.Device, error) {
		if config != "" {
			return nil, fmt.Errorf("host: takes no configuration, got %q", config)
		}
		return New(), nil
	})
}

const (
	alignment = 64
	queue     = 8 // programs under way
)

// Device is the CPU as a device.
type Device struct {
	jobs    chan *event
	stopped chan struct{} // closed when the goroutine ends

	mu     sync.RWMutex // held for reading while a job is sent
	closed bool
}

// New returns a device, which is closed in the end.
func New() *Device {
	d := &Device{jobs: make(chan *event, queue), stopped: make(chan struct{})}
	go d.run()
	return d
}

// Capabilities says that the device multiplies with matrices of every packed type.
func (d *Device) Capabilities() npu.Capabilities {
	return npu.Capabilities{
		Device:    "CPU, kernels " + kernels.Default().Name(),
		Weights:   tensor.PackableTypes(),
		Alignment: alignment,
		Rounding:  npu.RoundingExact,
	}
}

// run computes what is submitted, in order.
func (d *Device) run() {
	defer close(d.stopped)
	var c computer
	for e := range d.jobs {
		c.compute(e)
		close(e.done)
	}
}

// Close waits for the work under way and ends the goroutine.
func (d *Device) Close() error {
	d.mu.Lock()
	if !d.closed {
		d.closed = true
		close(d.jobs)
	}
	d.mu.Unlock()
	<-d.stopped
	return nil
}

// program is a product for one batch size.
type program struct {
	device  *Device
	product npu.Product
	batch   int
}

// Compile checks the product.
func (d *Device) Compile(p npu.Product, batch int) (npu.Program, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if batch < 1 {
		return nil, fmt.Errorf("host: batch of %d: %w", batch, npu.ErrUnsupported)
	}
	return &program{d, p, batch}, nil
}

// Close does nothing.
func (p *program) Close() error { return nil }

// Submit hands the program to the goroutine of the device.
func (p *program) Submit(ctx context.Context, rows int, o npu.Operands) (npu.Event, error) {
	if err := p.product.CheckSubmit(p.batch, alignment, rows, &o); err != nil {
		return nil, err
	}
	d := p.device
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, fmt.Errorf("host: submit: %w", fs.ErrClosed)
	}
	e := &event{program: p, rows: rows, operands: o, done: make(chan struct{})}
	select {
	case d.jobs <- e:
		return e, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// event is a submitted program.
type event struct {
	program  *program
	rows     int
	operands npu.Operands
	done     chan struct{}
}

func (e *event) Wait(ctx context.Context) error { return npu.Await(ctx, e.done) }
