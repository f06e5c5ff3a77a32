package layers

import (
	"context"
	"errors"
	"math"
)

// AttentionConfig describes an [Attention] layer.
type AttentionConfig struct {
	Width   int     // elements of a row of the residual stream
	Heads   int     // query heads, a multiple of KVHeads
	KVHeads int     // key and value heads
	HeadDim int     // elements of a head
	QKNorm  bool    // queries and keys are normalised per head before the rotation
	NormEps float32 // of all norms of the layer or block
}

// Attention is grouped-query attention (Ainslie et al., arXiv 2305.13245) with rotary positions and a KV cache:
//
//	q, k, v = Wq·x, Wk·x, Wv·x; q and k are normalised per head (if QKNorm) and rotated; y = Wo·softmax(q·kᵀ/√HeadDim)·v
//
// Its tensors are prefix.q [Heads·HeadDim][Width], prefix.k and prefix.v [KVHeads·HeadDim][Width], prefix.q_norm and
// prefix.k_norm [HeadDim], and prefix.o [Width][Heads·HeadDim], read in this order.
type Attention struct {
	config       AttentionConfig
	ws           *Workspace
	name         string
	rotary       *Rotary
	cache        *KVCache
	layer        int // in cache
	qkv          group
	o            *Linear
	qNorm, kNorm *RMSNorm // nil without QKNorm
	scale        float32

	rows   *Rows // of the Forward under way
	store  func(worker, i int)
	attend func(worker, i int)
}

// NewAttention returns the attention layer whose tensors start with prefix and whose keys and values are those of the given layer
// of cache.
func NewAttention(ws *Workspace, prefix string, config AttentionConfig, rotary *Rotary, cache *KVCache, layer int) *Attention {
	if !ws.wiring.attention(prefix, config, rotary, cache, layer) {
		return &Attention{ws: ws, name: prefix} // which Assemble refuses
	}
	qDim, kvDim := config.Heads*config.HeadDim, config.KVHeads*config.HeadDim
	a := &Attention{
		config: config, ws: ws, name: prefix, rotary: rotary, cache: cache, layer: layer,
		qkv: newGroup(
			NewLinear(ws, prefix+".q", qDim, config.Width),
			NewLinear(ws, prefix+".k", kvDim, config.Width),
			NewLinear(ws, prefix+".v", kvDim, config.Width),
		),
		o:     NewLinear(ws, prefix+".o", config.Width, qDim),
		scale: float32(1 / math.Sqrt(float64(config.HeadDim))),
	}
	if config.QKNorm {
		a.qNorm = NewRMSNorm(ws, prefix+".q_norm", config.HeadDim, config.NormEps)
		a.kNorm = NewRMSNorm(ws, prefix+".k_norm", config.HeadDim, config.NormEps)
	}
	ws.reserve(&ws.q, qDim)
	ws.reserve(&ws.mixed, qDim)
	ws.reserve(&ws.k, kvDim)
	ws.reserve(&ws.v, kvDim)
	a.store, a.attend = a.storeRow, a.attendGroup
	return a
}

// Forward writes the attention of each row of x to dst, both [rows.Len()][Width], and stores the keys and values of the rows.
// dst must not overlap x.
func (a *Attention) Forward(ctx context.Context, dst, x []float32, rows *Rows) error {
	n, ws := rows.Len(), a.ws
	if err := errors.Join(ws.checkRows(a.name, x, n, a.config.Width), ws.checkRows(a.name, dst, n, a.config.Width)); err != nil {
		return err
	}
	in := ws.Input(x, n, a.config.Width)
	if err := a.qkv.forward(ctx, in, ws.q, ws.k, ws.v); err != nil {
		return err
	}
	if a.config.QKNorm {
		if err := a.qNorm.Load(ctx); err != nil {
			return err
		}
		if err := a.kNorm.Load(ctx); err != nil {
			return err
		}
	}
	for _, p := range rows.Positions {
		a.rotary.Grow(p + 1)
	}
	a.rows = rows
	ws.pool.Run(n, a.store)
	ws.pool.Run(n*a.config.KVHeads, a.attend)
	a.rows = nil
	return a.o.Forward(ctx, dst, ws.Input(ws.mixed, n, a.config.Heads*a.config.HeadDim))
}

// storeRow finishes the queries and the key of row i and puts key and value into the cache.
func (a *Attention) storeRow(_, i int) {
	c, set := &a.config, a.ws.Kernels()
	qDim, kvDim := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	q, k, v := a.ws.q[i*qDim:(i+1)*qDim], a.ws.k[i*kvDim:(i+1)*kvDim], a.ws.v[i*kvDim:(i+1)*kvDim]
	if c.QKNorm {
		a.qNorm.applyAll(q)
		a.kNorm.applyAll(k)
	}
	a.rotary.Apply(set, q, c.Heads, a.rows.Positions[i])
	a.rotary.Apply(set, k, c.KVHeads, a.rows.Positions[i])
	a.cache.Put(a.layer, a.rows.Slots[i], k, v)
}

// attendGroup computes, for one row, the query heads that share one key and value head.
func (a *Attention) attendGroup(worker, i int) {
	c := &a.config
	row, kvHead := i/c.KVHeads, i%c.KVHeads
	group, qDim := c.Heads/c.KVHeads, c.Heads*c.HeadDim
	a.ws.Kernels().Attention(a.ws.mixed[row*qDim:(row+1)*qDim], a.ws.q[row*qDim:(row+1)*qDim], a.cache.KV(a.layer),
		kvHead*group, group, kvHead, a.rows.Visible[row], a.scale, &a.ws.attention[worker])
}
