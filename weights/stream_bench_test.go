//go:build unix

package weights

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// benchStore opens the store that LEVER_BENCH_STORE names. It should be larger than the caches of the device; reads are direct, and no
// faster than the device of the flash profile that LEVER_BENCH_FLASH names.
func benchStore(b *testing.B) *Store {
	b.Helper()
	dir := os.Getenv("LEVER_BENCH_STORE")
	if dir == "" {
		b.Skip("LEVER_BENCH_STORE does not name a store to read")
	}
	if name := os.Getenv("LEVER_BENCH_FLASH"); name != "" {
		return openThrottled(b, dir, name, 1)
	}
	return open(b, dir)
}

// pass reads all tensors of a pass in order and calls use with the bytes of each part.
func pass(b *testing.B, r *Streamer, use func(bytes int)) time.Duration {
	b.Helper()
	started := time.Now()
	for _, name := range passNames(r.store) {
		for p, err := range r.Parts(b.Context(), name) {
			if err != nil {
				b.Fatal(err)
			}
			use(len(p.Data))
		}
	}
	return time.Since(started)
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}

// plainPass reads the segments that a pass streams with direct reads of the same size and number as a Streamer, and does nothing else.
func plainPass(b *testing.B, s *Store, p Plan) time.Duration {
	b.Helper()
	files, err := s.openChunks(OpenDirect)
	if err != nil {
		b.Fatal(err)
	}
	order, err := newScan(s.manifest)
	if err != nil {
		b.Fatal(err)
	}
	var reads []fetch
	for _, e := range order.segments[:order.pass] {
		if slices.Contains(p.Chunks[e.chunk].Pins, e.segment) {
			continue
		}
		for from := 0; from < e.Size; from += p.ReadSize {
			reads = append(reads, fetch{address: e.address, offset: e.Offset + int64(from), issued: min(p.ReadSize, e.Size-from)})
		}
	}
	var next atomic.Int64
	var group sync.WaitGroup
	started := time.Now()
	for range p.Depth {
		mem, err := newPages(p.ReadSize)
		if err != nil {
			b.Fatal(err)
		}
		group.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(reads); i = next.Add(1) - 1 {
				if err := readFull(files[reads[i].chunk], mem.bytes[:reads[i].issued], reads[i].offset); err != nil {
					b.Error(err)
				}
			}
			if err := mem.free(); err != nil {
				b.Error(err)
			}
		})
	}
	group.Wait()
	took := time.Since(started)
	if err := closeAll(files); err != nil {
		b.Fatal(err)
	}
	return took
}

// processorTime returns the time that the process has computed.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkStreamedOverPlain compares a Streamer of which nothing is pinned with a plain reader that checks nothing, by turns.
func BenchmarkStreamedOverPlain(b *testing.B) {
	for _, opts := range []StreamOptions{{}, {Depth: 1}, {Depth: 2}, {Depth: 8, ReadSize: 1 << 20}, {Buffered: true}} {
		b.Run(fmt.Sprintf("size=%d/depth=%d/buffered=%t", opts.withDefaults().ReadSize, opts.withDefaults().Depth, opts.Buffered), func(b *testing.B) {
			s := benchStore(b)
			r, err := s.Stream(context.Background(), opts)
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			p := r.Plan()
			pass(b, r, func(int) {})
			var ratios, streamed, plain, cost []float64
			for b.Loop() {
				// The ring is full before a pass and after it.
				time.Sleep(100 * time.Millisecond)
				before, read := processorTime(b), r.Stats().BytesRead
				one := pass(b, r, func(int) {})
				cost = append(cost, (processorTime(b)-before).Seconds()/float64(r.Stats().BytesRead-read)*1e9)
				time.Sleep(100 * time.Millisecond)
				other := plainPass(b, s, p)
				ratios = append(ratios, other.Seconds()/one.Seconds())
				streamed = append(streamed, float64(p.Pass)/one.Seconds()/1e6)
				plain = append(plain, float64(p.Pass)/other.Seconds()/1e6)
			}
			b.SetBytes(p.Pass)
			b.ReportMetric(median(ratios), "streamed/plain")
			b.ReportMetric(median(streamed), "streamed-MB/s")
			b.ReportMetric(median(plain), "plain-MB/s")
			b.ReportMetric(median(cost), "cpu-s/GB")
		})
	}
}

// BenchmarkPassOverMax compares the time of a pass with that of reading alone and of computing alone, of which the longer one bounds it,
// by turns. Computing is simulated: one processor does a fixed amount of work in proportion to the bytes of a part. Where
// LEVER_BENCH_STORE is not set, the store is a small one on a simulated device.
//
// Where reading takes processor time, as on a virtual machine whose host copies what it reads on the guest's processors, no pass reaches
// that bound. The metric pass/apart shows what is due to the Streamer: it compares the pass with the same work beside a plain reader of
// the same bytes, neither of which waits for the other or checks anything.
func BenchmarkPassOverMax(b *testing.B) {
	for _, share := range []int{0, 25, 50, 75} {
		for _, balance := range []float64{0.5, 1, 2} { // time of computing over time of reading
			b.Run(fmt.Sprintf("pinned=%d/compute=%v", share, balance), func(b *testing.B) {
				var s *Store
				if os.Getenv("LEVER_BENCH_STORE") != "" {
					s = benchStore(b)
				} else {
					s = simulatedStore(b)
				}
				benchmarkPass(b, s, int64(share), balance)
			})
		}
	}
}

// simulatedStore opens a small store that is as slow as a phone's.
func simulatedStore(b *testing.B) *Store {
	b.Helper()
	return openThrottled(b, bigStore(b, true), "ufs-3.1", 8)
}

// FlashOpener returns what opens files on the device of a flash profile, at a multiple of its speed. A file outside of the package sets it.
var FlashOpener func(name string, scale float64) (func(path string) (File, error), error)

// openThrottled opens a store on such a device.
func openThrottled(b *testing.B, dir, name string, scale float64) *Store {
	b.Helper()
	opener, err := FlashOpener(name, scale)
	if err != nil {
		b.Fatal(err)
	}
	open(b, dir) // checks it at full speed
	s, err := Open(b.Context(), dir, OpenOptions{OpenFile: opener})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func benchmarkPass(b *testing.B, s *Store, share int64, balance float64) {
	usual, err := s.PlanFor(StreamOptions{})
	if err != nil {
		b.Fatal(err)
	}
	spinRate() // while nothing else runs
	ring := min(int64(usualRing), usual.Pass/8)
	r, err := s.Stream(context.Background(), StreamOptions{DRAM: usual.Pass*share/100 + ring + usual.Tiles, Ring: ring, HeadOnce: true})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	nothing := func(int) {}
	pass(b, r, nothing) // loads what is pinned
	if r.Plan().Streamed == 0 {
		b.Skip("all fits")
	}
	var sizes []int
	before := pass(b, r, func(bytes int) { sizes = append(sizes, bytes) })
	var ratios, overheads, reading, computing, passes []float64
	for b.Loop() {
		perByte := balance * before.Seconds() / float64(usual.Pass)
		compute := func(bytes int) { spin(time.Duration(perByte * float64(bytes) * 1e9)) }
		both := pass(b, r, compute).Seconds()
		after := pass(b, r, nothing)
		alone := elapsed(func() {
			for _, n := range sizes {
				compute(n)
			}
		})
		apart := elapsed(func() {
			var group sync.WaitGroup
			group.Go(func() { plainPass(b, s, r.Plan()) })
			for _, n := range sizes {
				compute(n)
			}
			group.Wait()
		})
		ratios = append(ratios, both/max((before+after).Seconds()/2, alone))
		overheads = append(overheads, both/apart)
		reading, computing, passes = append(reading, after.Seconds()), append(computing, alone), append(passes, both)
		before = after
	}
	b.ReportMetric(median(ratios), "pass/max")
	b.ReportMetric(median(overheads), "pass/apart")
	b.ReportMetric(median(passes), "pass-s")
	b.ReportMetric(median(reading), "read-s")
	b.ReportMetric(median(computing), "compute-s")
}

func elapsed(do func()) float64 {
	started := time.Now()
	do()
	return time.Since(started).Seconds()
}

// spinRate is what spin does in a second on an idle machine.
var spinRate = sync.OnceValue(func() float64 {
	const rounds = 1 << 26
	return rounds / elapsed(func() { churn(rounds) })
})

// spin does the work of a processor for a time. It is work, not time: what slows the processor prolongs it, as it does computing.
func spin(d time.Duration) { churn(int(d.Seconds() * spinRate())) }

var churned atomic.Uint64 // keeps the work of churn from being left out

func churn(rounds int) {
	x := uint64(1)
	for range rounds {
		x = x*6364136223846793005 + 1442695040888963407
	}
	churned.Store(x)
}
