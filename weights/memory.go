package weights

import (
	"fmt"
	"unsafe"

	"github.com/lever-go/lever/internal/offheap"
)

// pages is a buffer that starts at a multiple of 4096 bytes.
type pages struct {
	bytes []byte
	free  func() error
}

// newPages returns n zero bytes outside the Go heap.
func newPages(n int) (pages, error) {
	mem, free, err := offheap.Alloc(n)
	if err != nil {
		return pages{}, fmt.Errorf("weights: %w", err)
	}
	return pages{mem, free}, nil
}

// isAligned reports whether a direct read may begin at data.
func isAligned(data []byte) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(data)))%alignment == 0
}
