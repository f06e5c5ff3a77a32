// Package sim is a phone's NPU on the desk: a driver that computes what the driver host computes, to the bit, and behaves in all else as a
// profile says. It takes only the profile's batch sizes and weight types, has its limits of memory and rows, takes its time, and loses its
// session or runs out of memory as often as is asked for.
//
// Importing it registers the driver under the name "sim"; "sim:NAME" opens another profile than snapdragon-8-gen-3, a built-in one or a file.
//
//	d, err := sim.New(sim.Options{Profile: profile, FailEvery: 1000, Seed: 7})
//
// # Time
//
// A program starts when the one before has ended, no sooner than half the submit time after its Submit, takes as long as the rates say for
// its weights, and its Wait returns half the submit time later: submits that are under way together pay for one.
// This is real time, or, with [Options].Virtual, only counted. Where this machine takes longer to compute, so does the simulation.
//
// # Errors
//
// Those of package npu: [npu.ErrUnsupported] for batches, types, matrices and buffers that the phone does not take, [npu.ErrOutOfMemory] where
// its memory is full, [npu.ErrLost] after a session was lost; the latter two also as often as [Options].FailEvery says. A profile that can't be
// loaded gives the error of package profiles.
package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/host"
	"github.com/lever-go/lever/kernels/npu/profiles"
	"github.com/lever-go/lever/tensor"
)

// DefaultProfile is the profile that "sim" alone opens.
const DefaultProfile = "snapdragon-8-gen-3"

func init() {
	npu.Register("sim", func(_ context.Context, config string) (npu.Device, error) {
		if config == "" {
			config = DefaultProfile
		}
		p, err := profiles.Load(config)
		if err != nil {
			return nil, fmt.Errorf("sim: %w", err)
		}
		return New(Options{Profile: p})
	})
}

// Options describe a simulated device. Profile must be set.
type Options struct {
	Profile *profiles.Profile
	// Virtual counts time without spending it.
	Virtual bool
	// FailEvery makes one of so many calls of Alloc, Compile, Submit and Wait fail, at random: with ErrLost, after which the session is gone, or
	// with ErrOutOfMemory. If it is 0, none does.
	FailEvery int
	Seed      uint64 // of the failures
}

// Device is a simulated NPU.
type Device struct {
	host    *host.Device
	profile *profiles.Profile
	virtual bool

	mu       sync.Mutex
	memory   int64 // of buffers
	lost     bool
	failures int // that were injected
	failing  *rand.Rand
	every    int
	free     time.Time     // when the device has computed what was submitted
	busy     time.Duration // that it computed so far
}

// New opens a simulated device.
func New(o Options) (*Device, error) {
	if o.Profile == nil || o.FailEvery < 0 {
		return nil, fmt.Errorf("sim: no profile, or a failure every %d calls", o.FailEvery)
	}
	return &Device{
		host: host.New(), profile: o.Profile, virtual: o.Virtual, every: o.FailEvery, failing: rand.New(rand.NewPCG(o.Seed, 1)),
	}, nil
}

// Capabilities are those of the profile.
func (d *Device) Capabilities() npu.Capabilities {
	n := &d.profile.NPU
	c := d.host.Capabilities()
	c.Device, c.Weights, c.Batches = n.Device, n.Weights(), slices.Clone(n.Batches)
	c.Alignment = n.Alignment
	return c
}

// Costs are those of the profile.
func (d *Device) Costs() npu.Costs { return d.profile.NPU.Costs }

// Busy returns how long the device has computed, by the profile.
func (d *Device) Busy() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.busy
}

// Failures returns how many failures were injected.
func (d *Device) Failures() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failures
}

// fail returns the error of a session that is lost, or of an injected failure.
func (d *Device) fail(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.lost && d.every > 0 && d.failing.IntN(d.every) == 0 {
		d.failures++
		if d.failing.IntN(2) == 0 {
			return fmt.Errorf("sim: %s: injected: %w", what, npu.ErrOutOfMemory)
		}
		d.lost = true
	}
	if d.lost {
		return fmt.Errorf("sim: %s: %w", what, npu.ErrLost)
	}
	return nil
}

// Close ends the session.
func (d *Device) Close() error { return d.host.Close() }

// buffer counts its bytes.
type buffer struct {
	npu.Buffer
	device *Device
	once   sync.Once
}

// Alloc returns a buffer within the limits of the profile.
func (d *Device) Alloc(bytes int) (npu.Buffer, error) {
	if err := d.fail("alloc"); err != nil {
		return nil, err
	}
	n := &d.profile.NPU
	if n.MaxBuffer > 0 && int64(bytes) > n.MaxBuffer {
		return nil, fmt.Errorf("sim: a buffer of %d bytes, the largest has %d: %w", bytes, n.MaxBuffer, npu.ErrUnsupported)
	}
	if err := d.reserve(int64(bytes)); err != nil {
		return nil, err
	}
	b, err := d.host.Alloc(bytes)
	if err != nil {
		d.release(int64(bytes))
		return nil, err
	}
	return &buffer{Buffer: b, device: d}, nil
}

func (d *Device) reserve(bytes int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if most := d.profile.NPU.MaxMemory; most > 0 && d.memory+bytes > most {
		return fmt.Errorf("sim: a buffer of %d bytes, of %d %d are in use: %w", bytes, most, d.memory, npu.ErrOutOfMemory)
	}
	d.memory += bytes
	return nil
}

func (d *Device) release(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.memory -= bytes
}

func (b *buffer) Free() error {
	size := int64(len(b.Bytes()))
	err := b.Buffer.Free()
	b.once.Do(func() { b.device.release(size) })
	return err
}

// program is one of the host's, and how long it takes.
type program struct {
	npu.Program
	device *Device
	takes  time.Duration
}

// Compile refuses what the profile does not allow.
func (d *Device) Compile(product npu.Product, batch int) (npu.Program, error) {
	if err := product.Check(); err != nil {
		return nil, err
	}
	if err := d.fail("compile"); err != nil {
		return nil, err
	}
	n := &d.profile.NPU
	at, found := slices.BinarySearch(n.Batches, batch)
	if !found {
		return nil, fmt.Errorf("sim: batch of %d, there are %v: %w", batch, n.Batches, npu.ErrUnsupported)
	}
	rates := n.Of(product.Type)
	if rates == nil || n.MaxRows > 0 && product.Rows > n.MaxRows {
		return nil, fmt.Errorf("sim: %v matrix [%d %d], at most %d rows of %v: %w",
			product.Type, product.Rows, product.Cols, n.MaxRows, n.Weights(), npu.ErrUnsupported)
	}
	seconds := float64(tensor.PackedBytes(product.Type, product.Rows, product.Cols)) / rates[at].BytesPerSecond
	p, err := d.host.Compile(product, batch)
	if err != nil {
		return nil, err
	}
	return &program{p, d, time.Duration(seconds * float64(time.Second))}, nil
}

// Submit starts the program, in the host's time and in that of the profile.
func (p *program) Submit(ctx context.Context, rows int, o npu.Operands) (npu.Event, error) {
	d := p.device
	if err := d.fail("submit"); err != nil {
		return nil, err
	}
	o.X, o.Y = unwrapped(o.X), unwrapped(o.Y)
	inner, err := p.Program.Submit(ctx, rows, o)
	if err != nil {
		return nil, err
	}
	half := time.Duration(d.profile.NPU.Submit / 2 * float64(time.Second))
	d.mu.Lock()
	defer d.mu.Unlock()
	start := time.Now().Add(half)
	if d.free.After(start) {
		start = d.free
	}
	d.free = start.Add(p.takes)
	d.busy += p.takes
	return &event{host: inner, device: d, ends: d.free.Add(half)}, nil
}

// unwrapped returns the host's buffer.
func unwrapped(b npu.Buffer) npu.Buffer {
	if own, ok := b.(*buffer); ok {
		return own.Buffer
	}
	return b
}

// event ends when the host has computed and the time of the profile has passed.
type event struct {
	host   npu.Event
	device *Device
	ends   time.Time

	mu   sync.Mutex
	over bool
	err  error
}

func (e *event) Wait(ctx context.Context) error {
	if err := e.host.Wait(ctx); err != nil {
		return err
	}
	if left := time.Until(e.ends); left > 0 && !e.device.virtual {
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.over {
		e.over, e.err = true, e.device.fail("wait")
	}
	return e.err
}
