//go:build !linux

package offheap

// CanDiscard says that Discard gives memory back to the system.
const CanDiscard = false

// Discard does nothing here.
func Discard([]byte) error { return nil }
