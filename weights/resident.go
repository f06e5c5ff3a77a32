package weights

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"runtime"
	"sort"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lever-go/lever/tensor"
)

// Resident holds all weights of a store in memory, outside the Go heap. It is safe for concurrent use.
type Resident struct {
	store   *Store
	tensors map[string]*residentTensor
	stats   Stats

	unlease func() // release, made once

	places [][]int // of segments in the memory of their chunks

	mu     sync.Mutex
	chunks []pages
	leases int // sequences being iterated over, and parts that outlive theirs
	closed bool
}

// residentTensor is a tensor in memory. Its sequence is made once, so that a pass does not allocate.
type residentTensor struct {
	entry *tensorEntry
	parts []tensor.Packed
	all   iter.Seq2[tensor.Packed, error]
}

// Resident loads all weights and checks every segment. progress, if not nil, is called with the bytes loaded. Calls do not
// overlap. The caller closes the Resident.
func (s *Store) Resident(ctx context.Context, progress func(Progress)) (*Resident, error) {
	started := time.Now()
	r := &Resident{store: s, tensors: map[string]*residentTensor{}, places: s.place()}
	r.unlease = r.release
	if err := r.load(ctx, &meter{report: progress, total: s.Bytes()}); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	for i := range s.manifest.Tensors {
		t := &s.manifest.Tensors[i]
		rt := &residentTensor{entry: t, parts: r.join(t)}
		rt.all = func(yield func(tensor.Packed, error) bool) { r.yieldParts(rt, yield) }
		r.tensors[t.Name] = rt
	}
	took := time.Since(started)
	r.stats = Stats{BytesRead: s.Bytes(), PeakBytes: s.Bytes(), ReadTime: took, WaitTime: took}
	return r, nil
}

// place returns where each segment of each chunk begins in the memory of the chunk. One that goes on with the last tensor of the segment before follows what
// that has of it, and so overwrites what pads it; others begin at a multiple of alignment.
func (s *Store) place() [][]int {
	all := make([][]int, len(s.manifest.Chunks))
	for i, c := range s.manifest.Chunks {
		all[i] = make([]int, len(c.Segments)) // first, how much of the segment before a segment follows
	}
	for i := range s.manifest.Tensors {
		t := &s.manifest.Tensors[i]
		for j := 1; j < len(t.Parts); j++ {
			if last, p := t.Parts[j-1], t.Parts[j]; p.Chunk == last.Chunk && p.Segment == last.Segment+1 && p.Offset == 0 {
				all[p.Chunk][p.Segment] = last.Offset + t.partBytes(last)
			}
		}
	}
	for i, c := range s.manifest.Chunks {
		for j, places := 1, all[i]; j < len(places); j++ {
			if follows := places[j]; follows > 0 {
				places[j] = places[j-1] + follows
			} else {
				places[j] = (places[j-1] + c.Segments[j-1].Size + alignment - 1) / alignment * alignment
			}
		}
	}
	return all
}

// join returns the parts of a tensor in memory. Those that lie side by side are one, as workers wait for each other at the end of each.
func (r *Resident) join(t *tensorEntry) (all []tensor.Packed) {
	chunk, end := -1, 0 // of the part before
	for _, p := range t.Parts {
		mem, begin := r.chunks[p.Chunk].bytes, r.places[p.Chunk][p.Segment]
		if p.Chunk == chunk && begin+p.Offset == end {
			last := &all[len(all)-1]
			last.Rows += p.Rows
			first := end - len(last.Data)
			end += t.partBytes(p)
			last.Data = mem[first:end:end]
			continue
		}
		chunk, end = p.Chunk, begin+p.Offset+t.partBytes(p)
		all = append(all, t.packed(p, mem[begin:]))
	}
	return all
}

// load reads the chunks, several at a time.
func (r *Resident) load(ctx context.Context, progress *meter) error {
	files, err := r.store.openChunks(openFile)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range r.store.manifest.Chunks {
		mem, err := newPages(int(c.Size))
		if err != nil {
			return errors.Join(err, group.Wait(), closeAll(files))
		}
		r.chunks = append(r.chunks, mem)
		group.Go(func() error {
			return carry(func() error {
				for j, e := range c.Segments {
					if err := ctx.Err(); err != nil {
						return fmt.Errorf("weights: load %s: %w", r.store.dir, err)
					}
					if err := r.store.readSegment(files[i], i, j, mem.bytes[r.places[i][j]:][:e.Size]); err != nil {
						return err
					}
					progress.add(c.File, int64(e.Size))
				}
				return nil
			})
		})
	}
	err = group.Wait()
	r.store.forgetVerified(err)
	return errors.Join(err, closeAll(files))
}

// Parts yields the parts of a tensor in order: one, unless it lies in several chunks. Their data are valid only during their iteration.
func (r *Resident) Parts(ctx context.Context, name string) iter.Seq2[tensor.Packed, error] {
	if err := ctx.Err(); err != nil {
		return failed(fmt.Errorf("weights: read %s: %w", name, err))
	}
	t, ok := r.tensors[name]
	if !ok {
		return failed(r.store.unknownTensor(name))
	}
	return t.all
}

func (r *Resident) yieldParts(t *residentTensor, yield func(tensor.Packed, error) bool) {
	if err := r.lease(); err != nil {
		yield(tensor.Packed{}, err)
		return
	}
	defer r.release()
	for _, p := range t.parts {
		if !yield(p, nil) {
			return
		}
	}
}

// Lease keeps the part that is being yielded valid after its iteration, until release is called: once, from any goroutine.
func (r *Resident) Lease() (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leases++
	return r.unlease
}

// Tile returns the tile that holds row of a tensor. Its data stay valid until Close.
func (r *Resident) Tile(ctx context.Context, name string, row int) (tensor.Packed, error) {
	t, ok := r.tensors[name]
	if !ok {
		return tensor.Packed{}, r.store.unknownTensor(name)
	}
	if err := r.lease(); err != nil {
		return tensor.Packed{}, err
	}
	defer r.release()
	if err := t.entry.hasRow(row); err != nil {
		return tensor.Packed{}, err
	}
	p := t.parts[sort.Search(len(t.parts), func(i int) bool { return t.parts[i].Row+t.parts[i].Rows > row })]
	from := (row - p.Row) / tensor.TileRows * tensor.TileRows
	return p.Slice(from, min(from+tensor.TileRows, p.Rows)), nil
}

// Stats returns what was read; loading counts as waiting.
func (r *Resident) Stats() Stats { return r.stats }

// Close frees the memory, as soon as the last iteration in progress and the last lease end. Later requests fail with [io/fs.ErrClosed].
func (r *Resident) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.leases > 0 {
		return nil
	}
	return r.free()
}

func (r *Resident) lease() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("weights: read %s: %w", r.store.dir, fs.ErrClosed)
	}
	r.leases++
	return nil
}

func (r *Resident) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leases--; r.closed && r.leases == 0 {
		_ = r.free() // unmapping what was mapped cannot fail
	}
}

// free gives the memory back. The caller holds the lock.
func (r *Resident) free() error {
	var errs []error
	for _, c := range r.chunks {
		errs = append(errs, c.free())
	}
	r.chunks = nil
	return errors.Join(errs...)
}

// failed is a sequence that consists of an error.
func failed(err error) iter.Seq2[tensor.Packed, error] {
	return func(yield func(tensor.Packed, error) bool) { yield(tensor.Packed{}, err) }
}
