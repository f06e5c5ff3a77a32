package weights

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openPastCache opens a file whose reads are not cached.
func openPastCache(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_NOCACHE, 1); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// dropCached does nothing: the system has no such call.
func dropCached(*os.File, int64, int) {}
