package lever

import (
	"context"
	"fmt"
	"math"

	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
)

// Pooling is how the hidden states of a text's tokens become one vector.
type Pooling string

const (
	PoolMean Pooling = "mean" // of all tokens
	PoolLast Pooling = "last" // that of the last token
)

// embedder is a sequence of the target whose hidden states can be seen.
type embedder interface {
	Forward(ctx context.Context, b layers.Batch) (first int, err error)
	Hidden(row int) []float32
	Commit(path []int) error
	Truncate(n int) error
}

// Width returns the number of elements of a vector of [Engine.Embed].
func (e *Engine) Width() int { return e.target.decoder.Width() }

// Embed returns a vector of [Engine.Width] elements and length 1 for each of some texts, which are tokens: the target's hidden states after its last norm, pooled.
// A model that was trained to write, and not for this, gives vectors that tell texts apart less well than those of one that was. Short texts share passes over the target.
// It takes the turn of a generation; otherwise the error is [ErrBusy]. An error wraps [spec.ErrEmptyPrompt] or [spec.ErrPromptTooLong] if a text is empty or longer
// than the context.
func (e *Engine) Embed(ctx context.Context, texts [][]int32, pooling Pooling) ([][]float32, error) {
	if ctx == nil {
		return nil, errNoContext
	}
	if pooling != PoolMean && pooling != PoolLast {
		return nil, fmt.Errorf("lever: embed: pooling %q is neither %s nor %s", pooling, PoolMean, PoolLast)
	}
	for i, text := range texts {
		if len(text) == 0 {
			return nil, fmt.Errorf("lever: embed: text %d: %w", i, spec.ErrEmptyPrompt)
		}
		if _, err := e.Prepare(ctx, &Request{Tokens: text}); err != nil {
			return nil, fmt.Errorf("lever: embed: text %d: %w", i, err)
		}
	}
	if err := e.beginOne(); err != nil {
		return nil, fmt.Errorf("lever: embed: %w", err)
	}
	defer e.endOne()
	taken, _, err := e.takeNow(nil, false)
	if err != nil {
		return nil, err
	}
	defer e.conversations.release(taken)
	defer e.enter()()
	var target embedder = taken.target
	room := func() int { return e.target.maxBatch }
	if group := e.conversations.group; group != nil {
		member := group.Join()
		defer member.Leave()
		target = member.Decoder(e.conversations.target, taken.target)
		room = func() int { return member.Room(e.conversations.target) }
	}
	vectors, err := embed(ctx, target, texts, pooling, e.target.maxBatch, room)
	if err != nil {
		return nil, fmt.Errorf("lever: embed: %w", err)
	}
	return vectors, nil
}

// embed computes vectors, in passes of up to so many rows. Texts share one that has room for them; those that have more tokens are chains, which others' passes take in pieces.
func embed(ctx context.Context, target embedder, texts [][]int32, pooling Pooling, rows int, room func() int) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i := 0; i < len(texts); {
		if err := target.Truncate(0); err != nil {
			return nil, err
		}
		n, err := 1, error(nil)
		if most := room(); len(texts[i]) > most {
			vectors[i], err = embedLong(ctx, target, texts[i], pooling, rows)
		} else {
			n, err = embedSome(ctx, target, texts[i:], vectors[i:], pooling, most)
		}
		if err != nil {
			return nil, err
		}
		i += n
	}
	return vectors, target.Truncate(0)
}

// embedSome computes the vectors of the first texts, as many as fit a pass, of which it returns the number: each is a branch of a tree.
func embedSome(ctx context.Context, target embedder, texts [][]int32, vectors [][]float32, pooling Pooling, rows int) (n int, err error) {
	var b layers.Batch
	for n < len(texts) && len(b.Tokens)+len(texts[n]) <= rows {
		for i, token := range texts[n] {
			parent := int32(len(b.Tokens) - 1)
			if i == 0 {
				parent = -1
			}
			b.Tokens, b.Parents = append(b.Tokens, token), append(b.Parents, parent)
		}
		n++
	}
	row, err := target.Forward(ctx, b)
	if err != nil {
		return 0, err
	}
	for i, text := range texts[:n] {
		var p pool
		p.add(target, row, len(text), pooling)
		row += len(text)
		vectors[i] = p.vector()
	}
	return n, nil
}

// embedLong computes the vector of a text that takes several passes.
func embedLong(ctx context.Context, target embedder, text []int32, pooling Pooling, rows int) ([]float32, error) {
	var p pool
	path := make([]int, rows)
	for i := range path {
		path[i] = i
	}
	for len(text) > 0 {
		n := min(rows, len(text))
		first, err := target.Forward(ctx, layers.Batch{Tokens: text[:n]})
		if err != nil {
			return nil, err
		}
		p.add(target, first, n, pooling)
		if err := target.Commit(path[:n]); err != nil {
			return nil, err
		}
		text = text[n:]
	}
	return p.vector(), nil
}

// pool sums hidden states up.
type pool struct{ sum []float64 }

// add adds those of n rows, or takes that of the last one in place of what there is.
func (p *pool) add(target embedder, first, n int, pooling Pooling) {
	for row := first; row < first+n; row++ {
		hidden := target.Hidden(row)
		if p.sum == nil {
			p.sum = make([]float64, len(hidden))
		}
		if pooling == PoolLast {
			if row < first+n-1 {
				continue
			}
			clear(p.sum)
		}
		for i, x := range hidden {
			p.sum[i] += float64(x)
		}
	}
}

// vector returns the sum, scaled to length 1. The number of rows makes no difference then.
func (p *pool) vector() []float32 {
	square := 0.0
	for _, x := range p.sum {
		square += float64(x * x)
	}
	scale := 1 / math.Max(math.Sqrt(square), math.SmallestNonzeroFloat32)
	out := make([]float32, len(p.sum))
	for i, x := range p.sum {
		out[i] = float32(x * scale)
	}
	return out
}
