//go:build unix

package weights

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// newPages returns n zero bytes outside the Go heap, so that gigabytes of weights do not make the garbage collector's heap grow, and
// so that they go back to the system when they are freed.
func newPages(n int) (pages, error) {
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return pages{}, fmt.Errorf("weights: allocate %d bytes: %w", n, err)
	}
	return pages{mem, func() error { return unix.Munmap(mem) }}, nil
}
