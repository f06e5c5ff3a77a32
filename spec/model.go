package spec

import (
	"context"

	"github.com/lever-go/lever/layers"
)

// Model is a decoder with a KV cache, used as target or as draft; *layers.Decoder is one. A forward adds pending rows,
// counted from 0 since the last Commit; Commit makes one path of them part of the sequence and drops the others.
//
// The logits of a row depend only on the tokens of its path, to the bit: not on the other rows, on their number, or on how
// the tokens before were spread over forwards. What [Generator] promises rests on this.
type Model interface {
	// Forward computes the tokens of the batch and adds them as pending rows, of which it returns the first. An error leaves
	// the pending rows as they were.
	Forward(ctx context.Context, b layers.Batch) (first int, err error)
	// Project writes the logits of pending rows to dst, [len(rows)][Vocab]. It can do so at least for the last
	// [Options].MaxNodes + 1 rows of the latest Forward.
	Project(ctx context.Context, dst []float32, rows []int) error
	// Commit makes the pending rows in path, from a child of the last committed token downwards, part of the sequence, and
	// drops all other pending rows.
	Commit(path []int) error
	// Truncate keeps the first n committed tokens and drops all pending rows. A model that no longer keeps what it needs of the tokens before
	// position n returns an error that wraps [layers.ErrNotKept], and nothing has changed; n = 0 and n = Len always work.
	Truncate(n int) error
	// Tokens returns the committed tokens. The slice is valid until the next Commit or Truncate.
	Tokens() []int32
	// Len returns the number of committed tokens.
	Len() int
	// Context returns the number of positions: the longest sequence that can be committed.
	Context() int
	// Vocab returns the number of tokens that have a logit.
	Vocab() int
}
