package weights

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/lever-go/lever/tensor"
)

// tileCache keeps the tiles of the embedding that were used last.
type tileCache struct {
	mu    sync.Mutex // held during a request
	limit int
	tiles map[int]*cachedTile // by index
	uses  int64
}

type cachedTile struct {
	index   int
	buf     pages
	lastUse int64
}

// Tile returns the tile that holds a row of the embedding, the one tensor whose tiles have checksums. It reads only that
// tile, or nothing if it was used lately. The data are page-aligned and valid until the next call.
func (r *Streamer) Tile(ctx context.Context, name string, row int) (tensor.Packed, error) {
	t, ok := r.tensors[name]
	if !ok {
		return tensor.Packed{}, r.store.unknownTensor(name)
	}
	if t.TileCRC32C == nil {
		return tensor.Packed{}, fmt.Errorf("weights: stream %s: single tiles are read of %s only: %w", name, embeddingName, ErrUnsupported)
	}
	part, err := t.partOf(row)
	if err != nil {
		return tensor.Packed{}, err
	}
	data, err := r.tile(ctx, t, t.Parts[part], row/tensor.TileRows)
	if err != nil {
		return tensor.Packed{}, fmt.Errorf("weights: stream row %d of %s: %w", row, name, err)
	}
	first := row / tensor.TileRows * tensor.TileRows
	return tensor.Packed{Type: t.dtype, Row: first, Rows: min(tensor.TileRows, t.Rows-first), Cols: t.Cols, Data: data}, nil
}

// tile returns the bytes of a tile of part p.
func (r *Streamer) tile(ctx context.Context, t *tensorEntry, p partEntry, index int) ([]byte, error) {
	c := &r.tiles
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.tiles[index]
	if err := r.countTile(ctx, kept != nil); err != nil {
		return nil, err
	}
	c.uses++
	if kept != nil {
		kept.lastUse = c.uses
		return kept.buf.bytes, nil
	}
	size := tensor.TileBytes(t.dtype, t.Cols)
	buf := c.evict()
	if buf.bytes == nil {
		buf = heapPages(size)
		r.grow(alignUp(size))
	}
	rd := newRead(address{p.Chunk, p.Segment}, r.store.manifest.Chunks[p.Chunk].Segments[p.Segment])
	rd.offset += int64(p.Offset + (index-p.Row/tensor.TileRows)*size)
	rd.size, rd.crc, rd.buf = size, t.TileCRC32C[index], buf
	if err := r.fetch(ctx, rd); err != nil {
		r.grow(-alignUp(size)) // a worker may still write to the buffer: it is left to the garbage collector
		return nil, err
	}
	if c.tiles == nil {
		c.tiles = map[int]*cachedTile{}
	}
	c.tiles[index] = &cachedTile{index, buf, c.uses}
	return buf.bytes, nil
}

// evict removes the tile that was not used for longest, if the cache is full, and returns its buffer.
func (c *tileCache) evict() pages {
	if len(c.tiles) < c.limit {
		return pages{}
	}
	oldest := slices.MinFunc(slices.Collect(maps.Values(c.tiles)), func(a, b *cachedTile) int { return cmp.Compare(a.lastUse, b.lastUse) })
	delete(c.tiles, oldest.index)
	return oldest.buf
}

// fetch lets a worker do rd at once and waits for it.
func (r *Streamer) fetch(ctx context.Context, rd *read) error {
	r.mu.Lock()
	r.direct = append(r.direct, rd)
	r.wake.Broadcast()
	r.mu.Unlock()
	return r.await(ctx, rd)
}

// countTile counts a request for a tile, and refuses it when ctx is cancelled or the Streamer closed.
func (r *Streamer) countTile(ctx context.Context, hit bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case r.closed:
		return fs.ErrClosed
	case hit:
		r.stats.TileHits++
	default:
		r.stats.TileReads++
	}
	return nil
}

// grow adds n bytes to the memory held by tiles.
func (r *Streamer) grow(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held += int64(n)
	r.stats.PeakBytes = max(r.stats.PeakBytes, r.held)
}
