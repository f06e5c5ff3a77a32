//go:build unix

package weights

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newPages returns n zero bytes outside the Go heap, so that gigabytes of weights do not make the garbage collector's heap grow, and
// so that they go back to the system when they are freed. Buffers that can have huge pages begin at one.
func newPages(n int) (pages, error) {
	align := 1
	if n >= hugePage {
		align = hugePage
	}
	// Of a mapping that is larger by align, all but n aligned bytes are given back.
	start, err := unix.MmapPtr(-1, 0, nil, uintptr(n+align-1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return pages{}, fmt.Errorf("weights: allocate %d bytes: %w", n, err)
	}
	before := -uintptr(start) % uintptr(align)
	mem := unsafe.Add(start, before)
	end := unsafe.Add(mem, systemPages(n))
	err = errors.Join(unmap(start, before), unmap(end, uintptr(systemPages(n+align-1))-before-uintptr(systemPages(n))))
	if err != nil {
		return pages{}, fmt.Errorf("weights: allocate %d bytes: %w", n, err)
	}
	bytes := unsafe.Slice((*byte)(mem), n)
	if align == hugePage {
		adviseHugePages(bytes)
	}
	return pages{bytes, func() error { return unmap(mem, uintptr(systemPages(n))) }}, nil
}

// systemPages rounds n up to whole pages of the system.
func systemPages(n int) int {
	size := unix.Getpagesize()
	return (n + size - 1) / size * size
}

func unmap(start unsafe.Pointer, n uintptr) error {
	if n == 0 {
		return nil
	}
	return unix.MunmapPtr(start, n)
}
