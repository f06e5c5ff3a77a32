package weights

import "slices"

// The functions here decide which segments are in memory. Their callers hold the Streamer's lock.

// begin gives memory to a segment that is not in memory, and returns its fetch; nil where there is none that can have some: first what the
// consumer waits for or has told of, then the first of the scan from the consumer's place on. Pinned segments have memory of their own and do
// not wait for the ring.
func (r *Streamer) begin() *fetch {
	ringFull := false
	if l := r.beginWanted(&ringFull); l != nil {
		return l
	}
	start := r.scan.denseFrom(r.at)
	i := start
	for range len(r.scan.segments) {
		if ringFull && r.missing == 0 {
			return nil
		}
		if r.fetches[i] == nil && r.isExpected(i) {
			if l := r.provide(i, &ringFull); l != nil {
				return l
			}
		}
		if i = r.scan.denseFrom(r.scan.next(i)); i == start {
			break
		}
	}
	for i := r.scan.pass; i < len(r.scan.segments) && r.missing > 0; i++ {
		if r.fetches[i] == nil && r.pinned[i] {
			return r.provide(i, &ringFull)
		}
	}
	return nil
}

// beginWanted does so for what the consumer waits for, and for what [Streamer.Prefetch] has told of, in order.
func (r *Streamer) beginWanted(ringFull *bool) *fetch {
	if r.held && r.fetches[r.using] == nil {
		if l := r.provide(r.using, ringFull); l != nil {
			return l
		}
	}
	for len(r.next) > 0 {
		place := r.next[0]
		if r.fetches[place] == nil && r.wanted[place] != 0 {
			if l := r.provide(place, ringFull); l != nil {
				r.next = slices.Delete(r.next, 0, 1)
				return l
			}
			return nil
		}
		r.next = slices.Delete(r.next, 0, 1)
	}
	return nil
}

// provide makes the fetch of a place; nil if there is no memory for it now.
func (r *Streamer) provide(place int, ringFull *bool) *fetch {
	e := r.scan.segments[place]
	var mem pages
	var ok bool
	kept := r.keeps(place)
	switch {
	case r.pinned[place] && place < r.scan.pass:
		mem, ok = r.allocateFrom(func(int) (pages, error) { return r.newPinned(&e) }, e.Size)
	case r.pinned[place]:
		mem, ok = r.allocate(e.Size)
	case kept:
		mem, ok = r.keep(place, e.Size)
	case !*ringFull:
		mem, ok = r.buffer(place)
		*ringFull = !ok
	}
	if !ok {
		return nil
	}
	l := r.newFetch()
	*l = fetch{
		address: e.address, offset: e.Offset, dst: mem.bytes[:e.Size], data: mem.bytes[:e.Size], crc: e.CRC32C,
		newChunk: e.chunk != r.last, place: place, mem: mem, inRing: !r.pinned[place] && !kept, kept: kept,
	}
	r.last = e.chunk
	r.fetches[place] = l
	if e.Expert {
		r.stats.ExpertReads++
		r.stats.ExpertBytes += int64(e.Size)
	}
	if r.pinned[place] {
		r.missing--
	}
	return l
}

// allocate takes memory from the system, unless the limit forbids it: while it shrinks, what is still in use counts.
func (r *Streamer) allocate(n int) (pages, bool) { return r.allocateFrom(newPages, n) }

// allocateFrom takes it as newMemory does.
func (r *Streamer) allocateFrom(newMemory func(n int) (pages, error), n int) (pages, bool) {
	if r.memory+int64(n) > r.plan.DRAM {
		return pages{}, false
	}
	mem, err := newMemory(n)
	if err != nil {
		r.broken = err
		r.announce()
		return pages{}, false
	}
	r.count(n)
	return mem, true
}

// count adds n bytes to the memory held. Readers may wait for memory that others give back.
func (r *Streamer) count(n int) {
	r.memory += int64(n)
	r.stats.PeakBytes = max(r.stats.PeakBytes, r.memory)
	if n < 0 {
		r.wake.Broadcast()
	}
}

// buffer returns a buffer of the ring for a place: a free one, a new one, or that of the segment that will not be needed for longest.
func (r *Streamer) buffer(place int) (pages, bool) {
	if n := len(r.free); n > 0 {
		mem := r.free[n-1]
		r.free = r.free[:n-1]
		return mem, true
	}
	if r.buffers < r.plan.Buffers {
		if mem, ok := r.allocate(r.plan.BufferBytes); ok {
			r.buffers++
			return mem, true
		}
	}
	victim := r.farthest()
	if victim == nil || r.scan.distance(r.at, victim.place) <= r.scan.distance(r.at, place) {
		return pages{}, false
	}
	r.fetches[victim.place] = nil
	if r.pinned[victim.place] {
		r.missing++
	}
	r.recycle(victim)
	return victim.mem, true
}

// farthest returns the idle fetch of the ring that the scan reaches last; nil if there is none.
func (r *Streamer) farthest() *fetch {
	var far *fetch
	distance := -1
	for _, l := range r.fetches {
		if l != nil && l.inRing && l.done && l.leases == 0 {
			if d := r.scan.distance(r.at, l.place); d > distance {
				far, distance = l, d
			}
		}
	}
	return far
}

// discard takes a fetch out of the scan. Its memory goes back at once if nobody uses it, or else when its users are done.
func (r *Streamer) discard(l *fetch) {
	r.fetches[l.place] = nil
	if r.pinned[l.place] {
		r.missing++
	}
	if l.kept {
		l.kept = false
		r.kept -= int64(len(l.mem.bytes))
	}
	if l.drop = true; l.done && l.leases == 0 {
		r.giveBack(l)
	}
}

// giveBack returns the memory of a fetch that is out of the scan: to the ring, if it is still wanted there, or to the system.
func (r *Streamer) giveBack(l *fetch) {
	switch {
	case l.mem.bytes == nil: // it has none, or none any more
		return
	case l.inRing && r.buffers <= r.plan.Buffers && r.memory <= r.plan.DRAM:
		r.free = append(r.free, l.mem)
	default:
		if l.inRing {
			r.buffers--
		}
		r.unmap(l.mem)
	}
	l.mem = pages{}
	r.recycle(l)
}

// unmap gives memory back to the system.
func (r *Streamer) unmap(mem pages) {
	_ = mem.free() // unmapping what was mapped cannot fail, and a device remembers its errors
	r.count(-len(mem.bytes))
}

// idle gives back what is not wanted any more when a fetch has lost a user, or is done, and wakes a reader if it leaves a buffer: to
// wake them for nothing takes time from computing.
func (r *Streamer) idle(l *fetch) {
	if l.drop && l.leases == 0 {
		r.giveBack(l)
	}
	r.shrinkRing()
	r.shrinkKept()
	if l.inRing || l.kept {
		r.wake.Signal()
	}
}

// apply makes a plan the one in force and gives back at once what it leaves no room for and nobody uses.
func (r *Streamer) apply(plan Plan, pins, sparse []bool) {
	r.plan, r.pinned, r.sparse, r.broken = plan, pins, sparse, nil
	r.missing, r.kept = 0, 0
	for i, l := range r.fetches {
		if l != nil && !l.inRing {
			if l.kept = sparse[i] && !pins[i]; l.kept {
				r.kept += int64(len(l.mem.bytes))
			} else if !pins[i] {
				r.discard(l)
				l = nil
			}
		}
		if l == nil && pins[i] {
			r.missing++
		}
	}
	r.shrinkRing()
	r.shrinkKept()
	r.trimTiles(plan.TileCount)
	r.wake.Broadcast()
}

// shrinkRing gives back the buffers that are more than planned, as far as nobody uses them.
func (r *Streamer) shrinkRing() {
	for r.buffers > r.plan.Buffers {
		if n := len(r.free); n > 0 {
			r.buffers--
			r.unmap(r.free[n-1])
			r.free = r.free[:n-1]
		} else if l := r.farthest(); l != nil {
			r.discard(l)
		} else {
			return
		}
	}
}

// freeAll gives everything back that the consumer does not hold. No worker is left.
func (r *Streamer) freeAll() {
	r.plan.Buffers = 0
	// What is being read or waits to be checked may be out of the scan.
	all := slices.Concat(r.fetches, r.begun)
	for _, p := range r.unchecked {
		all = append(all, p.fetch)
	}
	for _, l := range all {
		if l == nil || l.place < 0 {
			continue // a tile's memory belongs to the heap
		}
		if l.done = true; !l.drop {
			r.discard(l)
		} else if l.leases == 0 {
			r.giveBack(l)
		}
	}
	r.shrinkRing()
	r.trimTiles(0)
}
