package hexagon

import (
	"fmt"
	"sync"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/fastrpc"
)

// buffer is memory that CPU and DSP share.
type buffer struct {
	d    *Device
	size int

	mu     sync.Mutex
	memory *fastrpc.Memory
	form   *fastrpc.Memory // of the activations in it, once it has been an input: 40 bytes for each 32 of them, at the same place
	// The part of the form that is there.
	formOffset, formBlocks int
}

const (
	block     = 32        // activations, and columns of weights
	formBytes = block + 8 // of the quantised form of a block
)

// Alloc returns memory that the CPU and the DSP share.
func (d *Device) Alloc(bytes int) (npu.Buffer, error) {
	d.mu.Lock()
	err := d.usable()
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	m, err := d.alloc(bytes)
	if err != nil {
		return nil, err
	}
	return &buffer{d: d, size: bytes, memory: m}, nil
}

func (b *buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.memory == nil {
		return nil
	}
	return b.memory.Bytes()[:b.size]
}

// Flush and Invalidate do more than they are asked: the kernel keeps the caches in order for a whole buffer.

func (b *buffer) Flush(from, to int) error { return b.sync(from, to, (*fastrpc.Memory).Flush) }

func (b *buffer) Invalidate(from, to int) error {
	return b.sync(from, to, (*fastrpc.Memory).Invalidate)
}

func (b *buffer) sync(from, to int, do func(*fastrpc.Memory) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.memory == nil || from < 0 || to < from || to > b.size {
		return fmt.Errorf("hexagon: bytes %d..%d of a buffer of %d", from, to, b.size)
	}
	return b.d.failed(do(b.memory))
}

func (b *buffer) Free() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	for _, m := range []*fastrpc.Memory{b.memory, b.form} {
		if m != nil {
			if e := m.Free(); err == nil {
				err = e
			}
		}
	}
	b.memory, b.form = nil, nil
	return b.d.failed(err)
}

// quantised returns the address of the form of some blocks from an offset on, and says whether it is there already.
func (b *buffer) quantised(offset, blocks int, unchanged bool) (address uint32, there bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.form == nil {
		if b.form, err = b.d.alloc((b.size + 4*block - 1) / (4 * block) * formBytes); err != nil {
			return 0, false, err
		}
	}
	address = b.form.Address() + uint32(offset/(4*block)*formBytes)
	if unchanged && offset == b.formOffset && blocks <= b.formBlocks {
		return address, true, nil
	}
	b.formOffset, b.formBlocks = offset, blocks
	return address, false, nil
}
