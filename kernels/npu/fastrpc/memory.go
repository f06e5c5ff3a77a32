package fastrpc

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sync"
	"unsafe"

	"github.com/lever-go/lever/kernels/npu"
)

// Memory is memory that the CPU and the DSP share. Its methods are called by one goroutine at a time.
type Memory struct {
	s       *Session
	fd      int
	mem     []byte
	address uint64 // in the process of the DSP, 0 if it has none
	free    sync.Once
}

const (
	heapAlloc = 0 // requests of a heap of dma-bufs, of the kind 'H'
	ionAlloc  = 0 // of ION, of the kind 'I'
	ionQuery  = 8
	bufSync   = 0 // and of a dma-buf, of the kind 'b'

	ionSystem = 0 // the type of the heap of ordinary memory
	ionCached = 1

	closeOnExec = 0x80000
	openForBoth = 2

	// What a dma-buf is asked to do.
	syncRead  = 1
	syncWrite = 2
	syncEnd   = 4

	pageBytes = 4096
)

// heaps are the files of the system that allocate dma-bufs, the first one that opens being taken, with how they do it: those of Linux since 5.6,
// and ION, which Android had before.
var heaps = []struct {
	path  string
	alloc func(k Kernel, heap, size int) (int, error)
}{
	{"/dev/dma_heap/system", allocFromHeap},
	{"/dev/dma_heap/qcom,system", allocFromHeap},
	{"/dev/ion", allocFromION},
}

// ErrNoAddresses says that a process of the DSP can map no more. It is an [npu.ErrOutOfMemory]. [Memory.Detach] gives addresses back.
var ErrNoAddresses = fmt.Errorf("no addresses are left on the DSP, whose processes have 4 GiB: %w", npu.ErrOutOfMemory)

// Alloc returns n zero bytes, which begin at a page. The error wraps [ErrNoAddresses], [npu.ErrOutOfMemory] or [npu.ErrLost].
func (s *Session) Alloc(n int) (*Memory, error) {
	m, err := s.allocHere(n)
	if err != nil {
		return nil, err
	}
	if err := m.attach(); err != nil {
		return nil, errors.Join(s.failed(fmt.Sprintf("map %d bytes on the DSP", n), err, ErrNoAddresses), m.Free())
	}
	return m, nil
}

// attach maps m in the process of the DSP.
func (m *Memory) attach() error {
	err := m.s.use(func() (err error) {
		m.address, err = m.s.abi.attach(m.s.k, m.s.fd, m)
		return err
	})
	if err == nil && (m.address == 0 || m.address > math.MaxUint32-uint64(len(m.mem))) {
		err = fmt.Errorf("address %#x: %w", m.address, ErrNoAddresses)
	}
	return err
}

// allocHere returns memory that the DSP does not know yet.
func (s *Session) allocHere(n int) (*Memory, error) {
	m := &Memory{s: s}
	if n < 1 || n > math.MaxInt32-pageBytes {
		return nil, fmt.Errorf("%d bytes of shared memory: %w", n, npu.ErrUnsupported)
	}
	size := (n + pageBytes - 1) / pageBytes * pageBytes
	var err error
	if m.fd, err = s.allocBuffer(size); err != nil {
		return nil, failed(fmt.Sprintf("allocate %d bytes of shared memory", n), err, npu.ErrOutOfMemory)
	}
	if m.mem, err = s.k.Map(m.fd, size); err != nil {
		return nil, errors.Join(failed(fmt.Sprintf("map %d bytes of shared memory", n), err, npu.ErrOutOfMemory), s.k.Close(m.fd))
	}
	return m, nil
}

// allocBuffer returns the descriptor of a dma-buf.
func (s *Session) allocBuffer(size int) (int, error) {
	var refused error
	for _, h := range heaps {
		heap, err := s.k.Open(h.path)
		if err == nil {
			fd, err := h.alloc(s.k, heap, size)
			return fd, errors.Join(err, s.k.Close(heap))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			refused = fmt.Errorf("%s: %w: %w", h.path, npu.ErrUnsupported, err)
		}
	}
	var fd int
	err := s.use(func() (err error) {
		fd, err = s.abi.alloc(s.k, s.fd, size)
		return err
	})
	if err != nil && refused != nil {
		err = refused
	}
	return fd, err
}

func allocFromHeap(k Kernel, heap, size int) (int, error) {
	a := struct {
		size      uint64
		fd, flags uint32 // fd is returned
		heapFlags uint64
	}{size: uint64(size), flags: openForBoth | closeOnExec}
	err := ask(k, heap, 'H', heapAlloc, &a)
	return int(a.fd), err
}

// allocFromION allocates as ION does since Linux 4.12, from the heap of ordinary memory, whose number makers choose.
func allocFromION(k Kernel, ion, size int) (int, error) {
	type heap struct {
		name         [32]byte
		kind, number uint32
		_            [3]uint32
	}
	list := make([]heap, 32)
	query := struct {
		count uint32
		_     uint32
		heaps unsafe.Pointer
		_     [2]uint32
	}{count: uint32(len(list)), heaps: unsafe.Pointer(&list[0])}
	if err := ask(k, ion, 'I', ionQuery, &query); err != nil {
		return 0, err
	}
	for _, h := range list[:min(int(query.count), len(list))] {
		if h.kind == ionSystem && h.number < 32 {
			a := struct {
				size        uint64
				heaps       uint32 // by their bits
				flags       uint32
				fd, padding uint32 // fd is returned
			}{size: uint64(size), heaps: 1 << h.number, flags: ionCached}
			err := ask(k, ion, 'I', ionAlloc, &a)
			return int(a.fd), err
		}
	}
	return 0, fmt.Errorf("/dev/ion has no heap of ordinary memory: %w", npu.ErrUnsupported)
}

// Bytes is the CPU's view. It stays valid until Free.
func (m *Memory) Bytes() []byte { return m.mem }

// Address is where the memory lies in the process of the DSP.
func (m *Memory) Address() uint32 { return uint32(m.address) }

// Flush makes what the CPU has written known to the DSP.
func (m *Memory) Flush() error { return m.sync("write back", syncEnd|syncWrite) }

// Invalidate makes what the DSP has written known to the CPU.
func (m *Memory) Invalidate() error { return m.sync("read anew", syncRead) }

func (m *Memory) sync(doing string, what uint64) error {
	if err := m.s.usable(); err != nil {
		return err
	}
	err := m.s.k.Ioctl(m.fd, request(write, 'b', bufSync, unsafe.Sizeof(what)), unsafe.Pointer(&what))
	return m.s.failed(doing+" shared memory", err, npu.ErrLost)
}

// Detach gives the addresses on the DSP back, which uses them no more. The CPU's view stays.
func (m *Memory) Detach() error {
	if m.address == 0 {
		return nil
	}
	err := m.s.use(func() error { return m.s.abi.detach(m.s.k, m.s.fd, m) })
	if err = m.s.failed("unmap memory on the DSP", err, nil); err == nil {
		m.address = 0
	}
	return err
}

// Free gives the memory back. Freeing again does nothing.
func (m *Memory) Free() (err error) {
	m.free.Do(func() {
		err = m.Detach()
		// A process that has ended, or will, has no memory to give back.
		if errors.Is(err, npu.ErrLost) || errors.Is(err, fs.ErrClosed) {
			err = nil
		}
		err = errors.Join(err, m.s.k.Unmap(m.mem), m.s.k.Close(m.fd))
		m.mem = nil
	})
	return err
}
