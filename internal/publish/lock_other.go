//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package publish

import (
	"errors"
	"os"
)

// TryLock locks a file for this opening of it, which this system can't.
func TryLock(*os.File) error { return errors.ErrUnsupported }
