package tokenizer

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// checks ask a context, after every checkBytes bytes that were looked at, whether the work on a text should go on; and let other goroutines go
// first then. Every so often it sleeps for them, so that those go first, too, that wait for the network, at which the scheduler looks only every
// 10 ms while goroutines are ready on all cores.
type checks struct {
	ctx   context.Context
	bytes int // since the context was asked
	asked int // times
	err   error
}

// checkBytes take some tenths of a millisecond.
const checkBytes = 1 << 12

// sleepEvery is the number of times to ask for one sleep.
const sleepEvery = 8

// look counts n bytes, and reports whether the work may go on.
func (c *checks) look(n int) bool {
	if c.bytes += n; c.bytes >= checkBytes && c.err == nil {
		c.bytes = 0
		if c.asked++; c.asked%sleepEvery == 0 {
			time.Sleep(time.Microsecond)
		} else {
			runtime.Gosched()
		}
		if err := c.ctx.Err(); err != nil {
			c.err = fmt.Errorf("tokenizer: %w", err)
		}
	}
	return c.err == nil
}
