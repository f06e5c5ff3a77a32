package weights

import (
	"fmt"
	"math"
	"slices"

	"github.com/lever-go/lever/tensor"
)

// address is the place of a segment in a store.
type address struct{ chunk, segment int }

// scan is the order in which a [Streamer] provides the segments of a store: those of a pass, again and again. Segments that no pass
// reads in order, those of an embedding beside a head and of other tables, follow them; whoever has read the last of these starts a pass.
type scan struct {
	segments []scanned
	pass     int             // the first ones are those of a pass
	place    map[address]int // index in segments
	dense    []int           // by place: the first one from there on that is not an expert's
}

// scanned is a segment in a scan.
type scanned struct {
	address
	segmentEntry
	head    bool         // it holds rows of the final norm or of the matrix that serves as the head
	table   bool         // it holds rows of a table that is not the embedding, and is never pinned
	last    int          // offset of its last part
	largest int          // bytes of its largest part
	dtype   tensor.DType // of that
}

// newScan returns the scan of a store. Tables, of which a pass looks up single rows, do not belong to a pass, but the embedding does where it serves
// as the head too, and then comes last.
func newScan(m *manifest) (scan, error) {
	s := scan{place: map[address]int{}}
	tied := m.tensors()[headName] == nil
	for i := range m.Tensors {
		if t := &m.Tensors[i]; !t.isTable() {
			s.add(m, t, t.Name == headName || t.Name == finalNormName)
		}
	}
	s.pass = len(s.segments)
	if embedding := m.tensors()[embeddingName]; embedding != nil {
		s.add(m, embedding, tied)
	}
	if tied {
		s.pass = len(s.segments)
	}
	if s.pass == 0 {
		return s, corrupt("no tensors to read")
	}
	for _, t := range m.tables() {
		if t.Name == embeddingName {
			continue
		}
		from := len(s.segments)
		s.add(m, t, false)
		for i := from; i < len(s.segments); i++ {
			s.segments[i].table = true
		}
	}
	s.dense = make([]int, len(s.segments))
	for i := len(s.segments) - 1; i >= 0; i-- {
		if s.dense[i] = i; s.segments[i].Expert && i+1 < len(s.segments) {
			s.dense[i] = s.dense[i+1]
		}
	}
	return s, nil
}

func (s *scan) add(m *manifest, t *tensorEntry, head bool) {
	for _, p := range t.Parts {
		at := address{p.Chunk, p.Segment}
		i, ok := s.place[at]
		if !ok {
			i = len(s.segments)
			s.place[at] = i
			s.segments = append(s.segments, scanned{address: at, segmentEntry: m.Chunks[at.chunk].Segments[at.segment]})
		}
		s.segments[i].head = s.segments[i].head || head
		s.segments[i].last = max(s.segments[i].last, p.Offset)
		if n := t.partBytes(p); n > s.segments[i].largest {
			s.segments[i].largest, s.segments[i].dtype = n, t.dtype
		}
	}
}

// experts returns which places passes leave out at times, as the store says; nil if it has no experts.
func (s *scan) experts() []bool {
	if !slices.ContainsFunc(s.segments, func(e scanned) bool { return e.Expert }) {
		return nil
	}
	sparse := make([]bool, len(s.segments))
	for i, e := range s.segments {
		sparse[i] = e.Expert || i >= s.pass // all passes leave out what belongs to none
	}
	return sparse
}

// next returns the place that follows place i.
func (s *scan) next(i int) int {
	if i++; i == s.pass || i == len(s.segments) {
		return 0
	}
	return i
}

// denseFrom returns the first place from i on that is not an expert's: a pass ends with the final norm, which is none.
func (s *scan) denseFrom(i int) int {
	if j := s.dense[i]; j < s.pass || i >= s.pass {
		return j
	}
	return s.dense[0]
}

// distance returns how many places after i the scan reaches j.
func (s *scan) distance(i, j int) int {
	switch {
	case i < s.pass && j < s.pass:
		return (j - i + s.pass) % s.pass
	case j < s.pass:
		return len(s.segments) - i + j
	case i <= j && i >= s.pass:
		return j - i
	}
	return math.MaxInt
}

// bytes returns the size of the segments in places from..to−1.
func (s *scan) bytes(from, to int) int64 {
	n := int64(0)
	for _, e := range s.segments[from:to] {
		n += int64(e.Size)
	}
	return n
}

// expertBytes returns the size of the segments of experts.
func (s *scan) expertBytes() (n int64) {
	for _, e := range s.segments {
		if e.Expert {
			n += int64(e.Size)
		}
	}
	return n
}

// tableBytes returns the size of the segments of tables that are never pinned.
func (s *scan) tableBytes() (n int64) {
	for _, e := range s.segments {
		if e.table {
			n += int64(e.Size)
		}
	}
	return n
}

// largest returns the size of the largest segment.
func (s *scan) largest() int {
	n := 0
	for _, e := range s.segments {
		n = max(n, e.Size)
	}
	return n
}

// String names a segment in a trace.
func (s scanned) String() string { return fmt.Sprintf("chunk %d, segment %d", s.chunk, s.segment) }
