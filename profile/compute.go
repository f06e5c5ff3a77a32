package profile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lever-go/lever/arch"
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

// excerpt is the part of a model that is measured, copied into memory as it is first asked for: the first blocks, one tile of the embedding and of
// each other table, and the first rows of the head.
type excerpt struct {
	layers.Memory
	model    *arch.Model
	streamer *weights.Streamer
	blocks   int
	tiles    map[string]tensor.Packed // by table
	headRows int
}

// headName is the name of the excerpt's head, which in tied models is a part of the embedding.
const headName = "head"

// Parts implements [layers.Weights].
func (e *excerpt) Parts(ctx context.Context, name string) iter.Seq2[tensor.Packed, error] {
	if !e.Has(name) {
		if _, err := e.load(ctx, name, name, math.MaxInt64); err != nil {
			return func(yield func(tensor.Packed, error) bool) { yield(tensor.Packed{}, err) }
		}
	}
	return e.Memory.Parts(ctx, name)
}

// Tile returns the first tile of a table.
func (e *excerpt) Tile(ctx context.Context, name string, _ int) (tensor.Packed, error) {
	if tile, ok := e.tiles[name]; ok {
		return tile, nil
	}
	tile, err := e.streamer.Tile(ctx, name, 0)
	if err != nil {
		return tile, err
	}
	tile.Data = slices.Clone(tile.Data)
	e.tiles[name] = tile
	return tile, nil
}

// openExcerpt reads the ends of what is measured of a model. The caller closes its streamer.
func openExcerpt(ctx context.Context, store *weights.Store, model *arch.Model) (e *excerpt, err error) {
	e = &excerpt{model: model, tiles: map[string]tensor.Packed{}}
	if e.streamer, err = store.Stream(ctx, weights.StreamOptions{}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.streamer.Close())
		}
	}()
	if _, err = e.Tile(ctx, arch.Embedding, 0); err != nil {
		return nil, err
	}
	if e.headRows, err = e.load(ctx, model.HeadName(), headName, headBytes); err != nil {
		return nil, err
	}
	info, err := weights.Inspect(store.Dir())
	if err != nil {
		return nil, err
	}
	each := int64(0)
	for _, t := range info.Tensors {
		if t.Chunk > 0 && t.Name != arch.Head {
			each += t.Bytes / int64(model.Layers)
		}
	}
	e.blocks = int(min(int64(model.Layers), max(1, blockBytes/max(each, 1))))
	return e, nil
}

// load copies the first parts of a tensor, about limit bytes, and returns the number of their rows.
func (e *excerpt) load(ctx context.Context, name, as string, limit int64) (rows int, err error) {
	var all tensor.Packed
	for p, err := range e.streamer.Parts(ctx, name) {
		if err != nil {
			return 0, err
		}
		if all.Data == nil {
			all = tensor.Packed{Type: p.Type, Cols: p.Cols}
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
	most := rowCounts[len(rowCounts)-1]
	b := &bench{tokens: e.tiles[arch.Embedding].Rows, logits: make([]float32, most*e.headRows)}
	for i := range most {
		b.rows = append(b.rows, i)
	}
	parts, err := e.model.DecoderConfig(e, arch.Options{Pool: pool, MaxBatch: most, Trace: func(part string, _ int, began time.Time) {
		seconds := time.Since(began).Seconds()
		switch {
		case part == "head":
			b.heads = append(b.heads, seconds)
		case strings.HasPrefix(part, "block."):
			b.blocks = append(b.blocks, seconds)
		}
	}})
	if err != nil {
		return nil, err
	}
	parts.Layers = parts.Layers[:e.blocks]
	parts.Head = layers.NewLinear(parts.Workspace, headName, e.headRows, e.model.Width)
	b.cache = parts.Cache
	b.decoder, err = layers.NewDecoder(parts)
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
func measureModel(ctx context.Context, store *weights.Store, model *arch.Model, pool *kernels.Pool, duration time.Duration, report func(done, total int64)) (_ *ModelTimes, err error) {
	name := filepath.Base(store.Dir())
	bad := func(err error) (*ModelTimes, error) { return nil, fmt.Errorf("profile: %s: %w", name, err) }
	hash, err := store.Hash()
	if err != nil {
		return bad(err)
	}
	e, err := openExcerpt(ctx, store, model)
	if err != nil {
		return bad(err)
	}
	defer func() { err = errors.Join(err, e.streamer.Close()) }()
	b, err := newBench(e, pool)
	if err != nil {
		return bad(err)
	}
	defer b.decoder.Close()
	m := &ModelTimes{Name: name, Hash: hash, Bytes: store.Bytes(), Blocks: model.Layers}
	steps := int64(len(rowCounts) + 1)
	each := duration / time.Duration(steps)
	whole := float64(model.Vocab) / float64(e.headRows)
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
	if m.Attention, err = b.attention(ctx, model.MaxPositions, m.Block, each); err != nil {
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
