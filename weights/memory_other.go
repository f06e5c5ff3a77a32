//go:build !unix

package weights

// newPages returns n zero bytes.
func newPages(n int) (pages, error) { return heapPages(n), nil }
