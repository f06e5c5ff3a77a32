package opencl

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

func init() {
	npu.Register("opencl", func(_ context.Context, config string) (npu.Device, error) { return Open(config) })
}

const (
	alignment = 64
	slots     = 8 // programs under way
)

//go:embed products.cl
var productSource string

// Device is a session with a device of OpenCL.
type Device struct {
	lib       *library
	id        handle
	context   handle
	queue     handle // runs programs, in order
	reads     handle // brings results to the CPU beside them
	compiled  handle // OpenCL's program: all kernels
	name      string
	lanes     int // rows of weights of a work-item
	maxAlloc  int64
	baseAlign uintptr // of host memory that the device uses in place

	free    chan struct{} // a token for each program under way
	pending chan *event
	stopped chan struct{} // closed when the goroutine that waits for events ends
	lost    atomic.Bool

	mu      sync.Mutex // of what follows, and of kernels, whose arguments are set before each launch
	closed  bool
	kernels map[string]handle
	buffers []*buffer
	form    form
}

// Open opens the first device, GPUs before accelerators before others, whose name or whose platform's name contains config, in any
// case. The error says why there is none.
func Open(config string) (*Device, error) { return open(config, 0) }

// open opens a device whose work-items compute lanes rows of weights: 1, 16, or what suits it if lanes is 0.
func open(config string, lanes int) (*Device, error) {
	lib, err := openLibrary()
	if err != nil {
		return nil, fmt.Errorf("opencl: %w", err)
	}
	id, name := lib.find(config)
	if id == 0 {
		return nil, fmt.Errorf("opencl: no device whose name contains %q among %v", config, lib.names())
	}
	d := &Device{
		lib: lib, id: id, name: name, lanes: lanes, kernels: map[string]handle{},
		maxAlloc:  int64(lib.number(id, deviceMaxAllocSize)),
		baseAlign: max(uintptr(lib.number(id, deviceMemBaseAddrBits)/8), alignment),
		free:      make(chan struct{}, slots), pending: make(chan *event, slots), stopped: make(chan struct{}),
	}
	if d.lanes == 0 {
		d.lanes = 1
		if lib.number(id, deviceType)&deviceTypeCPU != 0 {
			d.lanes = tensor.TileRows
		}
	}
	if err := d.start(); err != nil {
		d.release()
		return nil, err
	}
	go d.wait()
	return d, nil
}

// found is a device and what it is called.
type found struct {
	id   handle
	name string
	kind uint64
}

func (l *library) all() []found {
	var all []found
	for _, p := range l.platforms() {
		platform := l.text(getPlatformInfo, p, platformName)
		for _, id := range l.devices(p) {
			all = append(all, found{id, platform + ": " + l.text(getDeviceInfo, id, deviceName), l.number(id, deviceType)})
		}
	}
	return all
}

func (l *library) names() []string {
	var names []string
	for _, f := range l.all() {
		names = append(names, f.name)
	}
	return names
}

func (l *library) find(config string) (handle, string) {
	all := l.all()
	for _, kind := range []uint64{deviceTypeGPU, deviceTypeAccelerator, deviceTypeAll} {
		for _, f := range all {
			if f.kind&kind != 0 && strings.Contains(strings.ToLower(f.name), strings.ToLower(config)) {
				return f.id, f.name
			}
		}
	}
	return 0, ""
}

// start makes the objects of the session.
func (d *Device) start() error {
	var c code
	if d.context, c = d.lib.newContext(d.id); c != 0 {
		return c.err("create a context on "+d.name, false)
	}
	for _, q := range []*handle{&d.queue, &d.reads} {
		if *q, c = d.lib.newQueue(d.context, d.id); c != 0 {
			return c.err("create a command queue", false)
		}
	}
	options := fmt.Sprintf("-D LANES=%d", d.lanes)
	if d.lanes == 1 && strings.Contains(d.lib.text(getDeviceInfo, d.id, deviceExtensions), "cl_khr_integer_dot_product") {
		options += " -D INTEGER_DOT"
	}
	var log string
	if d.compiled, log, c = d.lib.build(d.context, d.id, productSource, options); c != 0 {
		return fmt.Errorf("%w\n%s", c.err("build the kernels for "+d.name, false), log)
	}
	for _, name := range kernelNames() {
		if d.kernels[name], c = d.lib.newKernel(d.compiled, name); c != 0 {
			return c.err("create the kernel "+name, false)
		}
	}
	return nil
}

// release gives up all objects that there are.
func (d *Device) release() {
	d.form.release(d)
	for _, k := range d.kernels {
		d.lib.status(releaseKernel, uintptr(k))
	}
	for _, o := range []struct {
		f function
		h handle
	}{{releaseProgram, d.compiled}, {releaseCommandQueue, d.reads}, {releaseCommandQueue, d.queue}, {releaseContext, d.context}} {
		if o.h != 0 {
			d.lib.status(o.f, uintptr(o.h))
		}
	}
}

// Capabilities says that the device multiplies with matrices of every packed type.
func (d *Device) Capabilities() npu.Capabilities {
	return npu.Capabilities{
		Device:    d.name,
		Weights:   slices.Sorted(maps.Keys(products)),
		Alignment: alignment,
		Rounding:  npu.RoundingOwn,
	}
}

// usable returns why nothing can be done with the device, or nil.
func (d *Device) usable() error {
	if d.lost.Load() {
		return fmt.Errorf("opencl: %s: %w", d.name, npu.ErrLost)
	}
	if d.closed {
		return fmt.Errorf("opencl: %s: %w", d.name, fs.ErrClosed)
	}
	return nil
}

// check returns the error of doing something that ended with c, and notes that the device is lost.
func (d *Device) check(c code, doing string, running bool) error {
	err := c.err(doing, running)
	if errors.Is(err, npu.ErrLost) {
		d.lost.Store(true)
	}
	return err
}

// Close waits for the work under way and ends the session.
func (d *Device) Close() error {
	d.mu.Lock()
	first := !d.closed
	d.closed = true
	if first {
		close(d.pending)
	}
	d.mu.Unlock()
	<-d.stopped
	if first {
		d.release()
	}
	return nil
}
