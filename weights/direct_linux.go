package weights

import (
	"os"

	"golang.org/x/sys/unix"
)

// openPastCache opens a file with O_DIRECT.
func openPastCache(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
}

// dropCached tells the system that n bytes of f from off on will not be read again soon.
func dropCached(f *os.File, off int64, n int) {
	if raw, err := f.SyscallConn(); err == nil && n > 0 {
		_ = raw.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), off, int64(n), unix.FADV_DONTNEED) })
	}
}
