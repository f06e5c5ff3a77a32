package weights

import (
	"fmt"
	"io/fs"
)

// TrimLevel says how much of its memory a [Streamer] shall give back. The levels follow those of Android's onTrimMemory for a running
// app.
type TrimLevel int

// The limits are shares of the one that [Store.Stream] or [Streamer.Resize] was given, but never less than two buffers and a tile need.
const (
	TrimNone     TrimLevel = iota // no pressure any more: all of the memory
	TrimModerate                  // TRIM_MEMORY_RUNNING_MODERATE: three quarters
	TrimLow                       // TRIM_MEMORY_RUNNING_LOW: half
	TrimCritical                  // TRIM_MEMORY_RUNNING_CRITICAL: two buffers and a tile
)

// Trim gives memory back to the system, or takes what an earlier Trim gave back. Generation goes on, only slower or faster. See
// [Streamer.Resize] for when the memory is free.
func (r *Streamer) Trim(level TrimLevel) (Plan, error) {
	r.mu.Lock()
	base := r.base
	r.mu.Unlock()
	few := min(base, r.store.manifest.least(&r.scan)+int64(bufferBytes(r.scan.largest())))
	switch level {
	case TrimNone:
		return r.resize(base)
	case TrimModerate:
		return r.resize(max(base/4*3, few))
	case TrimLow:
		return r.resize(max(base/2, few))
	case TrimCritical:
		return r.resize(few)
	}
	return Plan{}, fmt.Errorf("weights: trim: there is no level %d: %w", level, ErrArgument)
}

// Resize changes the memory limit, in either direction, and returns the new plan. Memory that is more than planned goes back to the system before
// Resize returns, except what is in use at that moment: the segment that the consumer holds, and buffers that a read writes to, which follow
// when they are done with. Segments that are to be pinned are loaded as the scan comes by.
//
// It may be called from any goroutine at any time. On an error, such as a limit that is too small, nothing changes.
func (r *Streamer) Resize(limit int64) (Plan, error) {
	if limit <= 0 {
		return Plan{}, fmt.Errorf("weights: resize: a memory limit of %d bytes: %w", limit, ErrArgument)
	}
	p, err := r.resize(limit)
	if err == nil {
		r.mu.Lock()
		r.base = limit
		r.mu.Unlock()
	}
	return p, err
}

func (r *Streamer) resize(limit int64) (Plan, error) {
	opts := r.opts
	opts.DRAM = limit
	r.mu.Lock()
	defer r.mu.Unlock()
	plan, pins, err := r.store.manifest.planSparse(opts, r.sparse)
	if err != nil {
		return Plan{}, fmt.Errorf("weights: resize %s: %w", r.store.dir, err)
	}
	if r.closed {
		return Plan{}, fmt.Errorf("weights: resize %s: %w", r.store.dir, fs.ErrClosed)
	}
	r.limit = limit
	r.apply(plan, pins, r.sparse)
	return plan, nil
}
