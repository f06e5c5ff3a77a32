package profile

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

var rowCounts = []int{1, 2, 4, 8, 16, 32, 64}

const (
	blockBytes     = 256 << 20 // of blocks that are loaded
	headBytes      = 64 << 20  // of the output matrix that is loaded
	attentionAfter = 1024      // positions of text at which attention is measured
	attentionRows  = 16        // rows of that pass
	leastRounds    = 3         // of a measurement
)

// excerpt is the part of a model that is loaded: the first blocks, one tile of the embedding, and the first rows of the head.
type excerpt struct {
	layers.Memory
	config   layers.Config
	blocks   int
	tile     tensor.Packed // of the embedding
	headRows int
}

// Tile returns the one tile there is.
func (e *excerpt) Tile(context.Context, string, int) (tensor.Packed, error) { return e.tile, nil }

// loadExcerpt reads what is measured of a model.
func loadExcerpt(ctx context.Context, store *weights.Store) (e *excerpt, err error) {
	e = &excerpt{}
	if e.config, err = layers.ParseConfig(store.Config()); err != nil {
		return nil, err
	}
	info, err := weights.Inspect(store.Dir())
	if err != nil {
		return nil, err
	}
	streamer, err := store.Stream(ctx, weights.StreamOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, streamer.Close()) }()
	tile, err := streamer.Tile(ctx, "embedding", 0)
	if err != nil {
		return nil, err
	}
	e.tile = tile
	e.tile.Data = slices.Clone(tile.Data)

	loaded := int64(0)
	for e.blocks < e.config.Layers && (e.blocks == 0 || loaded+loaded/int64(e.blocks) <= blockBytes) {
		for _, t := range info.Tensors {
			if !strings.HasPrefix(t.Name, fmt.Sprintf("block.%d.", e.blocks)) {
				continue
			}
			if _, err := e.load(ctx, streamer, t.Name, t.Name, t.Bytes); err != nil {
				return nil, err
			}
			loaded += t.Bytes
		}
		e.blocks++
	}
	if _, err := e.load(ctx, streamer, "final_norm", "final_norm", headBytes); err != nil {
		return nil, err
	}
	head := "head"
	if e.config.Tied {
		head = "embedding"
	}
	e.headRows, err = e.load(ctx, streamer, head, "head", headBytes)
	return e, err
}

// load copies the first parts of a tensor, about limit bytes, and returns the number of their rows.
func (e *excerpt) load(ctx context.Context, from layers.Weights, name, as string, limit int64) (rows int, err error) {
	var all tensor.Packed
	for p, err := range from.Parts(ctx, name) {
		if err != nil {
			return 0, err
		}
		if all.Data == nil {
			all = tensor.Packed{Type: p.Type, Cols: p.Cols, Data: make([]byte, 0, min(limit+int64(len(p.Data)), 1<<30))}
		}
		all.Data = append(all.Data, p.Data...)
		all.Rows += p.Rows
		if int64(len(all.Data)) >= limit {
			break
		}
	}
	return all.Rows, e.Set(as, all)
}

// bench is a decoder over an excerpt that takes the time of its parts.
type bench struct {
	decoder *layers.Decoder
	cache   *layers.KVCache
	tokens  int // that have a row in the tile
	blocks  []float64
	heads   []float64
	logits  []float32
	rows    []int
}

func newBench(e *excerpt, pool *kernels.Pool) (*bench, error) {
	cfg, most := e.config, rowCounts[len(rowCounts)-1]
	cache, err := layers.NewKVCache(layers.KVConfig{
		Layers: layers.UniformKV(e.blocks, layers.KVLayer{KVHeads: cfg.KVHeads, HeadDim: cfg.HeadDim}), Context: max(cfg.MaxPositions, most),
	})
	if err != nil {
		return nil, err
	}
	ws := layers.NewWorkspace(e, pool, most)
	b := &bench{cache: cache, tokens: e.tile.Rows, logits: make([]float32, most*e.headRows)}
	for i := range most {
		b.rows = append(b.rows, i)
	}
	m := layers.Model{
		Workspace: ws,
		Cache:     cache,
		Embedding: layers.NewEmbedding(ws, "embedding", e.tile.Rows, cfg.Width),
		Norm:      layers.NewRMSNorm(ws, "final_norm", cfg.Width, cfg.NormEps),
		Head:      layers.NewLinear(ws, "head", e.headRows, cfg.Width),
		Trace: func(part string, _ int, began time.Time) {
			seconds := time.Since(began).Seconds()
			switch {
			case part == "head":
				b.heads = append(b.heads, seconds)
			case strings.HasPrefix(part, "block."):
				b.blocks = append(b.blocks, seconds)
			}
		},
	}
	norm := layers.NormConfig{Eps: cfg.NormEps}
	attention := layers.AttentionConfig{
		Width: cfg.Width, Heads: cfg.Heads, KVHeads: cfg.KVHeads, HeadDim: cfg.HeadDim,
		Cache: cache, Rotary: layers.NewRotary(cfg.Rope.Frequencies(cfg.HeadDim)), Norm: norm,
	}
	if cfg.Family == layers.Qwen3 {
		attention.QKNorm = layers.HeadQKNorm
	}
	for i := range e.blocks {
		name := fmt.Sprintf("block.%d", i)
		attention.Layer = i
		m.Layers = append(m.Layers, layers.NewBlock(ws, name, layers.BlockConfig{
			Width: cfg.Width, Norm: norm,
			Mixer: layers.NewAttention(ws, name, attention),
			MLP:   layers.NewMLP(ws, name, layers.MLPConfig{Width: cfg.Width, FFN: cfg.FFN}),
		}))
	}
	b.decoder, err = layers.Assemble(m)
	return b, err
}

// run computes passes of n rows for about the given time and returns the time of a block and of the projection.
func (b *bench) run(ctx context.Context, n int, duration time.Duration) (block, head float64, err error) {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(i % b.tokens)
	}
	vocab := b.decoder.Vocab()
	b.blocks, b.heads = b.blocks[:0], b.heads[:0]
	began := time.Now()
	for round := 0; round <= leastRounds || time.Since(began) < duration; round++ {
		if round == 1 {
			b.blocks, b.heads = b.blocks[:0], b.heads[:0] // the first warms up
		}
		if _, err := b.decoder.Forward(ctx, layers.Batch{Tokens: tokens}); err != nil {
			return 0, 0, err
		}
		if err := b.decoder.Project(ctx, b.logits[:n*vocab], b.rows[:n]); err != nil {
			return 0, 0, err
		}
		if err := b.decoder.Commit(nil); err != nil {
			return 0, 0, err
		}
	}
	return typical(b.blocks), typical(b.heads), nil
}

// typical returns the lower quartile: what else the machine does makes times longer, never shorter.
func typical(x []float64) float64 {
	slices.Sort(x)
	return x[(len(x)-1)/4]
}

// settle lowers the times of points to that of any point with more rows: fewer rows can take no longer.
func settle(points []gaincost.Point) {
	for i := len(points) - 2; i >= 0; i-- {
		points[i].Seconds = min(points[i].Seconds, points[i+1].Seconds)
	}
}

// extend makes the text n positions longer without computing them.
func (b *bench) extend(n int) error {
	if _, err := b.cache.Append(n, nil); err != nil {
		return err
	}
	path := make([]int, n)
	for i := range path {
		path[i] = i
	}
	return b.cache.Commit(path)
}

// measureModel measures one model, for about the given time.
func measureModel(ctx context.Context, store *weights.Store, pool *kernels.Pool, duration time.Duration, report func(done, total int64)) (*Model, error) {
	name := filepath.Base(store.Dir())
	bad := func(err error) (*Model, error) { return nil, fmt.Errorf("profile: %s: %w", name, err) }
	hash, err := store.Hash()
	if err != nil {
		return bad(err)
	}
	e, err := loadExcerpt(ctx, store)
	if err != nil {
		return bad(err)
	}
	b, err := newBench(e, pool)
	if err != nil {
		return bad(err)
	}
	defer b.decoder.Close()
	m := &Model{Name: name, Hash: hash, Bytes: store.Bytes(), Blocks: e.config.Layers}
	steps := int64(len(rowCounts) + 1)
	each := duration / time.Duration(steps)
	whole := float64(e.config.Vocab) / float64(e.headRows)
	for i, n := range rowCounts {
		block, head, err := b.run(ctx, n, each)
		if err != nil {
			return bad(err)
		}
		m.Block = append(m.Block, gaincost.Point{Rows: n, Seconds: block})
		m.Projection = append(m.Projection, gaincost.Point{Rows: n, Seconds: head * whole})
		report(int64(i+1), steps)
	}
	settle(m.Block)
	settle(m.Projection)
	if m.Attention, err = b.attention(ctx, e.config.MaxPositions, m.Block, each); err != nil {
		return bad(err)
	}
	report(steps, steps)
	return m, nil
}

// attention measures what a row takes longer in a block for each position before it.
func (b *bench) attention(ctx context.Context, context int, short []gaincost.Point, duration time.Duration) (float64, error) {
	positions := min(attentionAfter, context-attentionRows)
	if positions < 1 {
		return 0, nil
	}
	if err := b.extend(positions); err != nil {
		return 0, err
	}
	long, _, err := b.run(ctx, attentionRows, duration)
	if err != nil {
		return 0, err
	}
	extra := long - gaincost.Curve{Points: short}.At(attentionRows)
	return max(0, extra) / float64(positions*attentionRows), nil
}
