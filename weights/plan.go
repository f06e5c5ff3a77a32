package weights

import (
	"fmt"
	"slices"

	"github.com/lever-go/lever/internal/offheap"
)

// Plan says how a [Streamer] uses the memory that it may take. It is plain data.
type Plan struct {
	DRAM int64 `json:"memory_bytes"` // the limit: Pinned, Ring, Kept and Tiles together are no more

	// Pinned segments stay in memory: first those of the head, unless a pass uses it only once, then others, spread evenly over the
	// pass, so that computing them hides the reading of those between them, at last those of an embedding that is no head.
	Pinned int64 `json:"pinned_bytes"`
	// Ring is the memory of the buffers that the other segments pass through. The consumer holds one of them.
	Ring        int64 `json:"ring_bytes"`
	Buffers     int   `json:"ring_buffers"`
	BufferBytes int   `json:"ring_buffer_bytes"`
	// Kept is the memory for segments that passes leave out at times, as they do with experts: those that were used last.
	Kept int64 `json:"kept_bytes,omitempty"`
	// Tiles is the memory for rows of the embedding and of other tables, which are looked up in tiles; TileCount is the number of tiles of each of them.
	Tiles     int64 `json:"tile_bytes"`
	TileCount int   `json:"tiles"`

	ReadSize int `json:"read_bytes"` // of one read
	Depth    int `json:"reads_in_flight"`

	Pass     int64 `json:"pass_bytes"`          // of the segments that a pass uses
	Streamed int64 `json:"streamed_pass_bytes"` // of them, read from flash in every pass
	// Experts are the bytes of experts, by the marks of the store, that are not pinned. A pass uses some of them; neither Pass nor Streamed counts
	// any.
	Experts int64 `json:"expert_bytes,omitempty"`
	// Tables are the bytes of tables beside the embedding. A pass reads the tiles of its tokens of them, whatever the memory.
	Tables     int64 `json:"table_bytes,omitempty"`
	HeadPinned bool  `json:"head_pinned"` // final norm and head are in memory as a whole

	Chunks []PlannedChunk `json:"chunks"` // in the order of the store
}

// PlannedChunk is the part of a [Plan] that concerns one chunk.
type PlannedChunk struct {
	File     string `json:"file"`
	Bytes    int64  `json:"bytes"`
	Segments int    `json:"segments"`
	Pinned   int64  `json:"pinned_bytes"`
	Pins     []int  `json:"pinned_segments"`        // indices, ascending
	Experts  int64  `json:"expert_bytes,omitempty"` // not pinned
}

// Total returns the memory that the plan takes in bytes.
func (p Plan) Total() int64 { return p.Pinned + p.Ring + p.Kept + p.Tiles }

// ReadsFlash reports whether passes read from flash.
func (p Plan) ReadsFlash() bool { return p.Streamed > 0 || p.Experts > 0 }

// Plan returns the plan for at most limit bytes of memory and otherwise usual options. Where the limit is too small, the error is a [MemoryError].
func (s *Store) Plan(limit int64) (Plan, error) { return s.PlanFor(StreamOptions{DRAM: limit}) }

// PlanFor returns the plan of the Streamer with these options.
func (s *Store) PlanFor(opts StreamOptions) (Plan, error) {
	p, _, err := s.manifest.plan(opts)
	if err != nil {
		return Plan{}, fmt.Errorf("weights: plan %s: %w", s.dir, err)
	}
	return p, nil
}

const (
	// fewBuffers let one segment be read while another is used. A limit that is too small for them works with one, though segments are
	// then read and used by turns.
	fewBuffers = 2
	// usualRing bridges the times in which the consumer takes nothing: computing a pinned head takes some tens of milliseconds.
	usualRing = 64 << 20
	// ringShare is the part of the memory that the ring takes at most, unless it is asked for: beyond what keeps the reads
	// going, a pinned byte saves more time than one of the ring.
	ringShare = 4
	tileShare = 16
)

// UsualRing returns how many bytes of the given memory the ring takes at most, unless [StreamOptions] ask for another.
func UsualRing(memory int64) int64 { return min(usualRing, memory/ringShare) }

// plan distributes the memory. pins says of each place of the scan whether it is pinned.
func (m *manifest) plan(opts StreamOptions) (p Plan, pins []bool, err error) {
	return m.planSparse(opts, nil)
}

// planSparse is plan for a model of which passes leave some segments out: sparse says of each place of the scan whether it is one of them;
// nil means those of experts.
func (m *manifest) planSparse(opts StreamOptions, sparse []bool) (p Plan, pins []bool, err error) {
	if err := opts.check(); err != nil {
		return p, nil, err
	}
	opts = opts.withDefaults()
	s, err := newScan(m)
	if err != nil {
		return p, nil, err
	}
	if sparse == nil {
		sparse = s.experts()
	}
	p = Plan{
		DRAM: opts.DRAM, BufferBytes: bufferBytes(s.largest()), ReadSize: opts.ReadSize, Depth: opts.Depth,
		Pass: s.bytes(0, s.pass) - s.expertBytes(),
	}
	p.Tables = s.tableBytes()
	tile := int64(m.tileBuffers())
	all := s.bytes(0, len(s.segments)) - p.Tables
	pins = make([]bool, len(s.segments))
	switch buffer := int64(p.BufferBytes); {
	case opts.DRAM >= all+tile:
		for i, e := range s.segments {
			pins[i] = !e.table
		}
		if p.TileCount = 1; p.Tables > 0 {
			p.TileCount = int(min(int64(opts.Tiles), (opts.DRAM-all)/tile))
		}
	case opts.DRAM == 0:
		p.Buffers = max(fewBuffers, int(positive(opts.Ring, usualRing)/buffer))
		p.TileCount = opts.Tiles
		p.DRAM = int64(p.Buffers)*buffer + int64(p.TileCount)*tile
	default:
		if least := m.least(&s); opts.DRAM < least {
			return p, nil, &MemoryError{Need: least, Have: opts.DRAM}
		}
		if tile > 0 {
			p.TileCount = int(min(int64(opts.Tiles), max(1, min(opts.DRAM/tileShare, opts.DRAM-fewBuffers*buffer)/tile)))
		}
		left := opts.DRAM - int64(p.TileCount)*tile
		ring := positive(opts.Ring, UsualRing(opts.DRAM))
		p.Buffers = int(min(max(ring/buffer, fewBuffers), left/buffer))
		if slices.Contains(sparse, true) {
			p.Buffers, p.Kept = s.pinDense(pins, sparse, left, buffer, p.Buffers, !opts.HeadOnce)
		} else {
			s.pin(pins, sparse, left-int64(p.Buffers)*buffer, !opts.HeadOnce)
		}
	}
	p.Buffers = min(p.Buffers, len(s.segments))
	p.Ring, p.Tiles = int64(p.Buffers)*int64(p.BufferBytes), int64(p.TileCount)*tile
	p.fill(m, &s, pins)
	return p, pins, nil
}

// least returns the smallest limit that works.
func (m *manifest) least(s *scan) int64 {
	return int64(bufferBytes(s.largest())) + int64(m.tileBuffers())
}

// bufferBytes returns the size of a buffer of the ring for segments of at most n bytes: whole huge pages, where that wastes little.
func bufferBytes(n int) int {
	if whole := (n + offheap.HugePage - 1) / offheap.HugePage * offheap.HugePage; whole-n <= n/8 {
		return whole
	}
	return n
}

// tileBuffers returns the memory that one tile of each table takes in the cache.
func (m *manifest) tileBuffers() (n int) {
	for _, t := range m.tables() {
		n += t.tileBuffer()
	}
	return n
}

// tileBuffer returns the memory that a tile takes in the cache: for direct reads it begins and ends at a multiple of the alignment, both in the file and
// in memory.
func (t *tensorEntry) tileBuffer() int { return t.tileSpan() + alignment }

// tileSpan returns the most bytes that a direct read of one tile covers.
func (t *tensorEntry) tileSpan() int {
	size := t.tileBytes()
	if size%alignment == 0 {
		return size
	}
	return alignUp(size) + alignment
}

// pin chooses segments of at most left bytes: of the head, if it comes first, then of the rest of the pass that is not sparse, then the
// others. It returns how many bytes it has pinned.
func (s *scan) pin(pins, sparse []bool, left int64, headFirst bool) (pinned int64) {
	var head, rest, others []int
	for i, e := range s.segments {
		switch {
		case e.table, sparse != nil && sparse[i]:
		case i >= s.pass:
			others = append(others, i)
		case e.head && headFirst:
			head = append(head, i)
		default:
			rest = append(rest, i)
		}
	}
	for _, group := range [][]int{head, rest, others} {
		pinned += s.spread(pins, group, left-pinned)
	}
	return pinned
}

// spread pins segments of a group, at most left bytes, so that any stretch of it has about the same share of pinned bytes. It
// returns how many bytes it has pinned.
func (s *scan) spread(pins []bool, group []int, left int64) int64 {
	total := int64(0)
	for _, i := range group {
		total += int64(s.segments[i].Size)
	}
	seen, pinned := int64(0), int64(0)
	for _, i := range group {
		size := int64(s.segments[i].Size)
		seen += size
		// Pinned so far would be seen/total of left; ahead of that by no more than half a segment.
		due := float64(seen) * min(1, float64(left)/float64(total))
		if float64(pinned)+float64(size)/2 <= due && pinned+size <= left {
			pins[i] = true
			pinned += size
		}
	}
	for _, i := range group { // what rounding has left
		if size := int64(s.segments[i].Size); !pins[i] && pinned+size <= left {
			pins[i] = true
			pinned += size
		}
	}
	return pinned
}

// fill sums up what is pinned.
func (p *Plan) fill(m *manifest, s *scan, pins []bool) {
	for _, c := range m.Chunks {
		p.Chunks = append(p.Chunks, PlannedChunk{File: c.File, Bytes: c.Size, Segments: len(c.Segments)})
	}
	p.HeadPinned, p.Streamed = true, p.Pass
	for i, e := range s.segments {
		if !pins[i] {
			if p.HeadPinned = p.HeadPinned && !e.head; e.Expert {
				p.Experts += int64(e.Size)
				p.Chunks[e.chunk].Experts += int64(e.Size)
			}
			continue
		}
		p.Pinned += int64(e.Size)
		if i < s.pass && !e.Expert {
			p.Streamed -= int64(e.Size)
		}
		c := &p.Chunks[e.chunk]
		c.Pinned += int64(e.Size)
		c.Pins = append(c.Pins, e.segment)
	}
	for i := range p.Chunks {
		slices.Sort(p.Chunks[i].Pins)
	}
}
