package weights

import (
	"slices"
	"strconv"
	"time"

	"github.com/lever-go/lever/internal/crc32c"
)

// fetch brings one segment, or the pages around one tile, into memory. The Streamer's lock guards it until it is done; afterwards
// its data and error do not change.
type fetch struct {
	address
	offset   int64  // of the bytes to read, in the file
	dst      []byte // where they go
	data     []byte // the part of dst that crc is the checksum of
	skip     int    // bytes of dst before data
	crc      uint32
	newChunk bool // the first read from this chunk after another: time to see whether the file is still there

	place  int   // in the scan; -1 for a tile
	mem    pages // the memory of dst; none for a tile, whose memory is on the heap
	inRing bool  // mem is a buffer of the ring
	kept   bool  // in memory as long as others were not used later

	issued int    // bytes of dst whose reads have begun
	active int    // pieces that are being read, or wait to be checked
	sum    uint32 // of the pieces checked, as parts of the checksum of data
	leases int    // holds of the consumer
	drop   bool   // nobody wants the result: its memory is given back when the last user is done
	done   bool
	err    error
}

// newFetch returns a fetch to fill in: one that nobody uses any more, if there is one.
func (r *Streamer) newFetch() *fetch {
	n := len(r.spare)
	if n == 0 {
		return &fetch{}
	}
	l := r.spare[n-1]
	r.spare = r.spare[:n-1]
	return l
}

// recycle lets a fetch that is done, and that nobody uses, be filled in anew.
func (r *Streamer) recycle(l *fetch) {
	for _, queue := range []*[]*fetch{&r.urgent, &r.begun} {
		if i := slices.Index(*queue, l); i >= 0 {
			*queue = slices.Delete(*queue, i, i+1)
		}
	}
	r.spare = append(r.spare, l)
}

// piece is a read of dst[from:to] of a fetch.
type piece struct {
	*fetch
	from, to int
}

// keepReading is a reader: it does the most urgent read, one after the other, until the Streamer closes. Checking is left to
// others, so that the device does not wait for it.
func (r *Streamer) keepReading(lane string) {
	for p, ok := r.take(); ok; p, ok = r.take() {
		r.pieceDone(p, carry(func() error { return r.read(lane, p) }))
	}
}

// keepChecking is a checker: it checks what was read, piece by piece, gives what is not right a second chance, and hands out the result.
func (r *Streamer) keepChecking(lane string) {
	for p, ok := r.takeUnchecked(); ok; p, ok = r.takeUnchecked() {
		var sum uint32
		err := carry(func() error { sum = r.checkPiece(lane, p); return nil })
		if !r.pieceChecked(p, sum, err) {
			continue
		}
		l := p.fetch
		if l.err == nil && l.sum != l.crc {
			l.err = wrongSum(l.sum, l.crc)
		}
		if l.err != nil && !r.isUnwanted(l) {
			l.err = carry(func() error { return r.readAgain(lane, l) })
		}
		r.finish(l)
	}
}

// take waits for a read that can begin; ok is false when the Streamer closes.
func (r *Streamer) take() (p piece, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.closed {
		if l := r.nextFetch(); l != nil {
			p = piece{l, l.issued, min(l.issued+r.readSize(l), len(l.dst))}
			l.issued = p.to
			l.active++
			r.clock.start()
			if l.issued < len(l.dst) {
				r.wake.Signal() // for the next piece
			}
			return p, true
		}
		r.wake.Wait()
	}
	return p, false
}

// takeUnchecked waits for a piece that was read; ok is false when the Streamer closes.
func (r *Streamer) takeUnchecked() (p piece, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.closed {
		if len(r.unchecked) > 0 {
			p = r.unchecked[0]
			r.unchecked = slices.Delete(r.unchecked, 0, 1)
			return p, true
		}
		r.wakeChecker.Wait()
	}
	return piece{}, false
}

// nextFetch returns the fetch whose next read is most urgent: a tile, for which somebody waits, then a segment that is partly
// read, then the first one of the scan that is missing.
func (r *Streamer) nextFetch() *fetch {
	for _, queue := range []*[]*fetch{&r.urgent, &r.begun} {
		for len(*queue) > 0 {
			if l := (*queue)[0]; l.issued < len(l.dst) {
				return l
			}
			*queue = slices.Delete(*queue, 0, 1)
		}
	}
	l := r.begin()
	if l != nil && r.readSize(l) < len(l.dst) {
		r.begun = append(r.begun[:0], l)
	}
	return l
}

// readSize returns the bytes of one read of a fetch. An expert is read by all readers at once: of several that a layer waits for, the first is then
// there, and can be computed, while the others are read; and of one alone, the reads are no fewer than the device is fast with.
func (r *Streamer) readSize(l *fetch) int {
	const least = 256 << 10
	if l.place >= 0 && r.scan.segments[l.place].Expert {
		return min(r.plan.ReadSize, max(least, alignUp((len(l.dst)+r.plan.Depth-1)/r.plan.Depth)))
	}
	return r.plan.ReadSize
}

// lookAgain is the time after which the file of a chunk is looked at again, whether it is still there.
const lookAgain = 10 * time.Second

// read does one read.
func (r *Streamer) read(lane string, p piece) error {
	if p.newChunk && p.from == 0 && r.isDue(p.chunk) {
		if err := r.store.checkFile(p.chunk); err != nil {
			return err
		}
		r.sawFile(p.chunk, time.Now())
	}
	if r.opts.Trace != nil {
		defer r.trace(lane, "read "+p.kind(), time.Now())
	}
	return readFull(r.files[p.chunk], p.dst[p.from:p.to], p.offset+int64(p.from))
}

// isDue reports whether it is time to look at the file of a chunk.
func (r *Streamer) isDue(chunk int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.looked[chunk]) >= lookAgain
}

// sawFile notes that the file of a chunk was there at a time.
func (r *Streamer) sawFile(chunk int, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked[chunk] = at
}

// kind names what is loaded in a trace: viewers give events of one name one colour.
func (l *fetch) kind() string {
	if l.place < 0 {
		return "tile"
	}
	return "chunk " + strconv.Itoa(l.chunk)
}

// pieceDone notes the end of a read. What was read can then be checked, while the rest of the fetch is read.
func (r *Streamer) pieceDone(p piece, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock.stop()
	if err != nil && p.err == nil {
		p.err = err
	}
	if p.err != nil || p.drop {
		p.issued = len(p.dst) // the rest is not worth reading
	}
	if err == nil {
		r.stats.BytesRead += int64(p.to - p.from)
	}
	r.unchecked = append(r.unchecked, p)
	r.wakeChecker.Signal()
}

// checkPiece returns the checksum of the data in a piece as a part of that of all data: these parts add up, in any order.
func (r *Streamer) checkPiece(lane string, p piece) uint32 {
	from, to := max(p.from-p.skip, 0), min(p.to-p.skip, len(p.data))
	if from >= to {
		return 0
	}
	defer r.checked(lane, p.fetch, time.Now())
	return crc32c.Shift(crc32c.Checksum(p.data[from:to]), len(p.data)-to)
}

// pieceChecked notes the end of a check, and reports whether it was the last one of the fetch.
func (r *Streamer) pieceChecked(p piece, sum uint32, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.sum ^= sum
	if err != nil && p.err == nil {
		p.err = err
	}
	p.active--
	return p.active == 0 && p.issued == len(p.dst)
}

// checked counts the time of a check.
func (r *Streamer) checked(lane string, l *fetch, started time.Time) {
	took := time.Since(started)
	if r.opts.Trace != nil {
		r.trace(lane, "check "+l.kind(), started)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.CheckTime += took
}

// readAgain gives a fetch that failed a second chance, since errors of a device can be transient.
func (r *Streamer) readAgain(lane string, l *fetch) error {
	r.mu.Lock()
	r.stats.Retries++
	r.clock.start()
	r.mu.Unlock()
	l.newChunk = true // perhaps the file is not what it was
	r.sawFile(l.chunk, time.Time{})
	err := r.read(lane, piece{l, 0, len(l.dst)})
	r.mu.Lock()
	r.clock.stop()
	if err == nil {
		r.stats.BytesRead += int64(len(l.dst))
	}
	r.mu.Unlock()
	if err != nil {
		return err
	}
	defer r.checked(lane, l, time.Now())
	return checkCRC(l.data, l.crc)
}

// isUnwanted reports whether nobody waits for the result of l any more.
func (r *Streamer) isUnwanted(l *fetch) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return l.drop || r.closed
}

// finish hands out a fetch that was read and checked.
func (r *Streamer) finish(l *fetch) {
	r.store.forgetVerified(l.err)
	if l.mem.flush != nil && l.err == nil {
		_ = l.mem.flush(0, len(l.data)) // who gave the memory remembers the error
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l.done = true
	l.err = r.store.chunkError("read", l.chunk, l.segment, l.err)
	r.idle(l)
	r.announce()
}

// announce makes the consumers look for what they wait for.
func (r *Streamer) announce() {
	for _, waiting := range []chan struct{}{r.partArrived, r.tileArrived} {
		select {
		case waiting <- struct{}{}:
		default: // it will look anyway
		}
	}
}
