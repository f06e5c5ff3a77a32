package weights

import (
	"fmt"
	"os"
	"unsafe"

	"github.com/lever-go/lever/internal/offheap"
)

// Memory is memory that others than the CPU use too, such as a device.
type Memory interface {
	Bytes() []byte // begins at a multiple of 4096
	// Flush is called once bytes from..to−1 have been written. Whoever gave the memory remembers an error: the CPU can use it all the same.
	Flush(from, to int) error
	Free() error
}

// pages is a buffer that starts at a multiple of 4096 bytes.
type pages struct {
	bytes []byte
	free  func() error
	flush func(from, to int) error // or nil
}

// newPages returns n zero bytes outside the Go heap.
func newPages(n int) (pages, error) {
	mem, free, err := offheap.Alloc(n)
	if err != nil {
		return pages{}, fmt.Errorf("weights: %w", err)
	}
	return pages{bytes: mem, free: free}, nil
}

// newPinned returns memory for a segment that stays.
func (r *Streamer) newPinned(e *scanned) (pages, error) {
	if r.opts.Alloc != nil {
		if m, err := r.opts.Alloc(e.dtype, e.Size); err == nil {
			return pages{m.Bytes(), m.Free, m.Flush}, nil
		}
	}
	return newPages(e.Size)
}

// slab is memory that experts share, as each alone would not end where a huge page does: their reads would then be slower, and cost more processor time.
type slab struct {
	mem  []byte
	free func() error
	next int // offset of what was not handed out yet
	live int // parts that are in use
}

const (
	slabBytes = 64 << 20
	// leastInSlab is the size from which on memory comes from a slab: what is smaller would leave much of one unused.
	leastInSlab = 512 << 10
)

// take returns n bytes of the slab, or false if it has not so many left.
func (s *slab) take(n int) (pages, bool) {
	page := os.Getpagesize()
	whole := (n + page - 1) / page * page
	if s.next+whole > len(s.mem) {
		return pages{}, false
	}
	part := s.mem[s.next : s.next+whole : s.next+whole]
	s.next += whole
	s.live++
	return pages{bytes: part[:n], free: func() error {
		if s.live--; s.live > 0 {
			return offheap.Discard(part)
		}
		s.mem = nil
		return s.free()
	}}, true
}

// newKept returns memory for an expert of n bytes: of the newest slab, which is replaced when it is used up.
func (r *Streamer) newKept(n int) (pages, error) {
	if n < leastInSlab || !offheap.CanDiscard {
		return newPages(n)
	}
	if mem, ok := r.slab.take(n); ok {
		return mem, nil
	}
	mem, free, err := offheap.Alloc(max(slabBytes, n+offheap.HugePage))
	if err != nil {
		return pages{}, fmt.Errorf("weights: %w", err)
	}
	r.slab = &slab{mem: mem, free: free}
	kept, _ := r.slab.take(n)
	return kept, nil
}

// isAligned reports whether a direct read may begin at data.
func isAligned(data []byte) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(data)))%alignment == 0
}
