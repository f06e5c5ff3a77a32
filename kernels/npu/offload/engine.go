package offload

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

// Stats counts what an [Engine] did.
type Stats struct {
	Rows     int64   `json:"npu_rows"`     // rows of products that the device computed: of each projection, so many for a row of the model
	Products int64   `json:"npu_products"` // submits that succeeded
	Seconds  float64 `json:"npu_seconds"`  // during which at least one submit was under way
	// Fallbacks are products that were the device's and that the CPU computed, because the device could not.
	Fallbacks int64 `json:"cpu_fallbacks"`
	Lost      bool  `json:"npu_lost,omitempty"` // the session is gone
}

// Since returns what was counted after start.
func (s Stats) Since(start Stats) Stats {
	s.Rows -= start.Rows
	s.Products -= start.Products
	s.Seconds -= start.Seconds
	s.Fallbacks -= start.Fallbacks
	return s
}

// Engine is a device and what is known of it and of the CPU. It is safe for concurrent use.
type Engine struct {
	device npu.Device
	caps   npu.Capabilities
	costs  Costs

	mu       sync.Mutex
	programs map[shape]npu.Program // nil: the device does not support it
	stats    Stats
	busyTo   time.Time // end of the latest product
	rest     int       // products to leave to the CPU
	resting  int       // those of the next rest
	queues   int       // open
	closing  error     // of closed queues
	closed   bool
}

// shape is what a program is compiled for.
type shape struct {
	dtype             tensor.DType
	rows, cols, batch int
}

// Rests after the device ran out of memory, in products.
const (
	firstRest = 64
	maxRest   = 1 << 16
)

// New returns an engine for a device, which it closes with itself. Until [Engine.Prepare] everything runs on the CPU.
func New(d npu.Device) *Engine {
	return &Engine{device: d, caps: d.Capabilities(), programs: map[shape]npu.Program{}, resting: firstRest}
}

// Prepare says, before the first product, what products with weights of the given types cost, on the CPU and on the device. What is left
// out the device tells or is measured, the CPU with pool, in a fraction of a second.
func (e *Engine) Prepare(ctx context.Context, pool *kernels.Pool, types []tensor.DType, cpu, device npu.Costs) (err error) {
	if !e.caps.Has(npu.MatMul) {
		return fmt.Errorf("offload: %s does not multiply: %w", e.caps.Device, npu.ErrUnsupported)
	}
	if coster, ok := e.device.(npu.Coster); ok && device.Rates == nil {
		device = coster.Costs()
	}
	if device.Rates == nil {
		if device, err = MeasureDevice(ctx, e.device, types, prepareTime); err != nil {
			return fmt.Errorf("offload: measure %s: %w", e.caps.Device, err)
		}
	}
	if cpu.Rates == nil {
		if cpu, err = MeasureCPU(ctx, pool, types, prepareTime); err != nil {
			return fmt.Errorf("offload: measure the CPU: %w", err)
		}
	}
	e.costs = NewCosts(cpu, device)
	return nil
}

// Capabilities returns those of the device.
func (e *Engine) Capabilities() npu.Capabilities { return e.caps }

// Costs returns what products take on both engines.
func (e *Engine) Costs() *Costs { return &e.costs }

// Stats returns what was counted so far.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stats
}

// Close closes the device. All queues are closed before.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	errs := []error{e.closing}
	if e.queues > 0 {
		errs = append(errs, fmt.Errorf("offload: close: %d queues are open", e.queues))
	}
	for _, p := range e.programs {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(append(errs, e.device.Close())...)
}

// fixed returns where all products of a target go on a device whose rounding is its own: where trees of a usual size are faster.
func (e *Engine) fixed() Place {
	const rows, bytes = 16, 8 << 20
	for _, d := range e.caps.Weights {
		if e.costs.Known(d) {
			place, _ := e.costs.Times(d, bytes, rows).Best()
			return place
		}
	}
	return CPU
}

// ready reports whether the device is there, and does not rest after failures.
func (e *Engine) ready() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rest > 0 {
		e.rest--
		e.stats.Fallbacks++
		return false
	}
	if e.stats.Lost {
		e.stats.Fallbacks++
	}
	return !e.stats.Lost
}

// program returns the program for a shape, compiled before or now.
func (e *Engine) program(s shape) (npu.Program, error) {
	e.mu.Lock()
	p, found := e.programs[s]
	e.mu.Unlock()
	switch {
	case p != nil:
		return p, nil
	case found:
		return nil, npu.ErrUnsupported
	}
	p, err := e.device.Compile(npu.Projection(s.dtype, s.rows, s.cols), s.batch)
	if err != nil && !errors.Is(err, npu.ErrUnsupported) {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if other := e.programs[s]; other != nil { // another queue was faster
		return other, p.Close()
	}
	e.programs[s] = p
	return p, err
}

// failed notes that the CPU computes a product in place of the device.
func (e *Engine) failed(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Fallbacks++
	switch {
	case errors.Is(err, npu.ErrUnsupported):
	case errors.Is(err, npu.ErrOutOfMemory):
		e.rest = e.resting
		e.resting = min(2*e.resting, maxRest)
	default: // ErrLost, or an error that a driver should not have: trust it no more
		e.stats.Lost = true
	}
}

// computed notes a product that was submitted at some time and has ended now.
func (e *Engine) computed(rows int, began time.Time) {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Products++
	e.stats.Rows += int64(rows)
	if began.Before(e.busyTo) {
		began = e.busyTo
	}
	e.stats.Seconds += max(0, now.Sub(began).Seconds())
	e.busyTo = now
}
