package profile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/offheap"
	"github.com/lever-go/lever/internal/publish"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/weights"
)

// Flash is how fast the machine reads.
type Flash struct {
	Mode   weights.IOMode `json:"mode"`
	Origin Origin         `json:"source"`
	Reads  []Reads        `json:"reads"` // by size, then depth, both ascending
	// BestSize and BestDepth reach 95 % of the best bandwidth with the least memory in flight, two reads or more at once.
	BestSize  int64 `json:"best_size"`
	BestDepth int   `json:"best_depth"`
}

// Origin is what was read.
type Origin string

const (
	FromStore Origin = "store"          // the chunks of the target
	FromFile  Origin = "temporary file" // of random bytes, written for this
)

// Reads is what depth readers got that read size bytes at a time without pause.
type Reads struct {
	Size           int64   `json:"size"`
	Depth          int     `json:"depth"`
	Count          int     `json:"count"`
	BytesPerSecond float64 `json:"bytes_per_second"`
	// Latency is the time from the start of a read to its end.
	Latency Quantiles `json:"latency"`
	// Arrival is the time from the end of a read to the end of the next, of any reader.
	Arrival gaincost.Latency `json:"arrival"`
}

// Quantiles of a time in seconds.
type Quantiles struct {
	Min float64 `json:"min"`
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

var (
	readSizes  = []int64{4 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20}
	readDepths = []int{1, 2, 4, 8, 16}
)

const (
	maxReads       = 1 << 17  // samples of a point
	minStreamBytes = 64 << 10 // smaller reads are no choice for streaming
	goodEnough     = 0.95     // part of the best bandwidth
	flashRounds    = 5        // of measuring all sizes and depths
)

// find returns the reads of a size and depth.
func (f *Flash) find(size int64, depth int) (Reads, bool) {
	i := slices.IndexFunc(f.Reads, func(r Reads) bool { return r.Size == size && r.Depth == depth })
	if i < 0 {
		return Reads{}, false
	}
	return f.Reads[i], true
}

// Best returns the reads of the best size and depth.
func (f *Flash) Best() Reads {
	r, _ := f.find(f.BestSize, f.BestDepth) // there since the check
	return r
}

// choose sets the best size and depth among those that suit streaming: not one at a time, for then the flash would rest while what was read is
// checked.
func (f *Flash) choose() {
	stream := slices.DeleteFunc(slices.Clone(f.Reads), func(r Reads) bool { return r.Size < minStreamBytes || r.Depth == 1 })
	if len(stream) == 0 {
		stream = slices.Clone(f.Reads)
	}
	most := 0.0
	for _, r := range stream {
		most = max(most, r.BytesPerSecond)
	}
	good := slices.DeleteFunc(stream, func(r Reads) bool { return r.BytesPerSecond < goodEnough*most })
	best := slices.MinFunc(good, func(a, b Reads) int { return int(a.Size*int64(a.Depth) - b.Size*int64(b.Depth)) })
	f.BestSize, f.BestDepth = best.Size, best.Depth
}

const maxPoints = 1 << 12

func (f *Flash) check() error {
	if len(f.Reads) == 0 || len(f.Reads) > maxPoints {
		return invalid("%d measurements of reads", len(f.Reads))
	}
	if f.Mode != weights.Direct && f.Mode != weights.Buffered {
		return invalid("mode %q of reading", f.Mode)
	}
	for i, r := range f.Reads {
		q := r.Latency
		if r.Size < 1 || r.Size > 1<<30 || r.Depth < 1 || r.Depth > 1<<10 || r.Count < 1 || !positive(r.BytesPerSecond) {
			return invalid("%d reads of %d bytes at depth %d: %v bytes per second", r.Count, r.Size, r.Depth, r.BytesPerSecond)
		}
		if !(0 <= q.Min && q.Min <= q.P50 && q.P50 <= q.P90 && q.P90 <= q.P99 && q.P99 <= q.Max) {
			return invalid("reads of %d bytes at depth %d: latencies %v do not ascend", r.Size, r.Depth, q)
		}
		if !(r.Arrival.Mean >= 0 && r.Arrival.Deviation >= 0) {
			return invalid("reads of %d bytes at depth %d: arrivals %v", r.Size, r.Depth, r.Arrival)
		}
		if i > 0 && (r.Size < f.Reads[i-1].Size || r.Size == f.Reads[i-1].Size && r.Depth <= f.Reads[i-1].Depth) {
			return invalid("reads of %d bytes at depth %d are out of order", r.Size, r.Depth)
		}
	}
	if _, ok := f.find(f.BestSize, f.BestDepth); !ok {
		return invalid("the best reads, of %d bytes at depth %d, were not measured", f.BestSize, f.BestDepth)
	}
	return nil
}

// Emulate returns the flash device as a profile for [flashsim.Throttle]. The tail of the delays is that of the smallest reads, one at a time. Where
// a larger or a deeper read came out faster than the one before, which only noise can do, it is taken to be as fast.
func (f *Flash) Emulate(name string) (*flashsim.Profile, error) {
	p := &flashsim.Profile{Format: flashsim.Format, Version: flashsim.Version, Name: name}
	for _, r := range f.Reads {
		if !slices.Contains(p.Sizes, r.Size) {
			p.Sizes = append(p.Sizes, r.Size)
		}
		if !slices.Contains(p.Depths, r.Depth) {
			p.Depths = append(p.Depths, r.Depth)
		}
	}
	slices.Sort(p.Depths)
	above := make([]float64, len(p.Depths)) // seconds of the next smaller size
	for _, size := range p.Sizes {
		row, left := make([]float64, len(p.Depths)), 0.0
		for j, depth := range p.Depths {
			r, ok := f.find(size, depth)
			if !ok {
				return nil, invalid("no reads of %d bytes at depth %d", size, depth)
			}
			work := float64(size) * float64(depth)
			left = max(left, above[j], work/r.BytesPerSecond)
			row[j], above[j] = work/left, left
		}
		p.BytesPerSecond = append(p.BytesPerSecond, row)
	}
	first := f.Reads[0]
	q := first.Latency
	p.Delays = []flashsim.Delay{
		{Quantile: 0}, {Quantile: 0.5, Seconds: q.P50 - q.Min}, {Quantile: 0.9, Seconds: q.P90 - q.Min},
		{Quantile: 0.99, Seconds: q.P99 - q.Min}, {Quantile: 1, Seconds: q.Max - q.Min},
	}
	// The quantiles, with straight lines between, can have a larger mean than the reads had: the last is a single read.
	if err := p.Check(); err != nil {
		p.Delays[4].Seconds = p.Delays[3].Seconds
		if p.Check() != nil {
			p.Delays = nil
		}
	}
	return p, p.Check()
}

// extent is a file to read from.
type extent struct {
	file weights.File
	size int64
}

// readable is what reads are measured on.
type readable struct {
	source  Origin
	extents []extent

	temporary *os.File     // that is read, open to be written; or nil
	remove    func() error // removes it; nil where nothing is left to remove
}

// openReadable opens the chunks of a store, or a temporary file in dir if they are too few. report is called with the part of the file that is written.
func openReadable(ctx context.Context, store *weights.Store, dir string, bytes int64, report func(done, total int64)) (*readable, error) {
	if store != nil && store.Bytes() >= bytes {
		paths, err := filepath.Glob(filepath.Join(store.Dir(), "chunks", "*.bin"))
		if err != nil {
			return nil, fmt.Errorf("profile: %w", err)
		}
		return openFiles(paths, FromStore)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	r, err := openTemporary(dir)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	err = fill(ctx, r.temporary, bytes, report)
	if err == nil {
		r.extents[0].size = bytes
		err = r.forget()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("profile: write a file to read: %w", err), r.close())
	}
	return r, nil
}

// openTemporary makes an empty file in dir and opens it. Where the system allows it, the file loses its name at once, so that nothing is left
// of it whenever the process ends.
func openTemporary(dir string) (*readable, error) {
	folder, remove, err := publish.Temp(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "random")
	r := &readable{source: FromFile, remove: remove}
	if r.temporary, err = os.Create(path); err != nil {
		return nil, errors.Join(err, remove())
	}
	file, err := weights.OpenDirect(path)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	r.extents = []extent{{file, 0}}
	if os.Remove(path) == nil { // not on Windows, where it is in use
		r.remove = nil
		if err := remove(); err != nil {
			return nil, errors.Join(err, r.close())
		}
	}
	return r, nil
}

// fill writes random bytes, which no drive compresses, and waits until they are on the device.
func fill(ctx context.Context, f *os.File, bytes int64, report func(done, total int64)) error {
	block := make([]byte, 4<<20)
	random := rand.NewChaCha8([32]byte{1})
	for done := int64(0); done < bytes; done += int64(len(block)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		random.Read(block)
		if _, err := f.Write(block); err != nil {
			return err
		}
		report(done, bytes)
	}
	return f.Sync()
}

func openFiles(paths []string, source Origin) (*readable, error) {
	r := &readable{source: source}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
		f, err := weights.OpenDirect(path)
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
		r.extents = append(r.extents, extent{f, info.Size()})
	}
	if err := r.forget(); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// mode returns how the files are read.
func (r *readable) mode() weights.IOMode {
	for _, e := range r.extents {
		if m, ok := e.file.(interface{ Mode() weights.IOMode }); !ok || m.Mode() != weights.Direct {
			return weights.Buffered
		}
	}
	return weights.Direct
}

// forget reads everything once where reads go through the page cache: what has been read is dropped from there, what was written or
// checked a moment ago is not.
func (r *readable) forget() error {
	if r.mode() == weights.Direct {
		return nil
	}
	const size = 4 << 20
	buf := offheap.FromHeap(size)
	for _, p := range r.places(size) {
		if _, err := p.file.ReadAt(buf, p.offset); err != nil {
			return err
		}
	}
	return nil
}

func (r *readable) close() error {
	var errs []error
	for _, e := range r.extents {
		errs = append(errs, e.file.Close())
	}
	if r.temporary != nil {
		errs = append(errs, r.temporary.Close())
	}
	if r.remove != nil {
		errs = append(errs, r.remove())
	}
	return errors.Join(errs...)
}

// place is where a read begins.
type place struct {
	file   weights.File
	offset int64
}

// places returns where reads of size bytes can begin, in the order of a pass.
func (r *readable) places(size int64) (places []place) {
	for _, e := range r.extents {
		for at := int64(0); at+size <= e.size; at += size {
			places = append(places, place{e.file, at})
		}
	}
	return places
}

// measure reads size bytes at a time with depth readers, for the given time.
func (r *readable) measure(ctx context.Context, size int64, depth int, duration time.Duration) ([]sample, error) {
	places := r.places(size)
	if len(places) == 0 {
		return nil, fmt.Errorf("profile: nothing of %d bytes to read", size)
	}
	var (
		next    atomic.Int64
		mu      sync.Mutex
		samples []sample
		failure error
		group   sync.WaitGroup
	)
	// Memory like that which weights are streamed into: pages of another size change what a read takes.
	mem, free, err := offheap.Alloc(max(depth*int(size), offheap.HugePage))
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	clear(mem) // it is there when time begins
	next.Store(rand.Int64N(int64(len(places))))
	began := time.Now()
	for i := range depth {
		group.Go(func() {
			own, err := r.reader(ctx, places, &next, mem[i*int(size):(i+1)*int(size)], began, duration)
			mu.Lock()
			defer mu.Unlock()
			samples, failure = append(samples, own...), errors.Join(failure, err)
		})
	}
	group.Wait()
	if err := errors.Join(ctx.Err(), failure, free()); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return samples, nil
}

// sample is one read: when it began and ended, in seconds from the start.
type sample struct{ began, ended float64 }

// reader is one reader of measure, which reads into buf. At least one read is done.
func (r *readable) reader(ctx context.Context, places []place, next *atomic.Int64, buf []byte, began time.Time, duration time.Duration) ([]sample, error) {
	var samples []sample
	for ctx.Err() == nil && len(samples) < maxReads {
		at := places[next.Add(1)%int64(len(places))]
		from := time.Since(began)
		if _, err := at.file.ReadAt(buf, at.offset); err != nil {
			return nil, err
		}
		to := time.Since(began)
		samples = append(samples, sample{from.Seconds(), to.Seconds()})
		if to > duration {
			break
		}
	}
	return samples, nil
}

// summarise describes the reads of several rounds. The bandwidth is that of the median round, since other work disturbs some.
func summarise(size int64, depth int, rounds [][]sample) (Reads, error) {
	r := Reads{Size: size, Depth: depth}
	var latencies, arrivals, bandwidths []float64
	for _, samples := range rounds {
		var ends []float64
		for _, s := range samples {
			latencies, ends = append(latencies, s.ended-s.began), append(ends, s.ended)
		}
		slices.Sort(ends)
		before := 0.0
		for _, end := range ends {
			arrivals, before = append(arrivals, end-before), end
		}
		bandwidths = append(bandwidths, float64(size)*float64(len(samples))/max(before, 1e-9))
	}
	slices.Sort(latencies)
	slices.Sort(bandwidths)
	quantile := func(q float64) float64 { return latencies[int(q*float64(len(latencies)-1))] }
	r.Count = len(latencies)
	r.Latency = Quantiles{Min: latencies[0], P50: quantile(0.5), P90: quantile(0.9), P99: quantile(0.99), Max: latencies[len(latencies)-1]}
	r.BytesPerSecond = bandwidths[len(bandwidths)/2]
	var err error
	r.Arrival, err = gaincost.NewLatency(arrivals)
	return r, err
}

// measureFlash measures all sizes and depths, for the given time together, in rounds, so that a disturbance of some seconds meets all of them.
func measureFlash(ctx context.Context, r *readable, duration time.Duration, report func(done, total int64)) (Flash, error) {
	f := Flash{Origin: r.source}
	points := len(readSizes) * len(readDepths)
	total := int64(points * flashRounds)
	rounds := make([][][]sample, points)
	for round := range flashRounds {
		for i := range points {
			size, depth := readSizes[i/len(readDepths)], readDepths[i%len(readDepths)]
			samples, err := r.measure(ctx, size, depth, duration/time.Duration(total))
			if err != nil {
				return f, err
			}
			rounds[i] = append(rounds[i], samples)
			report(int64(round*points+i+1), total)
		}
	}
	for i, samples := range rounds {
		reads, err := summarise(readSizes[i/len(readDepths)], readDepths[i%len(readDepths)], samples)
		if err != nil {
			return f, err
		}
		f.Reads = append(f.Reads, reads)
	}
	f.choose()
	f.Mode = r.mode()
	return f, nil
}
