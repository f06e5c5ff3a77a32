package weights

import (
	"context"
	"fmt"
	"io/fs"
	"math"

	"github.com/lever-go/lever/internal/offheap"
	"github.com/lever-go/lever/tensor"
)

// tileCache keeps the tiles of a table that were used last. Each takes buffer bytes.
type tileCache struct {
	buffer int
	tiles  map[int]*cachedTile // by index
	spare  []*cachedTile       // whose memory another has
}

// cachedTile is a tile in memory. It is on the Go heap, so that it stays valid for a consumer while the Streamer is
// trimmed or closed.
type cachedTile struct {
	mem     []byte // page-aligned
	data    []byte // the part of mem that is the tile
	lastUse int64
}

// Tile returns the tile that holds a row of the embedding, or of another table: tensors whose tiles have checksums. It reads only that
// tile, or nothing if it was used lately. The data are page-aligned and valid until the next call.
func (r *Streamer) Tile(ctx context.Context, name string, row int) (tensor.Packed, error) {
	t, ok := r.tensors[name]
	if !ok {
		return tensor.Packed{}, r.store.unknownTensor(name)
	}
	if !t.isTable() {
		return tensor.Packed{}, fmt.Errorf("weights: stream %s: single tiles are read of tables only, such as %s: %w", name, embeddingName, ErrUnsupported)
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
	r.tileMu.Lock()
	defer r.tileMu.Unlock()
	at, cache := address{p.Chunk, p.Segment}, r.tiles[t.Name]
	size := t.tileBytes()
	offset := p.Offset + (index-p.Row/tensor.TileRows)*size // in the segment
	data, mem, err := r.findTile(ctx, cache, index, r.scan.place[at], offset, size)
	if data != nil || err != nil {
		return data, err
	}
	from := (r.store.manifest.Chunks[at.chunk].Segments[at.segment].Offset + int64(offset)) / alignment * alignment
	skip := int(r.store.manifest.Chunks[at.chunk].Segments[at.segment].Offset + int64(offset) - from)
	r.mu.Lock()
	l := r.newFetch()
	*l = fetch{
		address: at, offset: from, dst: mem[:alignUp(skip+size)], data: mem[skip:][:size:size], skip: skip, crc: t.TileCRC32C[index],
		newChunk: true, place: -1,
	}
	r.urgent = append(r.urgent, l)
	r.wake.Signal()
	r.mu.Unlock()
	_, err = r.await(ctx, r.tileArrived, t.Name, &r.stats.WaitTime, func() (*fetch, error) {
		if !l.done {
			return nil, nil
		}
		return l, l.err
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		l.drop = true // a worker may still write to its memory, which is left to the garbage collector
		r.count(-cache.buffer)
		return nil, err
	}
	data = l.data
	r.recycle(l)
	r.keepTile(cache, index, mem, data)
	return data, nil
}

// findTile returns a tile that is in memory: in the cache, or in a segment, from which it is copied. Otherwise it returns memory to read it
// into.
func (r *Streamer) findTile(ctx context.Context, cache *tileCache, index, place, offset, size int) (data, mem []byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case r.closed:
		return nil, nil, fs.ErrClosed
	}
	if kept := cache.tiles[index]; kept != nil {
		r.stats.TileHits++
		r.uses++
		kept.lastUse = r.uses
		return kept.data, nil, nil
	}
	mem = r.tileMemory(cache)
	if l := r.fetches[place]; l != nil && l.done && l.err == nil {
		r.stats.TileHits++
		data = mem[:size:size]
		copy(data, l.data[offset:])
		r.keepTile(cache, index, mem, data)
		return data, nil, nil
	}
	r.stats.TileReads++
	return nil, mem, nil
}

// tileMemory returns memory for a tile: that of the one that was not used for longest, if the cache is full. The caller holds the lock, as
// those of the following functions do.
func (r *Streamer) tileMemory(c *tileCache) []byte {
	if len(c.tiles) < r.plan.TileCount {
		r.count(c.buffer)
		return offheap.FromHeap(c.buffer - alignment)
	}
	oldest := c.oldest()
	tile := c.tiles[oldest]
	delete(c.tiles, oldest)
	c.spare = append(c.spare, tile)
	return tile.mem
}

func (r *Streamer) keepTile(c *tileCache, index int, mem, data []byte) {
	if r.closed {
		r.count(-c.buffer)
		return
	}
	r.uses++
	if len(c.spare) == 0 {
		c.spare = append(c.spare, &cachedTile{})
	}
	last := len(c.spare) - 1
	tile := c.spare[last]
	*tile, c.tiles[index], c.spare = cachedTile{mem, data, r.uses}, tile, c.spare[:last]
	r.trimTiles(r.plan.TileCount)
}

// trimTiles leaves at most n tiles of each table in its cache, those that were used last.
func (r *Streamer) trimTiles(n int) {
	for _, c := range r.tiles {
		for len(c.tiles) > n {
			delete(c.tiles, c.oldest())
			r.count(-c.buffer)
		}
	}
}

// oldest returns the index of the tile that was not used for longest.
func (c *tileCache) oldest() int {
	oldest, uses := -1, int64(math.MaxInt64)
	for index, tile := range c.tiles {
		if tile.lastUse < uses {
			oldest, uses = index, tile.lastUse
		}
	}
	return oldest
}
