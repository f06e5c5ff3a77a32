package layers

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/lever-go/lever/kernels"
)

// QKNorm says how the queries and keys of an [Attention] are normalised before the rotation.
type QKNorm int

// Norms of queries and keys.
const (
	NoQKNorm   QKNorm = iota
	HeadQKNorm        // each head by itself, all heads with one gain [HeadDim]
	FullQKNorm        // all heads of a row together, with gains [Heads·HeadDim] and [KVHeads·HeadDim]
)

// AttentionConfig describes an [Attention] layer.
type AttentionConfig struct {
	Width   int // elements of a row of the residual stream
	Heads   int // query heads, a multiple of KVHeads
	KVHeads int // key and value heads
	HeadDim int // elements of a head

	// Cache keeps the keys and values, as those of its layer Layer. No other part may write to that layer. If it has
	// a Window, rows see no more than that.
	Cache *KVCache
	Layer int

	// Rotary turns the first RotaryDim elements of each head of queries and keys, and must be made for so many; 0 means HeadDim. Several
	// layers may share one. NoRotary says that there is none on purpose.
	Rotary    *Rotary
	RotaryDim int
	NoRotary  bool

	Bias       bool    // the projections q, k and v have one
	OutputBias bool    // the projection o has one
	Scale      float32 // of query·key; 0 means 1/√HeadDim
	QKNorm     QKNorm
	Norm       NormConfig // of queries and keys
	ValueNorm  bool       // each head of the values is normalised to RMS 1, with Norm.Eps and without a gain

	// SharedKV says that the keys and values are those that an attention built earlier writes to the layer of the cache: there are no projections
	// k and v, and no norm of keys. KeysAsValues says that values are the keys before norm and rotation: there is no projection v.
	SharedKV     bool
	KeysAsValues bool

	// QueryScale returns what the queries of a row at a position are multiplied by after the rotation, unless it is nil: a factor that grows with
	// the position in Llama 4 and Ministral 3. It is called from several goroutines.
	QueryScale func(position int) float32

	// SoftCap limits a score s, after the scale, to SoftCap·tanh(s/SoftCap) (Gemma 2); 0 means no limit. It is computed in plain Go, which costs
	// about as much as the rest of attention over a long text.
	SoftCap float32

	// Sinks says that each query head has a learned score that takes part in the softmax without a value (Xiao et al., arXiv 2309.17453, and
	// gpt-oss). It costs nothing.
	Sinks bool
}

// Attention is grouped-query attention (Ainslie et al., arXiv 2305.13245) with rotary positions and a KV cache:
//
//	q, k, v = Wq·x, Wk·x, Wv·x; q and k are normalised (if QKNorm says so) and rotated; y = Wo·softmax(Scale·q·kᵀ)·v
//
// Its tensors are name.q [Heads·HeadDim][Width], name.k and name.v [KVHeads·HeadDim][Width], name.q_norm and name.k_norm, name.sinks [Heads],
// and name.o [Width][Heads·HeadDim], read in this order, each matrix followed by its bias if it has one: name.q_bias, and so on. Those that the
// configuration does without are left out.
type Attention struct {
	config       AttentionConfig
	ws           *Workspace
	name         string
	qkv          group
	o            *Linear
	qNorm, kNorm *Norm     // nil without QKNorm; kNorm also with SharedKV
	ones         []float32 // [HeadDim], the gain of values with ValueNorm
	sinks        *vector   // nil without Sinks
	window       int       // 0 if rows see all
	options      kernels.AttentionOptions

	rows   *Rows // of the Forward under way
	store  func(worker, i int)
	attend func(worker, i int)
}

// NewAttention returns the attention layer whose tensors start with name.
func NewAttention(ws *Workspace, name string, c AttentionConfig) *Attention {
	if !ws.wiring.attention(name, &c) {
		return &Attention{config: c, ws: ws, name: name} // which NewDecoder refuses
	}
	if c.Scale == 0 {
		c.Scale = float32(1 / math.Sqrt(float64(c.HeadDim)))
	}
	qDim, kvDim := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	linear := func(tensor string, out, in int, bias bool) *Linear {
		return newLinear(ws, name+tensor, out, out, in, bias)
	}
	projections := []*Linear{linear(".q", qDim, c.Width, c.Bias)}
	if !c.SharedKV {
		projections = append(projections, linear(".k", kvDim, c.Width, c.Bias))
	}
	if !c.SharedKV && !c.KeysAsValues {
		projections = append(projections, linear(".v", kvDim, c.Width, c.Bias))
	}
	a := &Attention{config: c, ws: ws, name: name, qkv: newGroup(projections...), o: linear(".o", c.Width, qDim, c.OutputBias)}
	a.newNorms(qDim, kvDim)
	a.window = c.Cache.config.Layers[c.Layer].Window
	a.options = kernels.AttentionOptions{Scale: c.Scale, SoftCap: c.SoftCap}
	if c.Sinks {
		a.sinks = newVector(ws, name+".sinks", c.Heads)
		a.options.Sinks = a.sinks.values
	}
	ws.reserve(&ws.q, qDim)
	ws.reserve(&ws.mixed, qDim)
	ws.reserve(&ws.k, kvDim)
	ws.reserve(&ws.v, kvDim)
	a.store, a.attend = a.storeRow, a.attendGroup
	return a
}

// newNorms makes the norms of queries, keys and values, of so many elements.
func (a *Attention) newNorms(qDim, kvDim int) {
	c := &a.config
	if c.QKNorm == HeadQKNorm {
		qDim, kvDim = c.HeadDim, c.HeadDim
	}
	if c.QKNorm != NoQKNorm {
		a.qNorm = NewNorm(a.ws, a.name+".q_norm", qDim, c.Norm)
	}
	if c.QKNorm != NoQKNorm && !c.SharedKV {
		a.kNorm = NewNorm(a.ws, a.name+".k_norm", kvDim, c.Norm)
	}
	if c.ValueNorm {
		a.ones = slices.Repeat([]float32{1}, c.HeadDim)
	}
}

// Width returns the number of elements of a row.
func (a *Attention) Width() int { return a.config.Width }

// States returns nothing: attention keeps keys and values alone.
func (a *Attention) States() []State { return nil }

// Forward writes the attention of each row of x to dst, both [rows.Len()][Width], and stores the keys and values of the rows.
// dst must not overlap x.
func (a *Attention) Forward(ctx context.Context, dst, x []float32, rows *Rows) error {
	n, ws := rows.Len(), a.ws
	if err := errors.Join(ws.checkRows(a.name, x, n, a.config.Width), ws.checkRows(a.name, dst, n, a.config.Width)); err != nil {
		return err
	}
	in := ws.Input(x, n, a.config.Width)
	if err := a.qkv.forward(ctx, in, [][]float32{ws.q, ws.k, ws.v}[:len(a.qkv)]...); err != nil {
		return err
	}
	for _, norm := range []*Norm{a.qNorm, a.kNorm} {
		if norm == nil {
			continue
		}
		if err := norm.Load(ctx); err != nil {
			return err
		}
	}
	if a.sinks != nil {
		if err := a.sinks.read(ctx); err != nil {
			return err
		}
	}
	if a.config.Rotary != nil {
		for _, p := range rows.Positions {
			a.config.Rotary.Grow(p + 1)
		}
	}
	a.rows = rows
	ws.pool.Run(n, a.store)
	ws.pool.Run(n*a.config.KVHeads, a.attend)
	a.rows = nil
	return a.o.Forward(ctx, dst, ws.Input(ws.mixed, n, a.config.Heads*a.config.HeadDim))
}

// storeRow finishes the queries of row i, and puts its key and value into the cache unless they are shared.
func (a *Attention) storeRow(_, i int) {
	c, set := &a.config, a.ws.Kernels()
	qDim, kvDim := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	q, k, v := a.ws.q[i*qDim:(i+1)*qDim], a.ws.k[i*kvDim:(i+1)*kvDim], a.ws.v[i*kvDim:(i+1)*kvDim]
	if a.qNorm != nil {
		a.qNorm.applyAll(q)
	}
	if c.Rotary != nil {
		c.Rotary.Apply(set, q, c.Heads, a.rows.Positions[i])
	}
	if c.QueryScale != nil {
		scale := c.QueryScale(a.rows.Positions[i])
		for j := range q {
			q[j] *= scale
		}
	}
	if c.SharedKV {
		return
	}
	if c.KeysAsValues {
		copy(v, k)
	}
	if a.kNorm != nil {
		a.kNorm.applyAll(k)
	}
	if c.Rotary != nil {
		c.Rotary.Apply(set, k, c.KVHeads, a.rows.Positions[i])
	}
	if c.ValueNorm {
		for h := 0; h < len(v); h += c.HeadDim {
			set.RMSNorm(v[h:h+c.HeadDim], v[h:h+c.HeadDim], a.ones, c.Norm.Eps)
		}
	}
	a.rows.Caches[i].Put(c.Layer, a.rows.Slots[i], k, v)
}

// attendGroup computes, for one row, the query heads that share one key and value head.
func (a *Attention) attendGroup(worker, i int) {
	c := &a.config
	row, kvHead := i/c.KVHeads, i%c.KVHeads
	group, qDim := c.Heads/c.KVHeads, c.Heads*c.HeadDim
	visible := a.rows.Visible[row]
	if a.window > 0 {
		visible = visible.Last(a.window)
	}
	a.ws.Kernels().AttentionWith(a.ws.mixed[row*qDim:(row+1)*qDim], a.ws.q[row*qDim:(row+1)*qDim], a.rows.Caches[row].KV(c.Layer),
		kvHead*group, group, kvHead, visible, a.options, &a.ws.attention[worker])
}
