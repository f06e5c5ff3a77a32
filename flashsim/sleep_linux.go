package flashsim

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleepExactly waits for about d, late by no more than the system's timer slack, usually 50 µs.
func sleepExactly(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil) // a signal ends it early, which callers allow for
}
