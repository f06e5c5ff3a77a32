package npu

import (
	"context"
	"slices"

	"github.com/lever-go/lever/tensor"
)

// Device is a session with a processor beside the CPU, such as an NPU or a GPU, that computes products. Its methods, and those of what it makes,
// are safe for concurrent use; one thing is not closed or freed while another goroutine uses it.
type Device interface {
	// Capabilities says what the device can do. It stays the same.
	Capabilities() Capabilities
	// Alloc returns a buffer of zero bytes. The error wraps [ErrOutOfMemory], [ErrUnsupported] where it is larger than any buffer can be, or
	// [ErrLost].
	Alloc(bytes int) (Buffer, error)
	// Compile makes a product ready to run on batches of up to batch rows, one of [Capabilities].Batches. The error wraps [ErrUnsupported],
	// [ErrOutOfMemory] or [ErrLost]. Compiling may take long: keep the program.
	Compile(p Product, batch int) (Program, error)
	// Close ends the session, after the work under way. Programs and buffers are closed and freed before. Closing again does nothing.
	Close() error
}

// WeightAllocator is a [Device] that multiplies with weights in place only where they lie in memory that it gave for them. Others are copied at each
// Submit.
type WeightAllocator interface {
	// AllocWeights is Alloc for weights of a type that stay where they are, and for nothing else. The CPU computes with them too. After an error,
	// which wraps [ErrUnsupported] where it is of no use, they may lie anywhere.
	AllocWeights(d tensor.DType, bytes int) (Buffer, error)
}

// Buffer is memory of a device that the CPU sees too, outside the Go heap: the same memory where the driver can, otherwise a copy.
type Buffer interface {
	// Bytes is the CPU's view. It begins at a multiple of [Capabilities].Alignment and stays valid until Free. The CPU leaves it alone while a
	// submitted program may use it.
	Bytes() []byte
	// Flush makes bytes from..to−1 of the CPU's view known to the device: before a Submit that reads them.
	Flush(from, to int) error
	// Invalidate makes bytes from..to−1 that the device has written known to the CPU: after the Wait, before they are read.
	Invalidate(from, to int) error
	// Free gives the memory back. No program uses it any more. Freeing again does nothing.
	Free() error
}

// Program is a product that was compiled for one batch size.
type Program interface {
	// Submit starts the program on the first rows rows of a batch, at least one. What it computes of the others, which pad the batch, may be
	// anything.
	//
	// It returns without waiting for the result, but may wait, until ctx is done, for room in the device's queue. Programs run in the order in
	// which they were submitted, or as if they did. All memory of o is in use until [Event.Wait] has returned something other than the error
	// of its context: weights are leased to the device, not given.
	//
	// The error wraps [ErrOutOfMemory], [ErrLost], ctx's error, or tells what is wrong with the operands.
	Submit(ctx context.Context, rows int, o Operands) (Event, error)
	// Close gives up what the program holds. Nothing that it was submitted with is under way. Closing again does nothing.
	Close() error
}

// Event is a submitted program.
type Event interface {
	// Wait returns once the program has ended: nil, or an error that wraps [ErrOutOfMemory] or [ErrLost], after which the outputs may be
	// anything. When ctx is done first, it returns the error of ctx; the program goes on, and Wait can be called again.
	Wait(ctx context.Context) error
}

// Await waits until done is closed, which counts even if ctx is done as well, or returns the error of ctx.
func Await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	default:
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Capabilities is what a device can do.
type Capabilities struct {
	Device  string         // what it is, such as "Hexagon v75"
	Weights []tensor.DType // types of packed matrices that it multiplies with, in the layout of [tensor.Packed]
	// Batches are the sizes that programs can be compiled for, in ascending order. If it is empty, any size can. See [Capabilities.Batch].
	Batches   []int
	Alignment int // of buffers and of the offsets at which operands lie, a power of two
	Rounding  Rounding
}

// Rounding says how close to the CPU's the results of a device are.
type Rounding uint8

const (
	// RoundingVaries: a row's result may depend on the other rows, on the batch size or on chance.
	RoundingVaries Rounding = iota
	// RoundingOwn: a row's result depends on nothing but the row, for all batch sizes, but is not the CPU's to the bit.
	RoundingOwn
	// RoundingExact: results are those of package kernels with the set in use, bit for bit.
	RoundingExact
)

// String returns a word for r.
func (r Rounding) String() string {
	switch r {
	case RoundingOwn:
		return "own"
	case RoundingExact:
		return "exact"
	}
	return "varies"
}

// Takes reports whether the device multiplies with packed matrices of this type.
func (c *Capabilities) Takes(d tensor.DType) bool { return slices.Contains(c.Weights, d) }

// DefaultBatches are the batch sizes that programs are compiled for where a device takes any.
var DefaultBatches = []int{1, 2, 4, 8, 16, 32, 64, 128}

// Batch returns the size to which a batch of rows rows is padded: the smallest that is large enough, or else the largest there is, of
// which several are needed.
func (c *Capabilities) Batch(rows int) int {
	batches := c.Batches
	if len(batches) == 0 {
		batches = DefaultBatches
	}
	i, _ := slices.BinarySearch(batches, rows)
	return batches[min(i, len(batches)-1)]
}
