package tokenizer

import (
	"context"
	"fmt"

	"github.com/lever-go/lever/internal/giveway"
)

// checks ask a context, after every checkBytes bytes that were looked at, whether the work on a text should go on; and let others go first then.
type checks struct {
	ctx   context.Context
	bytes int // since the context was asked
	err   error
}

// checkBytes take some tenths of a millisecond.
const checkBytes = 1 << 12

// look counts n bytes, and reports whether the work may go on.
func (c *checks) look(n int) bool {
	if c.bytes += n; c.bytes >= checkBytes && c.err == nil {
		c.bytes = 0
		giveway.Now(c.ctx)
		if err := c.ctx.Err(); err != nil {
			c.err = fmt.Errorf("tokenizer: %w", err)
		}
	}
	return c.err == nil
}
