package ops

import (
	"errors"
	"fmt"
	"math"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// AttentionOptions says which keys each row sees, and how scores are scaled.
type AttentionOptions struct {
	// Causal hides from each row the keys behind its own; the last row's own key is the last one. See [CausalMask].
	Causal bool
	// Mask, broadcast to [...][heads][rows][keys], is added to the scores, or if it is Bool, hides the keys for which it is false. If it is nil, nothing
	// is added.
	Mask *tensor.Tensor
	// Scale is what scores are multiplied by. 0 means 1/√headDim.
	Scale float32
}

// Attention returns softmax(scale·q·kᵀ + mask)·v, [...][heads][rows][valueDim], of queries q [...][heads][rows][headDim], keys k
// [...][kvHeads][keys][headDim] and values v [...][kvHeads][keys][valueDim] (Vaswani et al., arXiv 1706.03762). heads is a multiple of kvHeads:
// consecutive query heads share a key-value head (Ainslie et al., arXiv 2305.13245). A row that sees no key becomes NaN.
//
// It holds all scores at once. A row's result depends on how many keys there are besides those that it sees, by rounding: in a decoder that
// verifies trees, use the Attention of package layers.
func Attention(p *kernels.Pool, q, k, v *tensor.Tensor, options AttentionOptions) (*tensor.Tensor, error) {
	qs, ks, vs := q.Shape(), k.Shape(), v.Shape()
	rank := len(qs)
	wrong := fmt.Errorf("ops: attention: %w: queries %v, keys %v, values %v", tensor.ErrShape, qs, ks, vs)
	if rank < 3 || len(ks) != rank || len(vs) != rank {
		return nil, wrong
	}
	heads, rows, headDim := qs[rank-3], qs[rank-2], qs[rank-1]
	kvHeads, keys := ks[rank-3], ks[rank-2]
	if kvHeads == 0 || heads%kvHeads != 0 || vs[rank-3] != kvHeads || vs[rank-2] != keys || ks[rank-1] != headDim {
		return nil, wrong
	}
	scale := options.Scale
	if scale == 0 {
		scale = float32(1 / math.Sqrt(float64(headDim)))
	}
	// The rows of the heads that share a key-value head are multiplied together.
	grouped := join(qs[:rank-3], kvHeads, heads/kvHeads*rows)
	queries := chain{x: q}.contiguous().reshape(join(grouped, headDim)...)
	columns, err := k.Transpose()
	if err := errors.Join(queries.err, err); err != nil {
		return nil, named("attention", err)
	}
	scores, err := MatMul(p, queries.x, columns)
	if err != nil {
		return nil, err
	}
	weights := chain{x: scores}.do(func(x *tensor.Tensor) (*tensor.Tensor, error) { return Scale(x, scale) }).
		reshape(join(qs[:rank-1], keys)...).
		do(func(x *tensor.Tensor) (*tensor.Tensor, error) { return masked(x, rows, keys, options) }).
		do(func(x *tensor.Tensor) (*tensor.Tensor, error) { return Softmax(x, -1) }).
		reshape(join(grouped, keys)...)
	if weights.err != nil {
		return nil, weights.err
	}
	mixed, err := MatMul(p, weights.x, v)
	if err != nil {
		return nil, err
	}
	return mixed.Reshape(join(qs[:rank-1], vs[rank-1])...)
}

// masked hides what rows do not see from their scores.
func masked(scores *tensor.Tensor, rows, keys int, options AttentionOptions) (*tensor.Tensor, error) {
	shape := scores.Shape()
	var err error
	if options.Causal {
		mask, err := CausalMask(rows, keys)
		if err != nil {
			return nil, err
		}
		if scores, err = hide(scores, mask); err != nil {
			return nil, err
		}
	}
	if options.Mask == nil {
		return scores, nil
	}
	mask, err := options.Mask.Broadcast(shape...)
	if err != nil {
		return nil, named("attention", err)
	}
	if mask.DType() == tensor.Bool {
		return hide(scores, mask)
	}
	return Add(scores, mask)
}

// hide replaces the scores for which mask is false by −Inf.
func hide(scores, mask *tensor.Tensor) (*tensor.Tensor, error) {
	hidden, err := tensor.Full(tensor.F32, float32(math.Inf(-1)))
	if err != nil {
		return nil, err
	}
	return Where(mask, scores, hidden)
}
