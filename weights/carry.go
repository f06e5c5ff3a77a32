package weights

import (
	"fmt"
	"runtime/debug"
)

// carry calls f, on a goroutine whose panics nobody else could catch, and returns a panic as an error, which reaches whoever waits for the
// result. What panics there is a function or file of the caller's.
func carry(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("weights: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}
