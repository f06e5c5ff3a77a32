// Package host is the reference driver: it computes graphs with package kernels, on a goroutine of its own. It defines what a graph means,
// runs everywhere and is exact; tests and other drivers stand on it.
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

// Capabilities says that the device can do everything.
func (d *Device) Capabilities() npu.Capabilities {
	return npu.Capabilities{
		Device:    "CPU, kernels " + kernels.Default().Name(),
		Ops:       []npu.Op{npu.MatMul, npu.RMSNorm, npu.RoPE, npu.SiLUMul, npu.Add, npu.Attention},
		Weights:   []tensor.DType{tensor.F16, tensor.Q4_0, tensor.Q8_0, tensor.Q4_K, tensor.Q6_K},
		Alignment: alignment,
		Queue:     queue,
		Shared:    true,
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

// program is a graph with memory for its temporary operands.
type program struct {
	device    *Device
	graph     npu.Graph
	batch     int
	temporary [][]float32 // by operand; nil where it is bound
}

// Compile checks the graph and allocates its temporary operands.
func (d *Device) Compile(g npu.Graph, batch int) (npu.Program, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	if batch < 1 {
		return nil, fmt.Errorf("host: batch of %d: %w", batch, npu.ErrUnsupported)
	}
	p := &program{device: d, graph: g, batch: batch, temporary: make([][]float32, len(g.Operands))}
	for i := range g.Operands {
		if g.Temporary(i) {
			p.temporary[i] = make([]float32, batch*g.Operands[i].Cols)
		}
	}
	return p, nil
}

// Close does nothing: the garbage collector does.
func (p *program) Close() error { return nil }

// Submit hands the program to the goroutine of the device.
func (p *program) Submit(ctx context.Context, rows int, b []npu.Binding) (npu.Event, error) {
	if err := p.graph.CheckSubmit(p.batch, alignment, rows, b); err != nil {
		return nil, err
	}
	d := p.device
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, fmt.Errorf("host: submit: %w", fs.ErrClosed)
	}
	e := &event{program: p, rows: rows, bindings: append([]npu.Binding(nil), b...), done: make(chan struct{})}
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
	bindings []npu.Binding
	done     chan struct{}
}

func (e *event) Wait(ctx context.Context) error {
	select {
	case <-e.done:
		return nil
	default:
	}
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
