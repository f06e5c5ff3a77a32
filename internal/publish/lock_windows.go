package publish

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
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
		// A byte far behind the content, since others cannot read what is locked.
		at := &windows.Overlapped{OffsetHigh: 1 << 30}
		locked = windows.LockFileEx(windows.Handle(fd), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	})
	if err == nil {
		err = locked
	}
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}
