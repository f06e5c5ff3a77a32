package weights

import (
	"fmt"

	"github.com/lever-go/lever/tensor"
)

const (
	targetSegment = 4 << 20 // a segment is closed where it would grow beyond this
	minSegment    = 1 << 20 // but not while it is smaller than this
)

// stored is a tensor as a store will hold it.
type stored struct {
	name       string
	dtype      tensor.DType
	rows, cols int
	expert     string // see [Tensor]
}

// layout assigns a place to every tensor. steps holds the tensors of each execution step, in order of use; each step becomes
// one chunk. Checksums are left zero.
func layout(steps [][]stored) ([]chunkEntry, []tensorEntry, error) {
	var chunks []chunkEntry
	var tensors []tensorEntry
	for i, step := range steps {
		c := chunkLayout{index: i}
		for _, t := range step {
			e, err := c.add(t)
			if err != nil {
				return nil, nil, err
			}
			tensors = append(tensors, e)
		}
		chunks = append(chunks, c.entry())
	}
	return chunks, tensors, nil
}

// chunkLayout fills the segments of one chunk.
type chunkLayout struct {
	index  int
	sizes  []int  // of the segments so far, in bytes
	sparse []bool // whether they are an expert's
	expert string // whose segment the last one is
}

// add places a tensor, cut into parts of whole tiles and nearly equal size.
func (c *chunkLayout) add(t stored) (tensorEntry, error) {
	e := tensorEntry{Name: t.name, Type: t.dtype.String(), Rows: t.rows, Cols: t.cols, dtype: t.dtype}
	tiles := tileCount(t.rows)
	least := tensor.PackedBytes(t.dtype, min(t.rows, tensor.TileRows), t.cols)
	if least > maxSegment-minSegment {
		return e, fmt.Errorf("weights: tensor %s: %d rows of %d columns take %d bytes, more than a segment holds: %w",
			t.name, min(t.rows, tensor.TileRows), t.cols, least, ErrUnsupported)
	}
	perPart := max(1, targetSegment/least)
	if t.expert != c.expert || c.index == 0 { // tables share no segments either: others are pinned
		c.expert = t.expert
		c.sizes, c.sparse = append(c.sizes, 0), append(c.sparse, t.expert != "")
	}
	parts := (tiles + perPart - 1) / perPart
	for i := range parts {
		row, end := i*tiles/parts*tensor.TileRows, min((i+1)*tiles/parts*tensor.TileRows, t.rows)
		p := partEntry{Chunk: c.index, Row: row, Rows: end - row}
		p.Segment, p.Offset = c.place(tensor.PackedBytes(t.dtype, p.Rows, t.cols))
		e.Parts = append(e.Parts, p)
	}
	if c.index == 0 { // of tables, whose rows are looked up
		e.TileCRC32C = make([]uint32, tiles)
	}
	return e, nil
}

// place finds room for size bytes in the last segment or in a new one.
func (c *chunkLayout) place(size int) (segment, offset int) {
	size = alignUp(size)
	last := len(c.sizes) - 1
	limit := targetSegment
	if c.expert != "" {
		limit = maxSegment // so that an expert is read in one piece
	}
	if last < 0 || c.sizes[last] >= minSegment && c.sizes[last]+size > limit {
		c.sizes, c.sparse = append(c.sizes, 0), append(c.sparse, c.expert != "")
		last++
	}
	offset = c.sizes[last]
	c.sizes[last] += size
	return last, offset
}

func (c *chunkLayout) entry() chunkEntry {
	e := chunkEntry{File: fmt.Sprintf(chunkPattern, c.index)}
	for i, size := range c.sizes {
		e.Segments = append(e.Segments, segmentEntry{Offset: e.Size, Size: size, Expert: c.sparse[i]})
		e.Size += int64(size)
	}
	return e
}
