//go:build !linux && !darwin

package weights

import (
	"errors"
	"os"
)

// openPastCache refuses: files are read through the page cache.
func openPastCache(string) (*os.File, error) { return nil, errors.ErrUnsupported }

// dropCached does nothing.
func dropCached(*os.File, int64, int) {}
