package flashsim

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"sync"
	"time"

	"github.com/lever-go/lever/internal/regular"
	"github.com/lever-go/lever/weights"
)

// Throttle makes the files of a store as slow as a flash device that a [Profile] describes, so that storage like a phone's
// can be reproduced on any machine whose own storage, or page cache, is faster. All files opened through one Throttle share the device:
// reads under way at once share its bandwidth, and wait for each other where they are more than its depth.
//
// Reads end when the simulated device is done with them. Timers are late by some tens of microseconds; what a reader loses by that, its
// next read gains, so that bandwidth comes out right without spinning. The same seed and the same sequence of reads give the same
// delays and pauses.
//
// A Throttle is safe for concurrent use.
type Throttle struct {
	clock clock
	begun time.Time
	scale float64

	mu     sync.Mutex
	device *device
	stats  Stats
}

// Options says how a [Throttle] applies its profile. The zero value is usable.
type Options struct {
	// Scale makes every byte count as that many, so that a pass over a small store takes as long as one over a model that is
	// Scale times as large; delays and pauses are not scaled. 0 means 1.
	Scale float64
	// Seed determines delays and pauses.
	Seed uint64
}

// Stats counts what a [Throttle] did.
type Stats struct {
	Reads int64 // done
	Bytes int64 // read, not scaled
	// ReadTime is the time of all reads, added up.
	ReadTime time.Duration
	// Overrun is the time by which the store's own device was slower than the profile; where it is more than a small part of the
	// time of all reads, the profile is not reproduced.
	Overrun time.Duration
}

// NewThrottle checks the profile, which must not be changed afterwards, and returns a device that is idle.
func NewThrottle(profile *Profile, opts Options) (*Throttle, error) {
	if profile == nil {
		return nil, errors.New("flashsim: no flash profile")
	}
	if err := profile.Check(); err != nil {
		return nil, err
	}
	if !(opts.Scale >= 0) || math.IsInf(opts.Scale, 0) {
		return nil, fmt.Errorf("flashsim: scale %v is not positive", opts.Scale)
	}
	return newThrottle(profile, opts, systemClock{}), nil
}

func newThrottle(profile *Profile, opts Options, c clock) *Throttle {
	if opts.Scale == 0 {
		opts.Scale = 1
	}
	return &Throttle{clock: c, begun: c.now(), scale: opts.Scale, device: newDevice(profile, opts.Seed)}
}

// Opener returns a function for [weights.OpenOptions]: it opens files by open, and reads them at the speed of the device. With a nil open they
// are read through the page cache and stay there, so that this machine's own storage may be slower than the device once they have been read.
// Closing a file ends its reads with [io/fs.ErrClosed].
func (t *Throttle) Opener(open func(path string) (weights.File, error)) func(path string) (weights.File, error) {
	if open == nil {
		open = func(path string) (weights.File, error) { return regular.Open(path) }
	}
	return func(path string) (weights.File, error) {
		f, err := open(path)
		if err != nil {
			return nil, err
		}
		return &throttledFile{throttle: t, file: f, closing: make(chan struct{})}, nil
	}
}

// Stats returns what was counted so far.
func (t *Throttle) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats
}

// throttledFile is a file on the simulated device.
type throttledFile struct {
	throttle *Throttle
	file     weights.File
	closing  chan struct{}
	close    sync.Once
}

// Mode returns how the file below is read.
func (f *throttledFile) Mode() weights.IOMode {
	if m, ok := f.file.(interface{ Mode() weights.IOMode }); ok {
		return m.Mode()
	}
	return weights.Buffered
}

func (f *throttledFile) Close() (err error) {
	err = fs.ErrClosed
	f.close.Do(func() {
		close(f.closing)
		err = f.file.Close()
	})
	return err
}

// ReadAt reads from the file and returns when the simulated device has read as much.
func (f *throttledFile) ReadAt(p []byte, offset int64) (int, error) {
	t := f.throttle
	r, arrived := t.begin(len(p))
	n, err := f.file.ReadAt(p, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		t.forget(r)
		return n, err
	}
	read := t.now()
	for {
		wait := t.end(r, n, arrived, read)
		if wait == 0 {
			return n, err
		}
		if !t.clock.sleep(wait, f.closing) {
			t.forget(r)
			return 0, fs.ErrClosed
		}
	}
}

// now returns the seconds since the Throttle was made.
func (t *Throttle) now() float64 { return t.clock.now().Sub(t.begun).Seconds() }

func (t *Throttle) begin(size int) (r *deviceRead, arrived float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	arrived = t.now()
	return t.device.arrive(float64(size)*t.scale, arrived), arrived
}

func (t *Throttle) forget(r *deviceRead) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.device.abandon(r)
}

// maxWait bounds a wait, because a read can end earlier than predicted where others are abandoned.
const maxWait = 20 * time.Millisecond

// end ends the read r, of which n bytes were there at the time read, or returns how long it will take at least.
func (t *Throttle) end(r *deviceRead, n int, arrived, read float64) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.device.advance(now)
	if !r.done {
		left := math.Ceil((t.device.earliest(r) - now) * 1e9)
		return time.Duration(max(1, min(left, float64(maxWait))))
	}
	overrun := max(0, read-max(r.end, arrived))
	t.device.collect(r, now-r.end-overrun)
	t.stats.Reads++
	t.stats.Bytes += int64(n)
	t.stats.ReadTime += time.Duration((now - arrived) * 1e9)
	t.stats.Overrun += time.Duration(overrun * 1e9)
	return 0
}

// clock is what a Throttle knows of time.
type clock interface {
	now() time.Time
	// sleep waits for d or less, so that it is called again, and returns false when cancel is closed.
	sleep(d time.Duration, cancel <-chan struct{}) bool
}

// systemClock is the real time. Its waits are as exact as the system's own: the runtime's timers are late by up to a millisecond where
// the process is idle, so the last of a wait is left to the system, in pieces short enough to notice a cancellation.
type systemClock struct{}

func (systemClock) now() time.Time { return time.Now() }

const (
	sleepPiece = time.Millisecond
	timerLate  = 2 * time.Millisecond
)

func (systemClock) sleep(d time.Duration, cancel <-chan struct{}) bool {
	if d > 2*timerLate {
		timer := time.NewTimer(d - timerLate)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-cancel:
			return false
		}
		return true
	}
	select {
	case <-cancel:
		return false
	default:
		sleepExactly(min(d, sleepPiece))
		return true
	}
}
