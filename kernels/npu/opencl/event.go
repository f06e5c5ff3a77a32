package opencl

import (
	"context"
	"runtime"

	"github.com/lever-go/lever/kernels/npu"
)

// event is a submitted program. The goroutine of the device waits for its end; err and done are that goroutine's to write.
type event struct {
	d      *Device
	object handle
	leased []handle // buffers over weights
	pins   runtime.Pinner
	err    error
	done   chan struct{}
}

// wait ends the submitted programs, in order.
func (d *Device) wait() {
	defer close(d.stopped)
	for e := range d.pending {
		e.err = d.check(d.lib.ended(e.object), "run a program", true)
		e.endLease()
		close(e.done)
		<-d.free
	}
}

// endLease gives up what the program held while it ran.
func (e *event) endLease() {
	if e.object != 0 {
		e.d.lib.status(releaseEvent, uintptr(e.object))
	}
	for _, w := range e.leased {
		e.d.lib.status(releaseMemObject, uintptr(w))
	}
	e.pins.Unpin()
}

func (e *event) Wait(ctx context.Context) error {
	if err := npu.Await(ctx, e.done); err != nil {
		return err
	}
	return e.err
}
