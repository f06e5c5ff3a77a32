package host

import (
	"fmt"

	"github.com/lever-go/lever/internal/offheap"
	"github.com/lever-go/lever/kernels/npu"
)

// buffer is memory that CPU and device share trivially.
type buffer struct {
	mem  []byte
	free func() error
}

// Alloc returns a buffer.
func (d *Device) Alloc(bytes int) (npu.Buffer, error) {
	if bytes < 1 {
		return nil, fmt.Errorf("host: buffer of %d bytes: %w", bytes, npu.ErrUnsupported)
	}
	mem, free, err := offheap.Alloc(bytes)
	if err != nil {
		return nil, fmt.Errorf("host: %w: %w", npu.ErrOutOfMemory, err)
	}
	return &buffer{mem, free}, nil
}

func (b *buffer) Bytes() []byte { return b.mem }

func (b *buffer) Flush(from, to int) error { return b.check(from, to) }

func (b *buffer) Invalidate(from, to int) error { return b.check(from, to) }

func (b *buffer) check(from, to int) error {
	if from < 0 || to < from || to > len(b.mem) {
		return fmt.Errorf("host: bytes %d..%d of a buffer of %d", from, to, len(b.mem))
	}
	return nil
}

func (b *buffer) Free() error {
	if b.mem == nil {
		return nil
	}
	b.mem = nil
	return b.free()
}
