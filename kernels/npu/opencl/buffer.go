package opencl

import (
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"github.com/lever-go/lever/internal/offheap"
	"github.com/lever-go/lever/kernels/npu"
)

// buffer is memory of the CPU that the device uses in place where it can. Where it can't, the driver of the device keeps a copy, and Flush
// and Invalidate are what moves data: transfers between a buffer and the host memory that it was made on are defined for that.
type buffer struct {
	d       *Device
	mem     []byte
	object  handle
	freeing sync.Once
	unmap   func() error
}

// Alloc returns a buffer.
func (d *Device) Alloc(bytes int) (npu.Buffer, error) {
	d.mu.Lock()
	err := d.usable()
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if bytes < 1 || d.maxAlloc > 0 && int64(bytes) > d.maxAlloc {
		return nil, fmt.Errorf("opencl: a buffer of %d bytes on a device that allows %d: %w", bytes, d.maxAlloc, npu.ErrUnsupported)
	}
	mem, unmap, err := offheap.Alloc(bytes)
	if err != nil {
		return nil, fmt.Errorf("opencl: %w: %w", npu.ErrOutOfMemory, err)
	}
	b := &buffer{d: d, mem: mem, unmap: unmap}
	var c code
	if b.object, c = d.lib.newBuffer(d.context, memReadWrite|memUseHostPtr, uintptr(bytes), unsafe.Pointer(&mem[0])); c != 0 {
		return nil, fmt.Errorf("%w (%v)", d.check(c, fmt.Sprintf("allocate %d bytes", bytes), false), unmap())
	}
	d.mu.Lock()
	d.buffers = append(d.buffers, b)
	d.mu.Unlock()
	return b, nil
}

// own returns the place in a buffer of the device where memory that begins at start lies.
func (d *Device) own(start unsafe.Pointer) (memory, bool) {
	for _, b := range d.buffers {
		if offset := uintptr(start) - uintptr(unsafe.Pointer(&b.mem[0])); offset < uintptr(len(b.mem)) {
			return memory{b.object, int(offset)}, true
		}
	}
	return memory{}, false
}

func (b *buffer) Bytes() []byte { return b.mem }

// Flush queues the transfer before the programs that are submitted next.
func (b *buffer) Flush(from, to int) error { return b.move(enqueueWriteBuffer, b.d.queue, 0, from, to) }

// Invalidate transfers at once, past the programs that wait in the queue.
func (b *buffer) Invalidate(from, to int) error {
	return b.move(enqueueReadBuffer, b.d.reads, 1, from, to)
}

func (b *buffer) move(f function, queue handle, blocking uintptr, from, to int) error {
	if from < 0 || to < from || to > len(b.mem) {
		return fmt.Errorf("opencl: bytes %d..%d of a buffer of %d", from, to, len(b.mem))
	}
	if from == to {
		return nil
	}
	if b.d.lost.Load() {
		return fmt.Errorf("opencl: %s: %w", b.d.name, npu.ErrLost)
	}
	// The memory is not Go's: it stays where it is until Free.
	c := b.d.lib.status(f, uintptr(queue), uintptr(b.object), blocking, uintptr(from), uintptr(to-from), uintptr(unsafe.Pointer(&b.mem[from])), 0, 0, 0)
	return b.d.check(c, fmt.Sprintf("transfer %d bytes", to-from), false)
}

func (b *buffer) Free() error {
	var err error
	b.freeing.Do(func() {
		b.d.mu.Lock()
		b.d.buffers = slices.DeleteFunc(b.d.buffers, func(other *buffer) bool { return other == b })
		b.d.mu.Unlock()
		b.d.lib.status(finish, uintptr(b.d.queue)) // a transfer may be under way
		err = b.d.check(b.d.lib.status(releaseMemObject, uintptr(b.object)), "free a buffer", false)
		b.mem = nil
		if unmapErr := b.unmap(); err == nil {
			err = unmapErr
		}
	})
	return err
}
