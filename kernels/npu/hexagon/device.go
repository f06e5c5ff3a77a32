package hexagon

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/fastrpc"
	"github.com/lever-go/lever/tensor"
)

//go:generate sh build.sh

// module is what a session loads: the kernels, and the function that is called for messages.
//
//go:embed module.so
var module []byte

func init() {
	npu.Register("hexagon", func(ctx context.Context, config string) (npu.Device, error) {
		if config != "" {
			return nil, fmt.Errorf("hexagon: takes no configuration, got %q", config)
		}
		return Open(ctx, fastrpc.System())
	})
}

const (
	alignment = 128
	slots     = 8 // programs under way, a power of two
)

// types are the types of weights, by their numbers in messages.
var types = []tensor.DType{tensor.Q4_0, tensor.Q8_0}

// Device is a session with the DSP.
type Device struct {
	session *fastrpc.Session
	queue   *fastrpc.Memory // messages, which the host writes
	done    *fastrpc.Memory // which of them are done, as the DSP writes

	free    chan struct{} // a token for each program under way
	wake    chan struct{} // tells the goroutine of the device that there are messages
	stopped chan struct{} // closed when it ends

	submitting sync.Mutex // of submits, which are made in order
	mu         sync.Mutex // of what follows
	closed     bool
	events     [slots]*event
	from, to   uint32             // positions in the queue of what is under way
	weights    []*residentWeights // in the order of their memory
	copies     []*fastrpc.Memory  // for weights that are copied, and in use by no program
	lost       error
}

// Open opens a session by way of a kernel, [fastrpc.System] but in tests. The error says why there is none, and what to do.
func Open(ctx context.Context, k fastrpc.Kernel) (*Device, error) {
	return open(ctx, k, fastrpc.CallLimit)
}

func open(ctx context.Context, k fastrpc.Kernel, limit time.Duration) (*Device, error) {
	s, err := fastrpc.Open(ctx, k, fastrpc.Module{Name: "lever_module.so", Function: "lever_entry", File: module}, limit)
	if err != nil {
		return nil, fmt.Errorf("hexagon: %w", err)
	}
	d := &Device{session: s, free: make(chan struct{}, slots), wake: make(chan struct{}, 1), stopped: make(chan struct{})}
	if d.queue, err = s.Alloc(slots * messageBytes); err == nil {
		d.done, err = s.Alloc(fastrpc.Callers * slots * 4)
	}
	if err != nil {
		err = fmt.Errorf("hexagon: %w", err)
		if d.queue != nil {
			err = errors.Join(err, d.queue.Free())
		}
		return nil, errors.Join(err, s.Close())
	}
	go d.run()
	return d, nil
}

// Capabilities says what the kernels can do.
func (d *Device) Capabilities() npu.Capabilities {
	return npu.Capabilities{Device: "Hexagon DSP", Weights: types, Alignment: alignment, Rounding: npu.RoundingOwn}
}

// usable returns why nothing can be done with the device, or nil. The caller holds mu.
func (d *Device) usable() error {
	if d.closed {
		return fmt.Errorf("hexagon: %w", fs.ErrClosed)
	}
	return d.lost
}

// failed returns the error of a call, and notes that the session is lost.
func (d *Device) failed(err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("hexagon: %w", err)
	if errors.Is(err, npu.ErrLost) {
		d.mu.Lock()
		if d.lost == nil {
			d.lost = err
		}
		d.mu.Unlock()
	}
	return err
}

// Close waits for the work under way and ends the session.
func (d *Device) Close() error {
	d.mu.Lock()
	first := !d.closed
	d.closed = true
	if first {
		close(d.wake)
	}
	d.mu.Unlock()
	<-d.stopped
	if !first {
		return nil
	}
	d.submitting.Lock()
	defer d.submitting.Unlock()
	var errs []error
	for _, m := range append(d.copies, d.queue, d.done) {
		errs = append(errs, m.Free())
	}
	if err := errors.Join(append(errs, d.session.Close())...); err != nil {
		return fmt.Errorf("hexagon: close: %w", err)
	}
	return nil
}
