//go:build !linux

package weights

import "time"

// sleepExactly waits for about d.
func sleepExactly(d time.Duration) { time.Sleep(d) }
