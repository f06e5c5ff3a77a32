package weights

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"reflect"
	"sync"
	"time"

	"github.com/lever-go/lever/tensor"
)

// StreamOptions says how a [Streamer] uses memory and storage. The zero value is usable; `lever profile` measures what suits a machine.
type StreamOptions struct {
	// DRAM is the number of bytes for weights: pinned segments, ring and tiles of tables together; see [Plan]. 0 means that
	// nothing is pinned, and ring and tiles have their usual sizes.
	DRAM int64
	// Ring is the number of bytes of the ring; 0 means 64 MiB, but no more than a quarter of DRAM.
	Ring int64
	// ReadSize is the number of bytes of one read, rounded up to a multiple of 4096; a larger segment is read in pieces, and an expert in as many as
	// reads are under way at once. 0 means 4 MiB.
	ReadSize int
	// Depth is the number of reads under way at once; 0 means 4.
	Depth int
	// Tiles is the most tiles of the embedding, and of each other table, that are kept; 0 means 64.
	Tiles int
	// HeadOnce says that a pass uses the head once, as plain decoding does. It is then pinned like the rest, not before it.
	HeadOnce bool
	// Buffered reads through the page cache even where direct reads would work.
	Buffered bool
	// Alloc, if not nil, gives memory for the segments of a pass that stay in memory, by the type of their weights: such as a device's, which then
	// computes with them where they lie. Where it returns an error, they are kept elsewhere. It is called with a lock held.
	Alloc func(d tensor.DType, bytes int) (Memory, error)
	// Trace, if not nil, is called with every read and check, in the lane of the worker that did it, of every wait of a consumer, in the lane
	// "wait", and of every tensor that is asked for out of the store's order, in the lane "out of order". It is called from several goroutines at once.
	Trace func(lane, name string, start, end time.Time)
}

// Upper limits of options: far beyond what is of use.
const (
	maxStreamBytes = 1 << 50 // of a limit or a ring
	maxReadSize    = 1 << 30
	maxDepth       = 1 << 10
	maxTiles       = 1 << 20
)

// check refuses numbers that are out of range.
func (o StreamOptions) check() error {
	for _, f := range []struct {
		name       string
		value, max int64
	}{
		{"DRAM", o.DRAM, maxStreamBytes}, {"Ring", o.Ring, maxStreamBytes}, {"ReadSize", int64(o.ReadSize), maxReadSize},
		{"Depth", int64(o.Depth), maxDepth}, {"Tiles", int64(o.Tiles), maxTiles},
	} {
		if f.value < 0 || f.value > f.max {
			return fmt.Errorf("%s is %d, not within 0 to %d: %w", f.name, f.value, f.max, ErrArgument)
		}
	}
	return nil
}

func (o StreamOptions) withDefaults() StreamOptions {
	o.ReadSize = alignUp(positive(o.ReadSize, 4<<20))
	o.Depth = positive(o.Depth, 4)
	o.Tiles = positive(o.Tiles, 64)
	return o
}

func positive[T int | int64](n, otherwise T) T {
	if n > 0 {
		return n
	}
	return otherwise
}

// Streamer reads weights from flash as they are used, within a memory limit. A pass over a model asks for the tensors in the
// order of the store, again and again; the Streamer keeps some segments in memory as its [Plan] says, and reads the others in that
// order into a ring of buffers, ahead of the consumer and across the end of a pass, without waiting for anything but a free buffer.
// It checks each segment, on each read, before it hands it out, and reads once more what does not arrive or is not right. Requests in
// another order are served too, but wait for their reads and cost more of them; [Stats].OutOfOrder counts them.
//
// A Streamer serves one consumer: the iteration of a part ends before the next is asked for, and a request that comes before that
// is refused. Plan, Stats, Resize, Trim and Close may be called at any time.
type Streamer struct {
	store   *Store
	opts    StreamOptions
	files   []File // by chunk
	tensors map[string]*tensorEntry
	parts   map[string]*streamedParts
	scan    scan
	workers sync.WaitGroup

	closing                  chan struct{} // closed by Close
	partArrived, tileArrived chan struct{} // something was loaded

	tileMu sync.Mutex // held during a request for a tile

	mu          sync.Mutex
	wake        sync.Cond // there may be something to read, or the Streamer closes
	wakeChecker sync.Cond // there may be something to check, or the Streamer closes

	plan      Plan
	base      int64 // memory limit without memory pressure
	limit     int64 // now; zero if none was given
	pinned    []bool
	sparse    []bool                // places that the plan takes to be left out at times
	leftOut   []int                 // by place: more than 0 where passes leave it out; see learn
	wanted    []uint8               // by place: the bits of the calls of Prefetch that told of it
	shared    []int                 // by place: to how many rows beside the first it will be of use, as Prefetch told
	next      []int                 // places that Prefetch has told of and that were not looked at yet
	calls     int                   // of Prefetch
	told      [2][]int              // places of which the last two calls told
	passes    int64                 // that have ended
	worth     []float64             // by place: see use
	using     int                   // place of the last visit
	visits    []int64               // by place: number of the last visit
	visit     int64                 // number of the last visit
	lastPlace int                   // that was asked for
	passBegan int64                 // number of the last visit before this pass, as far as the order of requests shows it
	bodyVisit int64                 // of the last one that was not to the final norm or the head
	ended     int64                 // of the last one before the end of the last pass
	kept      int64                 // bytes of fetches that are kept as long as they are used
	fetches   []*fetch              // by place in the scan; nil where nothing is in memory or on its way
	missing   int                   // pinned places where nothing is loaded
	at        int                   // place that the consumer uses, or will probably use next
	held      bool                  // the consumer waits for a part or has one
	current   *fetch                // the one that it has
	urgent    []*fetch              // tiles to read
	begun     []*fetch              // the segment of which some reads have not begun, if there is one
	unchecked []piece               // read, but not checked
	spare     []*fetch              // that nobody uses any more
	looked    []time.Time           // by chunk: when its file was last seen to be there
	last      int                   // chunk of the last fetch of a segment
	buffers   int                   // of the ring, wherever they are
	free      []pages               // those of them that are in no fetch
	slab      *slab                 // that the next expert gets memory from
	memory    int64                 // that is held now
	tiles     map[string]*tileCache // by table
	uses      int64                 // of tiles
	closed    bool
	broken    error // the system had no memory
	clock     readClock
	stats     Stats
}

// Stream opens all chunks and starts to read. The caller closes the Streamer.
func (s *Store) Stream(ctx context.Context, opts StreamOptions) (*Streamer, error) {
	fail := func(err error) (*Streamer, error) { return nil, fmt.Errorf("weights: stream %s: %w", s.dir, err) }
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	plan, pins, err := s.manifest.plan(opts)
	if err != nil {
		return fail(err)
	}
	r := &Streamer{
		store: s, opts: opts, tensors: s.manifest.tensors(), base: plan.DRAM, limit: opts.DRAM, last: -1, tiles: map[string]*tileCache{},
		parts: map[string]*streamedParts{}, looked: make([]time.Time, len(s.manifest.Chunks)),
		closing: make(chan struct{}), partArrived: make(chan struct{}, 1), tileArrived: make(chan struct{}, 1),
	}
	r.wake.L, r.wakeChecker.L = &r.mu, &r.mu
	r.slab = &slab{}
	if r.scan, err = newScan(s.manifest); err != nil {
		return fail(err)
	}
	for _, t := range s.manifest.tables() {
		r.tiles[t.Name] = &tileCache{buffer: t.tileBuffer(), tiles: map[int]*cachedTile{}}
	}
	r.fetches, r.leftOut, r.visits, r.wanted = make([]*fetch, len(pins)), make([]int, len(pins)), make([]int64, len(pins)), make([]uint8, len(pins))
	r.shared, r.worth = make([]int, len(pins)), make([]float64, len(pins))
	sparse := r.scan.experts()
	if sparse == nil {
		sparse = make([]bool, len(pins))
	}
	for i := range r.scan.pass {
		if sparse[i] {
			r.leftOut[i] = patience
		}
	}
	r.apply(plan, pins, sparse)
	open := OpenDirect
	if opts.Buffered {
		open = func(path string) (File, error) { return openBuffered(path) }
	}
	if r.files, err = s.openChunks(open); err != nil {
		return nil, err
	}
	for i := range plan.Depth {
		r.workers.Go(func() { r.keepReading(fmt.Sprintf("reader %d", i+1)) })
	}
	for i := range checkers {
		r.workers.Go(func() { r.keepChecking(fmt.Sprintf("checker %d", i+1)) })
	}
	return r, nil
}

// checkers is the number of goroutines that check. One core computes CRC-32C several times faster than any flash reads.
const checkers = 2

// streamedParts is the sequence of the parts of a tensor that was asked for last. It is kept, so that a pass does not allocate.
type streamedParts struct {
	ctx context.Context
	all iter.Seq2[tensor.Packed, error]
}

// Parts yields the parts of a tensor in order. Their data are page-aligned and valid only during their iteration. An error ends the
// sequence; asking again reads again.
func (r *Streamer) Parts(ctx context.Context, name string) iter.Seq2[tensor.Packed, error] {
	t, ok := r.tensors[name]
	if !ok {
		return failed(r.store.unknownTensor(name))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.parts[name]
	if kept == nil {
		kept = &streamedParts{}
		r.parts[name] = kept
	}
	// Contexts that are no pointers may be of types that can't be compared.
	if plain := ctx == context.Background() || reflect.TypeOf(ctx).Kind() == reflect.Pointer; !plain || kept.ctx != ctx {
		kept.ctx, kept.all = ctx, func(yield func(tensor.Packed, error) bool) {
			for _, p := range t.Parts {
				if !r.yieldPart(ctx, t, p, yield) {
					return
				}
			}
		}
	}
	return kept.all
}

// yieldPart leases the segment of a part for the time of one call of yield, and reports whether to go on.
func (r *Streamer) yieldPart(ctx context.Context, t *tensorEntry, p partEntry, yield func(tensor.Packed, error) bool) bool {
	l, err := r.lease(ctx, t.Name, r.scan.place[address{p.Chunk, p.Segment}])
	if err != nil {
		yield(tensor.Packed{}, fmt.Errorf("weights: stream %s: %w", t.Name, err))
		return false
	}
	defer r.release(l, p)
	return yield(t.packed(p, l.data), nil)
}

// lease waits for the segment at a place of the scan and holds it for the consumer.
func (r *Streamer) lease(ctx context.Context, name string, place int) (*fetch, error) {
	if err := r.request(ctx, name, place); err != nil {
		return nil, err
	}
	waited := &r.stats.WaitTime
	if r.scan.segments[place].Expert {
		waited = &r.stats.ExpertWait
	}
	l, err := r.await(ctx, r.partArrived, name, waited, func() (*fetch, error) {
		l := r.fetches[place]
		switch {
		case l == nil || !l.done:
			return nil, nil
		case l.err != nil:
			r.discard(l)
			r.wake.Broadcast()
			return nil, l.err
		}
		l.leases++
		r.current = l
		return l, nil
	})
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.held = false
	}
	return l, err
}

// request moves the scan to a place, so that the workers provide it next.
func (r *Streamer) request(ctx context.Context, name string, place int) error {
	late, err := r.move(ctx, name, place)
	if late {
		r.trace("out of order", name, time.Now())
	}
	return err
}

func (r *Streamer) move(ctx context.Context, name string, place int) (late bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case r.closed:
		return false, fs.ErrClosed
	case r.held:
		return false, errors.New("another part is still held")
	}
	r.held = true
	expert := r.scan.segments[place].Expert
	if late = !expert && r.isLate(place); late {
		if r.stats.OutOfOrder++; r.stats.OutOfOrder == 1 {
			r.stats.FirstOutOfOrder = name
		}
	}
	if l := r.fetches[place]; l != nil && l.done && l.err != nil {
		r.discard(l) // it failed before it was asked for: perhaps the device answers now
		r.wake.Broadcast()
	}
	missing := r.fetches[place] == nil
	if expert && place != r.using && r.visits[place] <= r.ended { // rows that took turns share it
		r.stats.Experts++
	}
	r.learn(place)
	switch {
	case missing && expert && r.wanted[place] == 0, missing && !expert && place != r.at:
		r.stats.Seeks++
	}
	if expert && r.keeps(place) { // which is read when it is asked for, and the scan goes on with the rest
		if missing {
			r.wake.Broadcast()
		}
	} else if place != r.at || missing && r.leftOut[place] > 0 {
		r.at = place
		r.wake.Broadcast()
	}
	return late, nil
}

// await calls look, with the lock, whenever something has been fetched, until it returns a fetch or an error, ctx is cancelled
// or the Streamer closes.
func (r *Streamer) await(ctx context.Context, arrived <-chan struct{}, name string, waited *time.Duration, look func() (*fetch, error)) (*fetch, error) {
	var started time.Time
	for {
		r.mu.Lock()
		l, err := look()
		switch {
		case l != nil || err != nil:
		case r.closed:
			err = fs.ErrClosed
		default:
			err = r.broken
		}
		if (l != nil || err != nil) && !started.IsZero() {
			*waited += time.Since(started)
		}
		r.mu.Unlock()
		if l != nil || err != nil {
			if !started.IsZero() {
				r.trace("wait", name, started)
			}
			return l, err
		}
		if started.IsZero() {
			started = time.Now()
		}
		select {
		case <-arrived:
		case <-r.closing:
		case <-ctx.Done():
			r.mu.Lock()
			*waited += time.Since(started)
			r.mu.Unlock()
			return nil, ctx.Err()
		}
	}
}

// release ends the consumer's hold on the segment of part p. After its last part the scan moves on, and its buffer can be used for
// another one.
func (r *Streamer) release(l *fetch, p partEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held, r.current = false, nil
	if r.at == l.place && p.Offset == r.scan.segments[l.place].last {
		r.at = r.scan.next(l.place)
	}
	r.unlease(l)
}

// Lease keeps the part that is being yielded valid after its iteration, until release is called: once, from any goroutine. Its buffer can't
// be read into meanwhile, so that holding many keeps the stream from reading ahead. It panics outside an iteration.
func (r *Streamer) Lease() (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.current
	l.leases++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.unlease(l)
	}
}

// unlease ends one hold on a segment. The caller holds the lock.
func (r *Streamer) unlease(l *fetch) {
	l.leases--
	r.idle(l)
}

func (r *Streamer) trace(lane, name string, started time.Time) {
	if r.opts.Trace != nil {
		r.opts.Trace(lane, name, started, time.Now())
	}
}

// Plan returns how memory is used at present.
func (r *Streamer) Plan() Plan {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.plan
}

// Stats returns what was counted so far.
func (r *Streamer) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.ReadTime, s.WaitTime = r.clock.sum(), s.WaitTime+s.ExpertWait
	s.HeldBytes = r.memory
	s.Mode = Direct
	for _, f := range r.files {
		if modeOf(f) != Direct {
			s.Mode = Buffered
		}
	}
	return s
}

// Close waits for the reads under way, frees the memory and closes the files. A part that is held stays valid until its iteration
// or its lease ends; later requests fail with [io/fs.ErrClosed]. Closing again does nothing.
func (r *Streamer) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	close(r.closing)
	r.wake.Broadcast()
	r.wakeChecker.Broadcast()
	r.mu.Unlock()
	r.workers.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.freeAll()
	return closeAll(r.files)
}
