package offheap

import "golang.org/x/sys/unix"

// adviseHugePages asks for huge pages. A system without them keeps small ones, which work as well, only slower.
func adviseHugePages(mem []byte) { _ = unix.Madvise(mem, unix.MADV_HUGEPAGE) }
