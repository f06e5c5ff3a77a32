package publish

import "golang.org/x/sys/unix"

// exchange gives the files or folders at a and b each other's name, in one step.
func exchange(a, b string) error { return unix.RenamexNp(a, b, unix.RENAME_SWAP) }
