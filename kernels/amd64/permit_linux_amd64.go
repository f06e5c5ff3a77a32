//go:build !purego

package amd64

import "golang.org/x/sys/unix"

// permitTiles asks the kernel to let all threads of the process use tile registers, and reports whether they may. Linux
// before 5.16, which does not save tile registers, answers with an error; so does a later one when a thread's signal stack
// is too small for them. (Those of Go have 32 KiB, of which tile registers take 8.)
func permitTiles() bool {
	const (
		archReqXcompPerm  = 0x1023
		xfeatureXtileData = 18
	)
	_, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, archReqXcompPerm, xfeatureXtileData, 0)
	return errno == 0
}
