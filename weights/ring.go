package weights

import (
	"errors"
	"slices"
)

// address is the place of a segment in a store.
type address struct{ chunk, segment int }

// ring is the part of a cyclic scan that is in memory or on its way there. window holds one read for each buffer: the segment that the
// consumer asked for last, and those that follow it in the scan, around its end. It has no lock of its own.
type ring struct {
	scan   []segmentRead
	place  map[address]int // index in scan
	window []*read
	free   []pages // buffers that are assigned to no read
	size   int     // of a buffer
}

// segmentRead is a segment to scan.
type segmentRead struct {
	at    address
	entry segmentEntry
}

// newRing makes the ring of a store, with buffers for a segment and for ahead bytes of those that follow it; 0 means for the
// largest block. The window stands at the start of a pass.
func newRing(m *manifest, ahead int64) (ring, error) {
	r := ring{place: map[address]int{}}
	for _, at := range passOrder(m) {
		if _, twice := r.place[at]; !twice {
			e := m.Chunks[at.chunk].Segments[at.segment]
			r.place[at] = len(r.scan)
			r.scan = append(r.scan, segmentRead{at, e})
			r.size = max(r.size, e.Size)
		}
	}
	if len(r.scan) == 0 {
		return r, corrupt("no tensors to read")
	}
	buffers := 1
	if ahead > 0 {
		buffers = int(min((ahead+int64(r.size)-1)/int64(r.size), int64(len(r.scan))))
	} else {
		for _, c := range m.Chunks[1:max(len(m.Chunks)-1, 1)] { // the blocks, without embedding and head
			buffers = max(buffers, len(c.Segments))
		}
	}
	for range buffers + 1 {
		buf, err := newPages(r.size)
		if err != nil {
			return r, errors.Join(err, r.freeAll())
		}
		r.free = append(r.free, buf)
	}
	r.plan(0, buffers+1)
	return r, nil
}

// passOrder lists the segments of a pass by part, in order of use. The embedding, of which a pass reads single rows, counts
// only where it serves as the head too, and then comes last.
func passOrder(m *manifest) []address {
	var order, embedding []address
	hasHead := false
	for _, t := range m.Tensors {
		hasHead = hasHead || t.Name == headName
		for _, p := range t.Parts {
			if at := (address{p.Chunk, p.Segment}); t.Name == embeddingName {
				embedding = append(embedding, at)
			} else {
				order = append(order, at)
			}
		}
	}
	if hasHead {
		return order
	}
	return append(order, embedding...)
}

// bytes returns the memory that the buffers take.
func (r *ring) bytes() int64 { return int64(len(r.window)) * int64(r.size) }

// plan appends reads to the window, from index pos of the scan on, until there are n.
func (r *ring) plan(pos, n int) {
	for ; len(r.window) < n; pos++ {
		s := r.scan[pos%len(r.scan)]
		r.window = append(r.window, newRead(s.at, s.entry))
	}
}

func newRead(at address, e segmentEntry) *read {
	return &read{at: at, offset: e.Offset, size: e.Size, crc: e.CRC32C, done: make(chan struct{})}
}

// moveTo makes the segment at the first of the window and returns its read. seeks reports that it was not in the window before; ok is
// false when it does not belong to the scan.
func (r *ring) moveTo(at address) (first *read, seeks, ok bool) {
	pos, ok := r.place[at]
	if !ok {
		return nil, false, false
	}
	n, buffers := len(r.scan), len(r.window)
	from := r.place[r.window[0].at]
	skip := (pos - from + n) % n
	if seeks = skip >= buffers; seeks {
		r.skip(buffers)
		r.plan(pos, buffers)
	} else {
		r.skip(skip)
		r.plan(from+buffers, buffers)
	}
	return r.window[0], seeks, true
}

// skip gives up the first n reads of the window.
func (r *ring) skip(n int) {
	for _, rd := range r.window[:n] {
		if rd.begun && !isDone(rd) {
			rd.unused = true // its worker gives the buffer back
		} else {
			r.takeBack(rd)
		}
	}
	r.window = slices.Delete(r.window, 0, n)
}

// next assigns a free buffer to the first read of the window that has not begun; nil if there is none of either.
func (r *ring) next() *read {
	i := slices.IndexFunc(r.window, func(rd *read) bool { return !rd.begun })
	last := len(r.free) - 1
	if i < 0 || last < 0 {
		return nil
	}
	r.window[i].buf, r.free = r.free[last], r.free[:last]
	return r.window[i]
}

// retry plans a read that failed anew.
func (r *ring) retry(rd *read) {
	if r.window[0] == rd {
		r.takeBack(rd)
		s := r.scan[r.place[rd.at]]
		r.window[0] = newRead(s.at, s.entry)
	}
}

// takeBack frees the buffer of a read, if it has one.
func (r *ring) takeBack(rd *read) {
	if rd.buf.bytes != nil {
		r.free = append(r.free, rd.buf)
	}
}

// freeAll gives the buffers back to the system. No read is under way, and none can begin afterwards.
func (r *ring) freeAll() error {
	r.skip(len(r.window))
	var errs []error
	for _, buf := range r.free {
		errs = append(errs, buf.free())
	}
	r.free = nil
	return errors.Join(errs...)
}

func isDone(rd *read) bool {
	select {
	case <-rd.done:
		return true
	default:
		return false
	}
}
