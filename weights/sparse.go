package weights

import (
	"math"
	"slices"
)

// Some segments are used in some passes only: those of experts, which the store marks, and others, which are told by what passes ask for,
// between one use of the final norm or the head and the next. Such a segment is not read ahead, from the first pass on that leaves it out, and is
// kept, once it was asked for, as long as others were not used later. The functions here find such segments and keep them. Their callers hold the
// Streamer's lock.

// patience is how many passes in a row use a segment that was left out until it is read ahead again.
const patience = 4

// learn notes that the consumer asks for a place.
func (r *Streamer) learn(place int) {
	head := r.scan.segments[place].head
	if head && r.bodyVisit > r.ended { // the first one after a pass through the rest
		for i := range r.scan.pass {
			switch {
			case r.scan.segments[i].head:
			case r.visits[i] <= r.ended:
				r.leftOut[i] = patience
			case r.leftOut[i] > 0 && !r.scan.segments[i].Expert:
				r.leftOut[i]--
			}
		}
		r.ended = r.visit
		r.replan()
	}
	r.visit++
	r.visits[place] = r.visit
	if place != r.using { // several tensors may lie in a segment
		r.wanted[r.using], r.using = false, place
	}
	if !head {
		r.bodyVisit = r.visit
	}
}

// replan makes a plan for what was learnt, if that is news.
func (r *Streamer) replan() {
	sparse, news := make([]bool, len(r.leftOut)), false
	for i, n := range r.leftOut[:r.scan.pass] {
		sparse[i] = n > 0
		news = news || sparse[i] != r.sparse[i]
	}
	if !news {
		return
	}
	if slices.Contains(sparse, true) { // all passes leave out what belongs to none
		for i := r.scan.pass; i < len(sparse); i++ {
			sparse[i] = true
		}
	}
	opts := r.opts
	opts.Memory = r.limit
	if plan, pins, err := r.store.manifest.planSparse(opts, sparse); err == nil { // the limit sufficed before
		r.apply(plan, pins, sparse)
	}
}

// isExpected reports whether a place will be used in this pass, as far as one can tell.
func (r *Streamer) isExpected(place int) bool {
	return r.leftOut[place] == 0 || r.wanted[place] || r.needs(place)
}

// needs reports whether the consumer waits for a place or uses it.
func (r *Streamer) needs(place int) bool { return r.held && r.at == place }

// Prefetch tells which tensors the consumer will ask for next, in the order of the store, of those that passes leave out at times: the experts that
// a layer is routed to. They are read at once, as far as there is memory for them, while the first is used. It replaces what
// an earlier call told. Tensors that the store does not have are ignored here; asking for them is an error.
func (r *Streamer) Prefetch(names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.wanted)
	for _, name := range names {
		t, ok := r.tensors[name]
		if !ok {
			continue
		}
		for _, p := range t.Parts {
			r.wanted[r.scan.place[address{p.Chunk, p.Segment}]] = true
		}
	}
	r.wake.Broadcast()
}

// keep returns memory for the segment of n bytes at a place, which is kept as long as it is used: new memory, or that of the one used least lately.
func (r *Streamer) keep(place, n int) (pages, bool) {
	for r.kept+int64(n) > r.plan.Kept {
		l := r.leastUsed(r.needs(place))
		if l == nil {
			return pages{}, false
		}
		if len(l.mem.bytes) == n {
			r.fetches[l.place] = nil
			return l.mem, true
		}
		r.discard(l)
	}
	mem, ok := r.allocate(n)
	if ok {
		r.kept += int64(n)
	}
	return mem, ok
}

// leastUsed returns the idle fetch of those kept that was not used for longest; nil if there is none. One that is wanted next is taken last, and
// only if anyhow says so.
func (r *Streamer) leastUsed(anyhow bool) (least *fetch) {
	last := int64(math.MaxInt64)
	for _, l := range r.fetches {
		if l == nil || !l.kept || !l.done || l.leases > 0 || r.wanted[l.place] && !anyhow {
			continue
		}
		visit := r.visits[l.place]
		if r.wanted[l.place] {
			visit += r.visit
		}
		if visit < last {
			least, last = l, visit
		}
	}
	return least
}

// shrinkKept gives back what is kept beyond the plan, as far as nobody uses it.
func (r *Streamer) shrinkKept() {
	for r.kept > r.plan.Kept {
		l := r.leastUsed(true)
		if l == nil {
			return
		}
		r.discard(l)
	}
}

// pinDense distributes left bytes where some segments are used in some passes only: to pins of the others, to a ring if they need one, and
// to what is kept of the sparse ones. It returns the buffers of the ring, of the size of buffer and at most ring, and the bytes that are kept.
func (s *scan) pinDense(pins, sparse []bool, left, buffer int64, ring int, headFirst bool) (buffers int, kept int64) {
	dense, largest := int64(0), int64(0)
	for i, e := range s.segments {
		if sparse[i] {
			largest = max(largest, int64(e.Size))
		} else {
			dense += int64(e.Size)
		}
	}
	forPins := left - largest
	if dense > forPins {
		buffers = ring
		forPins = max(0, forPins-int64(ring)*buffer)
	}
	pinned := s.pin(pins, sparse, forPins, headFirst)
	if kept = left - pinned - int64(buffers)*buffer; kept < largest {
		return buffers, 0 // they pass through the ring
	}
	return buffers, kept
}
