package weights

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"sync"
	"time"

	"github.com/lever-go/lever/tensor"
)

// StreamOptions says how much a [Streamer] keeps and reads at once. The zero value is usable.
type StreamOptions struct {
	// Ahead is the number of bytes to read ahead of the consumer; 0 means those of the largest block. At least one segment is.
	Ahead int64
	// Readers is the number of reads under way at once; 0 means 2.
	Readers int
	// Tiles is the number of tiles of the embedding that are kept; 0 means 64.
	Tiles int
}

// Streamer reads weights from flash as they are used. A pass over a model asks for the tensors in the order of the store, again and
// again; the Streamer reads the segments in that order into a ring of buffers, ahead of the consumer and across the end of
// a pass, and checks each before it hands it out. Requests in another order are served too, but wait for their reads.
//
// A Streamer serves one consumer: a part is given back before the next is asked for, and a request that comes while
// one is held is refused. Stats and Close may be called at any time.
type Streamer struct {
	store   *Store
	files   []File // by chunk
	tensors map[string]*tensorEntry
	tiles   tileCache
	closing chan struct{} // closed by Close
	workers sync.WaitGroup

	mu     sync.Mutex
	wake   sync.Cond // there may be work for a worker, or the Streamer closes
	ring   ring
	direct []*read // reads outside the ring; the most urgent, because somebody waits for them
	leased bool    // the consumer holds a part
	closed bool
	joined bool  // no worker is left
	held   int64 // bytes of memory for weights
	clock  readClock
	stats  Stats
}

// read is one read of a segment or tile. The Streamer's lock guards it until done is closed; afterwards its data and error do not
// change.
type read struct {
	at     address
	offset int64 // in the file
	size   int
	crc    uint32
	buf    pages // no bytes until a buffer of the ring is assigned
	begun  bool
	unused bool // nobody wants the result any more
	err    error
	done   chan struct{}
}

// Stream opens all chunks and starts to read ahead. The caller closes the Streamer.
func (s *Store) Stream(ctx context.Context, opts StreamOptions) (*Streamer, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("weights: stream %s: %w", s.dir, err)
	}
	r := &Streamer{store: s, tensors: s.manifest.tensors(), closing: make(chan struct{})}
	r.wake.L = &r.mu
	r.tiles.limit = positive(opts.Tiles, 64)
	var err error
	if r.ring, err = newRing(s.manifest, opts.Ahead); err != nil {
		return nil, fmt.Errorf("weights: stream %s: %w", s.dir, err)
	}
	if r.files, err = s.openChunks(); err != nil {
		return nil, errors.Join(err, r.ring.freeAll())
	}
	r.held = r.ring.bytes()
	r.stats.PeakBytes = r.held
	for range positive(opts.Readers, 2) {
		r.workers.Go(r.work)
	}
	return r, nil
}

func positive(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// Parts yields the parts of a tensor in order. Their data are page-aligned and valid only during their iteration. An error ends the
// sequence; asking again reads again.
func (r *Streamer) Parts(ctx context.Context, name string) iter.Seq2[tensor.Packed, error] {
	t, ok := r.tensors[name]
	if !ok {
		return failed(r.store.unknownTensor(name))
	}
	return func(yield func(tensor.Packed, error) bool) {
		for _, p := range t.Parts {
			if !r.yieldPart(ctx, t, p, yield) {
				return
			}
		}
	}
}

// yieldPart leases the segment of a part for the time of one call of yield, and reports whether to go on.
func (r *Streamer) yieldPart(ctx context.Context, t *tensorEntry, p partEntry, yield func(tensor.Packed, error) bool) bool {
	rd, err := r.lease(ctx, address{p.Chunk, p.Segment})
	if err != nil {
		yield(tensor.Packed{}, fmt.Errorf("weights: stream %s: %w", t.Name, err))
		return false
	}
	defer r.release(rd)
	return yield(t.packed(p, rd.buf.bytes), nil)
}

// lease waits for a segment and holds it for the consumer.
func (r *Streamer) lease(ctx context.Context, at address) (*read, error) {
	rd, err := r.request(ctx, at)
	if err != nil {
		return nil, err
	}
	if err := r.await(ctx, rd); err != nil {
		r.release(rd)
		return nil, err
	}
	return rd, nil
}

// request makes a segment the next that the workers provide.
func (r *Streamer) request(ctx context.Context, at address) (*read, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case r.closed:
		return nil, fs.ErrClosed
	case r.leased:
		return nil, errors.New("another part is still held")
	}
	rd, seeks, ok := r.ring.moveTo(at)
	if !ok {
		segment := r.store.manifest.Chunks[at.chunk].Segments[at.segment]
		rd = newRead(at, segment)
		rd.buf = heapPages(segment.Size)
		r.direct = append(r.direct, rd)
	}
	if seeks || !ok {
		r.stats.Seeks++
	}
	r.leased = true
	r.wake.Broadcast()
	return rd, nil
}

// await waits until rd is done, ctx is cancelled or the Streamer closes.
func (r *Streamer) await(ctx context.Context, rd *read) error {
	select {
	case <-rd.done:
		return rd.err
	default:
	}
	started := time.Now()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.stats.WaitTime += time.Since(started)
	}()
	select {
	case <-rd.done:
		return rd.err
	case <-ctx.Done():
		return ctx.Err()
	case <-r.closing:
		return fs.ErrClosed
	}
}

// release ends the consumer's hold on rd.
func (r *Streamer) release(rd *read) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leased = false
	if rd.err != nil {
		r.ring.retry(rd)
		r.wake.Broadcast()
	}
	if r.joined {
		_ = r.ring.freeAll() // unmapping what was mapped cannot fail
	}
}

// work is a worker: it reads what is most urgent until the Streamer closes.
func (r *Streamer) work() {
	for rd := r.take(); rd != nil; rd = r.take() {
		err := readChecked(r.files[rd.at.chunk], rd.buf.bytes[:rd.size], rd.offset, rd.crc)
		r.finish(rd, r.store.chunkError("read", rd.at.chunk, rd.at.segment, err))
	}
}

// take waits for a read that can begin; nil when the Streamer closes.
func (r *Streamer) take() *read {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.closed {
		var rd *read
		if len(r.direct) > 0 {
			rd, r.direct = r.direct[0], r.direct[1:]
		} else {
			rd = r.ring.next()
		}
		if rd != nil {
			rd.begun = true
			r.clock.start()
			return rd
		}
		r.wake.Wait()
	}
	return nil
}

func (r *Streamer) finish(rd *read, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock.stop()
	if rd.err = err; err == nil {
		r.stats.BytesRead += int64(rd.size)
	}
	close(rd.done)
	if rd.unused {
		r.ring.takeBack(rd)
		r.wake.Broadcast()
	}
}

// Stats returns what was counted so far.
func (r *Streamer) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.ReadTime = r.clock.sum()
	return s
}

// Close waits for the reads under way, frees the memory and closes the files. A part that is held stays valid until its iteration
// ends; later requests fail with [io/fs.ErrClosed]. Closing again does nothing.
func (r *Streamer) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	close(r.closing)
	r.wake.Broadcast()
	r.mu.Unlock()
	r.workers.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.joined = true
	err := closeAll(r.files)
	if !r.leased {
		err = errors.Join(err, r.ring.freeAll())
	}
	return err
}
