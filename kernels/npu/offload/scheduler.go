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

// Stats counts what a [Scheduler] did.
type Stats struct {
	Rows     int64   `json:"npu_rows"`     // rows of products that the device computed: for a row of the model, one for each projection
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

// Scheduler decides what a device computes, by what is known of it and of the CPU. It is safe for concurrent use.
type Scheduler struct {
	device npu.Device
	caps   npu.Capabilities
	costs  Costs

	mu       sync.Mutex
	programs map[key]npu.Program // nil where the device does not support the product
	stats    Stats
	busyTo   time.Time // end of the latest product
	rest     int       // products to leave to the CPU
	resting  int       // those of the next rest
	queues   int       // open
	closing  error     // of closed queues
	closed   bool
}

// key is what a program is compiled for.
type key struct {
	npu.Product
	batch int
}

// Rests after the device ran out of memory, in products.
const (
	firstRest = 64
	maxRest   = 1 << 16
)

// New returns a scheduler for a device, which it closes with itself. Until [Scheduler.Prepare] everything runs on the CPU.
func New(d npu.Device) *Scheduler {
	return &Scheduler{device: d, caps: d.Capabilities(), programs: map[key]npu.Program{}, resting: firstRest}
}

// Prepare sets, before the first product, what products with weights of the given types cost on the CPU and on the device. Costs that are
// left zero come from the device, if it is an [npu.Coster], or are measured in a fraction of a second, those of the CPU with pool.
func (s *Scheduler) Prepare(ctx context.Context, pool *kernels.Pool, types []tensor.DType, cpu, device npu.Costs) (err error) {
	if coster, ok := s.device.(npu.Coster); ok && device.Rates == nil {
		device = coster.Costs()
	}
	if device.Rates == nil {
		if device, err = MeasureDevice(ctx, s.device, types, prepareTime); err != nil {
			return fmt.Errorf("offload: measure %s: %w", s.caps.Device, err)
		}
	}
	if cpu.Rates == nil {
		if cpu, err = MeasureCPU(ctx, pool, types, prepareTime); err != nil {
			return fmt.Errorf("offload: measure the CPU: %w", err)
		}
	}
	s.costs = NewCosts(cpu, device)
	return nil
}

// Capabilities returns those of the device.
func (s *Scheduler) Capabilities() npu.Capabilities { return s.caps }

// WeightAllocator returns the device if it is one, or nil.
func (s *Scheduler) WeightAllocator() npu.WeightAllocator {
	a, _ := s.device.(npu.WeightAllocator)
	return a
}

// Costs returns what products take on the CPU and on the device.
func (s *Scheduler) Costs() *Costs { return &s.costs }

// Stats returns what was counted so far.
func (s *Scheduler) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Close closes the device. All queues are closed before.
func (s *Scheduler) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	errs := []error{s.closing}
	if s.queues > 0 {
		errs = append(errs, fmt.Errorf("offload: close: %d queues are open", s.queues))
	}
	for _, p := range s.programs {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(append(errs, s.device.Close())...)
}

// fixed returns where all products of a target go on a device whose rounding is its own: where trees of a usual size are faster.
func (s *Scheduler) fixed() Place {
	const rows, bytes = 16, 8 << 20
	for _, d := range s.caps.Weights {
		if s.costs.Known(d) {
			place, _ := s.costs.Times(d, bytes, rows).Best()
			return place
		}
	}
	return CPU
}

// ready reports whether the device is there, and does not rest after failures.
func (s *Scheduler) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rest > 0 {
		s.rest--
		s.stats.Fallbacks++
		return false
	}
	if s.stats.Lost {
		s.stats.Fallbacks++
	}
	return !s.stats.Lost
}

// program returns the program for a product and a batch size, compiled before or now.
func (s *Scheduler) program(k key) (npu.Program, error) {
	s.mu.Lock()
	p, found := s.programs[k]
	s.mu.Unlock()
	switch {
	case p != nil:
		return p, nil
	case found:
		return nil, npu.ErrUnsupported
	}
	p, err := s.device.Compile(k.Product, k.batch)
	if err != nil && !errors.Is(err, npu.ErrUnsupported) {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.programs[k]; other != nil { // another queue was faster
		return other, p.Close()
	}
	s.programs[k] = p
	return p, err
}

// failed notes that the CPU computes a product in place of the device.
func (s *Scheduler) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Fallbacks++
	switch {
	case errors.Is(err, npu.ErrUnsupported):
	case errors.Is(err, npu.ErrOutOfMemory):
		s.rest = s.resting
		s.resting = min(2*s.resting, maxRest)
	default: // ErrLost, or an error that a driver should not have: trust it no more
		s.stats.Lost = true
	}
}

// computed notes a product that was submitted at some time and has ended now.
func (s *Scheduler) computed(rows int, began time.Time) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Products++
	s.stats.Rows += int64(rows)
	if began.Before(s.busyTo) {
		began = s.busyTo
	}
	s.stats.Seconds += max(0, now.Sub(began).Seconds())
	s.busyTo = now
}
