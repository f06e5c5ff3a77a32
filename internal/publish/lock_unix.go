//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package publish

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// TryLock locks a file for this opening of it, until it is closed or the process ends. It does not wait: the error wraps [ErrLocked] if
// somebody else has locked the file, and is another one where files cannot be locked.
func TryLock(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var locked error
	err = raw.Control(func(fd uintptr) {
		for locked = unix.EINTR; locked == unix.EINTR; {
			locked = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB)
		}
	})
	if err == nil {
		err = locked
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}
