// Package offheap allocates memory outside the Go heap, so that gigabytes of weights and the buffers that a device shares do not make the
// garbage collector's heap grow, do not move, and go back to the system when they are freed.
package offheap

import "unsafe"

// HugePage is the size of the pages in which large allocations are backed where the system has them. A device reads into a few of them
// with one request, and into as many small ones with several: direct reads are then slower and cost more processor time.
const HugePage = 2 << 20

// alignment of what Alloc returns, at least.
const alignment = 4096

// FromHeap returns n zero bytes of the Go heap that begin at a multiple of 4096. They take n + 4096 bytes.
func FromHeap(n int) []byte {
	raw := make([]byte, n+alignment)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(raw))) % alignment
	return raw[skip : skip+uintptr(n) : skip+uintptr(n)]
}
