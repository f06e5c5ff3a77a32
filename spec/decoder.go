package spec

import "context"

// Batch is what one Forward of a [Decoder] computes. It is an alias of a type without a name, and layers.Batch one of the same type, so that a
// *layers.Decoder is a Decoder though neither package knows the other.
type Batch = struct {
	Tokens []int32

	// Parents make the tokens a tree: the index of each one's parent among the pending rows, −1 being the last committed token. If it is nil,
	// the tokens are a chain that continues the last pending row.
	Parents []int32

	// Last says that only the last token's hidden state is asked for. Those of the others may then be left out, and can't be projected.
	Last bool

	// Hook is called after each layer of HookAfter, which counts from 0. A model without layers may ignore it unless there is a [Pruner].
	Hook      Hook
	HookAfter []int
}

// Hook sees the residual stream after a layer: rows are the pending indices of the rows that are left, ascending, and hidden, [len(rows)][width],
// holds their states, which it must not change. It returns the rows that go on, ascending; it may filter rows in place. The others
// are dropped, and their descendants with them.
type Hook = func(layer int, rows []int, hidden []float32) (keep []int, err error)

// Decoder is a decoder with a KV cache, used as target or as draft; *layers.Decoder is one. A forward adds pending rows,
// counted from 0 since the last Commit; Commit makes one path of them part of the sequence and drops the others.
//
// The logits of a row depend only on the tokens of its path, to the bit: not on the other rows, on their number, or on how
// the tokens before were spread over forwards. What [Generator] promises rests on this.
type Decoder interface {
	// Forward computes the tokens of the batch and adds them as pending rows, of which it returns the first. An error leaves
	// the pending rows as they were.
	Forward(ctx context.Context, b Batch) (first int, err error)
	// Project writes the logits of pending rows to dst, [len(rows)][Vocab]. It can do so at least for the last
	// [Options].Budget + 1 rows of the latest Forward.
	Project(ctx context.Context, dst []float32, rows []int) error
	// Commit makes the pending rows in path, from a child of the last committed token downwards, part of the sequence, and
	// drops all other pending rows.
	Commit(path []int) error
	// Truncate keeps the first n committed tokens and drops all pending rows. A model that no longer keeps what it needs of the tokens
	// before position n returns an error, and nothing has changed; n = 0 and n = Len always work.
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
