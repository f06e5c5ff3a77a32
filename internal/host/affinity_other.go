//go:build !linux

package host

import "errors"

// Pin fails: this system has no way to choose the cores of a thread.
func Pin([]int) (release func(), err error) {
	return nil, errors.ErrUnsupported
}
