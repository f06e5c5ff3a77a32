package weights

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/lever-go/lever/internal/offheap"
	"github.com/lever-go/lever/tensor"
)

// cachedTile is a tile of the embedding in memory. It is on the Go heap, so that it stays valid for a consumer while the Streamer is
// trimmed or closed.
type cachedTile struct {
	mem     []byte // page-aligned
	data    []byte // the part of mem that is the tile
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
	r.tileMu.Lock()
	defer r.tileMu.Unlock()
	at := address{p.Chunk, p.Segment}
	size := t.tileBytes()
	offset := p.Offset + (index-p.Row/tensor.TileRows)*size // in the segment
	data, mem, err := r.findTile(ctx, index, r.scan.place[at], offset, size)
	if data != nil || err != nil {
		return data, err
	}
	from := (r.store.manifest.Chunks[at.chunk].Segments[at.segment].Offset + int64(offset)) / alignment * alignment
	skip := int(r.store.manifest.Chunks[at.chunk].Segments[at.segment].Offset + int64(offset) - from)
	l := &fetch{
		address: at, offset: from, dst: mem[:alignUp(skip+size)], data: mem[skip:][:size:size], crc: t.TileCRC32C[index],
		newChunk: true, place: -1,
	}
	r.mu.Lock()
	r.urgent = append(r.urgent, l)
	r.wake.Signal()
	r.mu.Unlock()
	_, err = r.await(ctx, r.tileArrived, embeddingName, &r.stats.WaitTime, func() (*fetch, error) {
		if !l.done {
			return nil, nil
		}
		return l, l.err
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		l.drop = true // a worker may still write to its memory, which is left to the garbage collector
		r.count(-r.tileBuffer)
		return nil, err
	}
	r.keepTile(index, mem, l.data)
	return l.data, nil
}

// findTile returns a tile that is in memory: in the cache, or in a segment, from which it is copied. Otherwise it returns memory to read it
// into.
func (r *Streamer) findTile(ctx context.Context, index, place, offset, size int) (data, mem []byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case r.closed:
		return nil, nil, fs.ErrClosed
	}
	if kept := r.tiles[index]; kept != nil {
		r.stats.TileHits++
		r.uses++
		kept.lastUse = r.uses
		return kept.data, nil, nil
	}
	mem = r.tileMemory()
	if l := r.fetches[place]; l != nil && l.done && l.err == nil {
		r.stats.TileHits++
		data = mem[:size:size]
		copy(data, l.data[offset:])
		r.keepTile(index, mem, data)
		return data, nil, nil
	}
	r.stats.TileReads++
	return nil, mem, nil
}

// tileMemory returns memory for a tile: that of the one that was not used for longest, if the cache is full. The caller holds the lock, as
// those of the following functions do.
func (r *Streamer) tileMemory() []byte {
	if len(r.tiles) < r.plan.TileCount {
		r.count(r.tileBuffer)
		return offheap.FromHeap(r.tileBuffer - alignment)
	}
	oldest := r.oldestTile()
	mem := r.tiles[oldest].mem
	delete(r.tiles, oldest)
	return mem
}

func (r *Streamer) keepTile(index int, mem, data []byte) {
	if r.closed {
		r.count(-r.tileBuffer)
		return
	}
	r.uses++
	r.tiles[index] = &cachedTile{mem, data, r.uses}
	r.trimTiles(r.plan.TileCount)
}

// trimTiles leaves at most n tiles in the cache, those that were used last.
func (r *Streamer) trimTiles(n int) {
	for len(r.tiles) > n {
		delete(r.tiles, r.oldestTile())
		r.count(-r.tileBuffer)
	}
}

// oldestTile returns the index of the tile that was not used for longest.
func (r *Streamer) oldestTile() int {
	return slices.MinFunc(slices.Collect(maps.Keys(r.tiles)), func(a, b int) int { return cmp.Compare(r.tiles[a].lastUse, r.tiles[b].lastUse) })
}
