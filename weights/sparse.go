package weights

import (
	"math"
	"slices"
)

// Some segments are used in some passes only: those of experts, which the store marks, and others, which are told by what passes ask for,
// between one use of the final norm or the head and the next. Such a segment is not read ahead, from the first pass on that leaves it out, and is
// kept, once it was asked for, as long as others are worth less. The functions here find such segments and keep them. Their callers hold the
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
		r.passes++
		r.replan()
	}
	r.visit++
	r.visits[place] = r.visit
	if place != r.using { // several tensors may lie in a segment
		r.served(r.using)
		r.using = place
		r.use(place)
	}
	if !head {
		r.bodyVisit = r.visit
	}
}

// replan makes a plan for what was learnt, if that is news.
func (r *Streamer) replan() {
	news := false
	for i, n := range r.leftOut[:r.scan.pass] {
		news = news || n > 0 != r.sparse[i]
	}
	if !news {
		return
	}
	sparse := make([]bool, len(r.leftOut))
	for i, n := range r.leftOut[:r.scan.pass] {
		sparse[i] = n > 0
	}
	if slices.Contains(sparse, true) { // all passes leave out what belongs to none
		for i := r.scan.pass; i < len(sparse); i++ {
			sparse[i] = true
		}
	}
	opts := r.opts
	opts.DRAM = r.limit
	if plan, pins, err := r.store.manifest.planSparse(opts, sparse); err == nil { // the limit sufficed before
		r.apply(plan, pins, sparse)
	}
}

// isExpected reports whether a place will be used in this pass, as far as one can tell.
func (r *Streamer) isExpected(place int) bool {
	return r.leftOut[place] == 0 || r.wanted[place] != 0 || r.needs(place)
}

// needs reports whether the consumer waits for a place or uses it.
func (r *Streamer) needs(place int) bool { return r.held && r.using == place }

// keeps reports whether the segment at a place, once it is in memory, is kept as long as others are worth less.
func (r *Streamer) keeps(place int) bool {
	return r.sparse[place] && !r.pinned[place] && r.plan.Kept > 0
}

// halfLife is the number of passes after which a use counts half in what a segment is worth.
const halfLife = 16

// use adds a use at a place, by one row or more, to what its segment is worth: Σ over its uses of 2^(−age/halfLife), age in passes (LRFU: Lee et al., IEEE Transactions
// on Computers 50 (12), 2001). Unlike the least recently used, those that are worth least are no worse to give up where less than what one
// pass uses is kept. It is stored as a logarithm, whose order does not change with time.
func (r *Streamer) use(place int) {
	now, sum := float64(r.passes)/halfLife, float64(1+r.shared[place])
	r.shared[place] = 0
	if r.worth[place] != 0 {
		sum += math.Exp2(r.worth[place] - now)
	}
	if r.worth[place] = now + math.Log2(sum); r.worth[place] == 0 {
		r.worth[place] = math.SmallestNonzeroFloat64
	}
}

// Prefetch tells which tensors the consumer will ask for next, in the order of the store, of those that passes leave out at times: the experts that
// a layer is routed to. They are read at once, as far as there is memory for them, while the first is used. It replaces what
// calls before the last one told: two groups of rows may take turns. A name that is there several times in a row will be of use to so many rows: such
// experts are kept for longer. Tensors that the store does not have are ignored here; asking for them is an error.
func (r *Streamer) Prefetch(names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	told := &r.told[r.calls&1]
	for _, place := range *told { // the call before the last one
		r.forget(place, r.calls)
	}
	*told = (*told)[:0]
	for i, name := range names {
		t, ok := r.tensors[name]
		if !ok {
			continue
		}
		again := i > 0 && name == names[i-1]
		for _, p := range t.Parts {
			switch place := r.scan.place[address{p.Chunk, p.Segment}]; {
			case again:
				r.shared[place]++
			case r.wanted[place]&callBit(r.calls) == 0:
				r.wanted[place] |= callBit(r.calls)
				*told, r.next = append(*told, place), append(r.next, place)
			}
		}
	}
	r.wake.Broadcast()
}

// callBit is the bit of a call of Prefetch in what it wants.
func callBit(call int) uint8 { return 1 << (call & 1) }

// forget takes back what a call of Prefetch told of a place.
func (r *Streamer) forget(place, call int) {
	if r.wanted[place] &^= callBit(call); r.wanted[place] == 0 {
		r.shared[place] = 0
	}
}

// served notes that the consumer has used a place, as the earlier of the calls that want it told.
func (r *Streamer) served(place int) {
	if r.wanted[place]&callBit(r.calls-1) != 0 {
		r.forget(place, r.calls-1)
	} else {
		r.forget(place, r.calls)
	}
}

// Resident reports whether all that Prefetch does not tell of is in memory, so that a pass may ask for it several times, and in any order, at no cost.
func (r *Streamer) Resident() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.plan.Kept > 0 && r.plan.Streamed == 0 && r.missing == 0
}

// Ready reports whether a tensor can be read without waiting for flash.
func (r *Streamer) Ready(name string) bool {
	t, ok := r.tensors[name]
	if !ok {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range t.Parts {
		if l := r.fetches[r.scan.place[address{p.Chunk, p.Segment}]]; l == nil || !l.done || l.err != nil {
			return false
		}
	}
	return true
}

// keep returns memory for the segment of n bytes at a place, which is kept as long as it is used: new memory, or that of the one worth least.
func (r *Streamer) keep(place, n int) (pages, bool) {
	for r.kept+int64(n) > r.plan.Kept {
		l := r.leastWorth(r.needs(place))
		if l == nil {
			return pages{}, false
		}
		if len(l.mem.bytes) == n {
			r.fetches[l.place] = nil
			r.recycle(l)
			return l.mem, true
		}
		r.discard(l)
	}
	mem, ok := r.allocateFrom(r.newKept, n)
	if ok {
		r.kept += int64(n)
	}
	return mem, ok
}

// leastWorth returns the idle fetch of those kept that is worth least; nil if there is none. One that is wanted next is taken last, and only if
// anyhow says so.
func (r *Streamer) leastWorth(anyhow bool) (least *fetch) {
	for _, l := range r.fetches {
		if l == nil || !l.kept || !l.done || l.leases > 0 || r.wanted[l.place] != 0 && !anyhow {
			continue
		}
		if least == nil || r.lessWorth(l.place, least.place) {
			least = l
		}
	}
	return least
}

// lessWorth reports whether the segment at place a is given up before that at b: of equals, the one that was not used for longest.
func (r *Streamer) lessWorth(a, b int) bool {
	switch {
	case (r.wanted[a] != 0) != (r.wanted[b] != 0):
		return r.wanted[b] != 0
	case r.worth[a] != r.worth[b]:
		return r.worth[a] < r.worth[b]
	}
	return r.visits[a] < r.visits[b]
}

// shrinkKept gives back what is kept beyond the plan, as far as nobody uses it.
func (r *Streamer) shrinkKept() {
	for r.kept > r.plan.Kept {
		l := r.leastWorth(true)
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
