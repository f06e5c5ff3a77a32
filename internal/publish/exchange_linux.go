//go:build linux && !android

package publish

import "golang.org/x/sys/unix"

// exchange gives the files or folders at a and b each other's name, in one step.
func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}
