//go:build unix

package offheap

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Alloc returns n zero bytes that begin at a page of the system, and a function that gives them back. What can have huge pages begins at one.
func Alloc(n int) (mem []byte, free func() error, err error) {
	align := 1
	if n >= HugePage {
		align = HugePage
	}
	// Of a mapping that is larger by align, all but n aligned bytes are given back.
	start, err := unix.MmapPtr(-1, 0, nil, uintptr(n+align-1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, fmt.Errorf("allocate %d bytes: %w", n, err)
	}
	before := -uintptr(start) % uintptr(align)
	begin := unsafe.Add(start, before)
	end := unsafe.Add(begin, systemPages(n))
	err = errors.Join(unmap(start, before), unmap(end, uintptr(systemPages(n+align-1))-before-uintptr(systemPages(n))))
	if err != nil {
		return nil, nil, fmt.Errorf("allocate %d bytes: %w", n, err)
	}
	mem = unsafe.Slice((*byte)(begin), n)
	if align == HugePage {
		adviseHugePages(mem)
	}
	return mem, func() error { return unmap(begin, uintptr(systemPages(n))) }, nil
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
