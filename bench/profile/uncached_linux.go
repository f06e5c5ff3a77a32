package profile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openUncached opens a file so that reads reach the device. Some file systems refuse O_DIRECT, at the opening or at the first read.
func openUncached(path string) (*os.File, Mode, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if err == nil {
		if _, err = f.ReadAt(aligned(page), 0); err == nil {
			return f, Direct, nil
		}
		err = errors.Join(err, f.Close())
	}
	plain, plainErr := os.Open(path)
	if plainErr != nil {
		return nil, "", errors.Join(err, plainErr)
	}
	return plain, Dropped, nil
}

// dropCache makes the page cache forget a range of a file.
func dropCache(f *os.File, offset, size int64) {
	_ = unix.Fadvise(int(f.Fd()), offset, size, unix.FADV_DONTNEED) // where it can't, it does not
}
