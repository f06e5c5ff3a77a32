//go:build !linux

package flashsim

import "time"

// sleepExactly waits for about d.
func sleepExactly(d time.Duration) { time.Sleep(d) }
