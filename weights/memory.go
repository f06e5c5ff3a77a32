package weights

import "unsafe"

// pages is a buffer that starts at a multiple of 4096 bytes.
type pages struct {
	bytes []byte
	free  func() error
}

// heapPages returns n zero bytes of the Go heap.
func heapPages(n int) pages {
	raw := make([]byte, n+alignment)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(raw))) % alignment
	return pages{raw[skip : skip+uintptr(n) : skip+uintptr(n)], func() error { return nil }}
}
