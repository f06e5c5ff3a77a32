package offheap

import "golang.org/x/sys/unix"

// adviseHugePages asks for huge pages. A system without them keeps small ones, which work as well, only slower.
func adviseHugePages(mem []byte) { _ = unix.Madvise(mem, unix.MADV_HUGEPAGE) }

// CanDiscard says that Discard gives memory back to the system.
const CanDiscard = true

// Discard gives the pages of a part of what Alloc returned back to the system; they are zero when they are used again. The part must begin and end at pages
// of the system.
func Discard(mem []byte) error { return unix.Madvise(mem, unix.MADV_DONTNEED) }
