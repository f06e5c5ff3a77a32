//go:build !darwin && (!linux || android)

package publish

import "errors"

// exchange gives the files or folders at a and b each other's name, in one step, which this system can't: before version 11, Android ends
// an app that makes the system call.
func exchange(a, b string) error { return errors.ErrUnsupported }
