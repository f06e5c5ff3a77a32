package hexagon

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/fastrpc"
)

const (
	runMethod = 2 // of the module: computes the products of a range of messages

	messageBytes = 128
)

// event is a submitted program. err is set before done is closed.
type event struct {
	x, y    *buffer
	weights *residentWeights // where they lie, or
	copied  *fastrpc.Memory  // where they were copied to
	err     error
	done    chan struct{}
}

// Wait waits for the end of the call that brings the result.
func (e *event) Wait(ctx context.Context) error {
	if err := npu.Await(ctx, e.done); err != nil {
		return err
	}
	return e.err
}

// run calls the module for the messages that there are, again and again until the device is closed and they are done. Messages that come
// during calls belong to the next ones.
func (d *Device) run() {
	defer close(d.stopped)
	for range d.wake {
		d.runAll()
	}
	d.runAll()
}

func (d *Device) runAll() {
	for {
		d.mu.Lock()
		from, to, err := d.from, d.independent(), d.lost
		d.mu.Unlock()
		if from == to {
			return
		}
		if err == nil {
			err = d.call(from, to)
		}
		d.end(from, to, err)
	}
}

// independent returns the end of the messages, from the first one under way on, none of which uses or writes what an earlier one writes, or writes
// what an earlier one uses. Calls at the same time do not wait for each other between two messages. The caller holds mu.
func (d *Device) independent() uint32 {
	for i := d.from; i != d.to; i++ {
		later := d.events[i%slots]
		for j := d.from; j != i; j++ {
			earlier := d.events[j%slots]
			if earlier.y == later.x || earlier.y == later.y || earlier.x == later.y {
				return i
			}
		}
	}
	return d.to
}

// call has the messages from..to−1 computed, by calls at the same time that share the rows of weights.
func (d *Device) call(from, to uint32) error {
	var calls [fastrpc.Callers]error
	var all sync.WaitGroup
	for part := range calls {
		all.Go(func() {
			var arguments []byte
			for _, v := range []uint32{d.queue.Address(), slots, from, to, uint32(part), uint32(len(calls)), d.done.Address()} {
				arguments = binary.LittleEndian.AppendUint32(arguments, v)
			}
			calls[part] = d.session.Call(runMethod, [][]byte{arguments}, nil)
		})
	}
	all.Wait()
	err := cmp.Or(calls[:]...)
	if err == nil {
		err = d.done.Invalidate()
	}
	if err != nil {
		return d.failed(err)
	}
	for part := range uint32(len(calls)) {
		for i := from; i != to; i++ {
			if done := binary.LittleEndian.Uint32(d.done.Bytes()[4*(part*slots+i%slots):]); done != i+1 {
				return d.failed(fmt.Errorf("the DSP has not computed product %d: %w", i, npu.ErrLost))
			}
		}
	}
	return nil
}

// end ends events.
func (d *Device) end(from, to uint32, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := from; i != to; i++ {
		e := d.events[i%slots]
		e.err = err
		e.giveBack(d)
		close(e.done)
		d.events[i%slots] = nil
		<-d.free
	}
	d.from = to
}
