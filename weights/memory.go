package weights

import "unsafe"

// pages is a buffer that starts at a multiple of 4096 bytes.
type pages struct {
	bytes []byte
	free  func() error
}

// hugePage is the size of the pages in which large buffers are backed where the system has them. A device reads into a few of them
// with one request, and into as many small ones with several: direct reads are then slower and cost more processor time.
const hugePage = 2 << 20

// heapPages returns n zero bytes of the Go heap, of which it takes n + alignment.
func heapPages(n int) pages {
	raw := make([]byte, n+alignment)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(raw))) % alignment
	return pages{raw[skip : skip+uintptr(n) : skip+uintptr(n)], func() error { return nil }}
}

// isAligned reports whether a direct read may begin at data.
func isAligned(data []byte) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(data)))%alignment == 0
}
