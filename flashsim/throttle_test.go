package flashsim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/weights"
)

// timerClock waits by timers, which are exact in a bubble of package synctest, and then late.
type timerClock struct{ late time.Duration }

func (timerClock) now() time.Time { return time.Now() }

func (c timerClock) sleep(d time.Duration, cancel <-chan struct{}) bool {
	select {
	case <-time.After(d + c.late):
		return true
	case <-cancel:
		return false
	}
}

var errFlash = errors.New("flash does not answer")

// instantFile reads any number of bytes in no time.
type instantFile struct{ err error }

func (f instantFile) ReadAt(p []byte, _ int64) (int, error) { return len(p), f.err }
func (instantFile) Close() error                            { return nil }

func openInstant(string) (weights.File, error) { return instantFile{}, nil }

// load measures a Throttle in virtual time: readers read size bytes without pause, count times together. It
// returns the bandwidth and the time of every read.
func load(t *testing.T, p *Profile, opts Options, size, readers, count int, late time.Duration) (bandwidth float64, seconds []float64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		throttle := newThrottle(p, opts, timerClock{late})
		open := throttle.Opener(openInstant)
		var mu sync.Mutex
		var group sync.WaitGroup
		var begun atomic.Int64
		began := time.Now()
		for reader := range readers {
			f, err := open(fmt.Sprint(reader))
			if err != nil {
				t.Fatal(err)
			}
			group.Go(func() {
				defer f.Close()
				buf := make([]byte, size)
				for begun.Add(1) <= int64(count) {
					start := time.Now()
					if _, err := f.ReadAt(buf, 0); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					seconds = append(seconds, time.Since(start).Seconds())
					mu.Unlock()
				}
			})
		}
		group.Wait()
		if s := throttle.Stats(); s.Reads != int64(len(seconds)) || s.Bytes != s.Reads*int64(size) || s.Overrun != 0 {
			t.Errorf("%+v after %d reads", s, len(seconds))
		}
		bandwidth = float64(len(seconds)*size) / time.Since(began).Seconds()
	})
	slices.Sort(seconds)
	return bandwidth, seconds
}

func near(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance*want }

// Every built-in profile gives the bandwidths and the latencies that it states, in and between the points of its table.
func TestThrottleKeepsToItsProfile(t *testing.T) {
	for _, name := range ProfileNames() {
		p, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		p.Pauses = nil
		for _, size := range []int{4096, 65536, 150_000, 1 << 20, 4 << 20, 6 << 20} {
			for _, depth := range []int{1, 2, 3, 4} {
				if depth > p.Depths[len(p.Depths)-1] {
					continue
				}
				bandwidth, seconds := load(t, p, Options{Seed: 1}, size, depth, 4000, 0)
				mean := p.readSeconds(float64(size), depth)
				if want := float64(size*depth) / mean; !near(bandwidth, want, 0.03) {
					t.Errorf("%s: %d bytes at depth %d: %.4g bytes per second, want %.4g", name, size, depth, bandwidth, want)
				}
				for _, q := range []float64{0.1, 0.5, 0.9, 0.99} {
					// The part of the reads that is faster than the quantile, not the quantile itself: in the tail that varies a lot.
					want := mean - p.meanDelay() + p.delay(q)
					faster, _ := slices.BinarySearch(seconds, want)
					n := float64(len(seconds))
					if part := float64(faster) / n; math.Abs(part-q) > 4*math.Sqrt(q*(1-q)/n) {
						t.Errorf("%s: %d bytes at depth %d: %v of the reads take less than %.4g s, want %v", name, size, depth, part, want, q)
					}
				}
			}
		}
	}
}

// The figures of the table itself come out exactly where nothing is random.
func TestThrottleBandwidthIsThatOfTheTable(t *testing.T) {
	p := &Profile{
		Sizes: []int64{4096, 1 << 20}, Depths: []int{1, 4},
		BytesPerSecond: [][]float64{{1e7, 4e7}, {1e9, 1.5e9}},
	}
	for i, size := range p.Sizes {
		for j, depth := range p.Depths {
			got, seconds := load(t, p, Options{}, int(size), depth, 40, 0)
			if want := p.BytesPerSecond[i][j]; !near(got, want, 1e-3) {
				t.Errorf("%d bytes at depth %d: %v bytes per second, want %v", size, depth, got, want)
			}
			if first, last := seconds[0], seconds[len(seconds)-1]; !near(first, last, 1e-3) {
				t.Errorf("%d bytes at depth %d: reads between %v and %v s", size, depth, first, last)
			}
		}
	}
}

func TestThrottleMakesReadsBeyondItsDepthWait(t *testing.T) {
	p := &Profile{Sizes: []int64{1 << 20}, Depths: []int{1, 2}, BytesPerSecond: [][]float64{{1e9, 1.6e9}}}
	for _, readers := range []int{2, 3, 8} {
		got, seconds := load(t, p, Options{}, 1<<20, readers, 480, 0)
		if !near(got, 1.6e9, 0.02) {
			t.Errorf("%d readers: %v bytes per second", readers, got)
		}
		mean := 0.0
		for _, s := range seconds {
			mean += s / float64(len(seconds))
		}
		if !near(mean, float64(readers)*(1<<20)/1.6e9, 0.02) {
			t.Errorf("%d readers: a read takes %v s", readers, mean)
		}
	}
}

// A clock that wakes readers late costs no bandwidth, as long as it is not later than a timer may be.
func TestThrottleMakesUpForLateClocks(t *testing.T) {
	p, err := Load("ufs-4.0")
	if err != nil {
		t.Fatal(err)
	}
	for _, late := range []time.Duration{0, 80 * time.Microsecond, time.Millisecond} {
		for _, size := range []int{4096, 65536, 1 << 20, 4 << 20} {
			for _, depth := range []int{1, 4} {
				got, _ := load(t, p, Options{}, size, depth, 6000, late)
				if want := float64(size*depth) / p.readSeconds(float64(size), depth); !near(got, want, 0.08) {
					t.Errorf("%v late: %d bytes at depth %d: %.4g bytes per second, want %.4g", late, size, depth, got, want)
				}
			}
		}
	}
}

func TestThrottlePauses(t *testing.T) {
	p := &Profile{
		Sizes: []int64{1 << 20}, Depths: []int{1, 2}, BytesPerSecond: [][]float64{{1e9, 1e9}},
		Pauses: &Pauses{EverySeconds: 0.05, Seconds: 0.025},
	}
	got, seconds := load(t, p, Options{Seed: 3}, 1<<20, 2, 20_000, 0)
	if want := 1e9 / 1.5; !near(got, want, 0.03) {
		t.Errorf("%v bytes per second, want %v", got, want)
	}
	if longest := seconds[len(seconds)-1]; !near(longest, 0.025+2*(1<<20)/1e9, 0.01) {
		t.Errorf("the longest read took %v s", longest)
	}
}

func TestThrottleScale(t *testing.T) {
	p, err := Load("ufs-3.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, scale := range []float64{0.5, 10, 320} {
		got, _ := load(t, p, Options{Scale: scale}, 256<<10, 2, 2000, 0)
		if want := 2 * (256 << 10) / p.readSeconds(scale*(256<<10), 2); !near(got, want, 0.03) {
			t.Errorf("scale %v: %v bytes per second, want %v", scale, got, want)
		}
	}
	for _, scale := range []float64{-1, math.NaN(), math.Inf(1)} {
		if _, err := NewThrottle(p, Options{Scale: scale}); err == nil {
			t.Errorf("a scale of %v is accepted", scale)
		}
	}
}

// More reads under way can make all of them together slower, as they do on a phone that was measured.
func TestThrottleFallsWithDepth(t *testing.T) {
	for name, heat := range map[string]float64{"ufs-4-measured": 1, "ufs-4-measured-hot": 2. / 3} {
		p, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for depth, want := range map[int]float64{1: 1.90e9, 2: 2.58e9, 4: 2.58e9, 8: 2.54e9, 16: 2.35e9} {
			if got, _ := load(t, p, Options{Seed: 3}, 4<<20, depth, 2000, 0); !near(got, heat*want, 0.02) {
				t.Errorf("%s: %.3g bytes per second with %d reads under way, want %.3g", name, got, depth, heat*want)
			}
		}
	}
}

func TestThrottleRepeatsItself(t *testing.T) {
	p, err := Load("sd-card")
	if err != nil {
		t.Fatal(err)
	}
	run := func(seed uint64) []float64 {
		_, seconds := load(t, p, Options{Seed: seed}, 1<<16, 1, 300, 0)
		return seconds
	}
	if !slices.Equal(run(1), run(1)) {
		t.Error("the same seed gave different times")
	}
	if slices.Equal(run(1), run(2)) {
		t.Error("two seeds gave the same times")
	}
}

// Closing a file ends its reads at once, and lets those of other files go on.
func TestThrottleClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Profile{Sizes: []int64{4096}, Depths: []int{1}, BytesPerSecond: [][]float64{{4096. / 100}}}
		open := newThrottle(p, Options{Scale: 1}, timerClock{}).Opener(openInstant)
		first, _ := open("first")
		second, _ := open("second")
		began := time.Now()
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if _, err := first.ReadAt(make([]byte, 4096), 0); !errors.Is(err, fs.ErrClosed) {
					t.Errorf("a read of a closed file gave %v", err)
				}
			})
		}
		synctest.Wait()
		group.Go(func() {
			if _, err := second.ReadAt(make([]byte, 4096), 0); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took < 100*time.Second || took > 152*time.Second {
				t.Errorf("a read of 100 s took %v", took)
			}
		})
		time.Sleep(50 * time.Second)
		if err := first.Close(); err != nil {
			t.Error(err)
		}
		if err := first.Close(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("closing twice gave %v", err)
		}
		group.Wait()
	})
}

func TestThrottlePassesErrorsOn(t *testing.T) {
	p, err := Load("sd-card")
	if err != nil {
		t.Fatal(err)
	}
	throttle, err := NewThrottle(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []error{io.EOF, errFlash} {
		f, _ := throttle.Opener(func(string) (weights.File, error) { return instantFile{want}, nil })("")
		if _, err := f.ReadAt(make([]byte, 10), 0); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if _, err := throttle.Opener(func(string) (weights.File, error) { return nil, errFlash })(""); !errors.Is(err, errFlash) {
		t.Errorf("got %v", err)
	}
	if s := throttle.Stats(); s.Reads != 1 {
		t.Errorf("%+v after one read", s)
	}
}

// A throttled store gives the same weights, and no faster than its device.
func TestThrottledStore(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &Profile{Sizes: []int64{1 << 20}, Depths: []int{1, 2}, BytesPerSecond: [][]float64{{1e8, 2e8}}}
	throttle, err := NewThrottle(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	store, err := weights.Open(t.Context(), pair.Target, weights.OpenOptions{OpenFile: throttle.Opener(nil)})
	if err != nil {
		t.Fatal(err)
	}
	info, err := weights.Inspect(pair.Target)
	if err != nil {
		t.Fatal(err)
	}
	resident, err := store.Resident(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resident.Close()
	before, began := throttle.Stats(), time.Now()
	streamer, err := store.Stream(t.Context(), weights.StreamOptions{Depth: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer streamer.Close()
	for _, x := range info.Tensors[1:] {
		var want, got []byte
		for part, err := range resident.Parts(t.Context(), x.Name) {
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, part.Data...)
		}
		for part, err := range streamer.Parts(t.Context(), x.Name) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, part.Data...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs", x.Name)
		}
	}
	read := throttle.Stats().Bytes - before.Bytes
	if least := float64(read) / 2e8; time.Since(began).Seconds() < 0.9*least || read == 0 {
		t.Errorf("%d bytes in %v", read, time.Since(began))
	}
}

// The end of a read that is predicted comes true if no other arrives, and is too early otherwise.
func TestFlashDevicePrediction(t *testing.T) {
	p, err := Load("mid-range")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		d := newDevice(p, rapid.Uint64().Draw(t, "seed"))
		predicted := map[*deviceRead]float64{}
		now := 0.0
		for range rapid.IntRange(1, 60).Draw(t, "reads") {
			now += rapid.Float64Range(0, 2e-3).Draw(t, "gap")
			r := d.arrive(rapid.Float64Range(1, 8<<20).Draw(t, "size"), now)
			if !r.done {
				predicted[r] = d.earliest(r)
			}
			for r := range predicted {
				if r.done && rapid.Bool().Draw(t, "collect") {
					d.collect(r, now-r.end)
				}
			}
		}
		last := map[*deviceRead]float64{}
		for r := range predicted {
			if !r.done {
				last[r] = d.earliest(r)
			}
		}
		d.hold = 0
		d.advance(now + 3600)
		for r, at := range predicted {
			if !r.done || r.end < at-1e-9 {
				t.Fatalf("a read ended at %v, predicted was %v at the least", r.end, at)
			}
		}
		for r, at := range last {
			if r.end < at-1e-9 || r.end > at+maxLate*60 {
				t.Fatalf("a read ended at %v, predicted was %v", r.end, at)
			}
		}
		if len(d.service)+len(d.waiting) != 0 {
			t.Fatal("reads are left")
		}
	})
}

func TestFlashProfileSources(t *testing.T) {
	names := ProfileNames()
	for _, want := range []string{"mid-range", "sd-card", "ufs-3.1", "ufs-4-measured", "ufs-4-measured-hot", "ufs-4.0"} {
		if !slices.Contains(names, want) {
			t.Errorf("no profile %s", want)
		}
	}
	for _, name := range names {
		p, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if p.Name != name || p.Description == "" || len(p.Sources) == 0 {
			t.Errorf("%s: %+v", name, p)
		}
		for _, s := range p.Sources {
			if s.Figure == "" || s.Source == "" {
				t.Errorf("%s: a source is incomplete: %+v", name, s)
			}
		}
	}
	if _, err := Load("floppy"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "ufs-4.0") {
		t.Errorf("got %v", err)
	}
}

const plainFlash = `{"format": "lever-flash", "version": 1, "name": "plain", "sizes": [4096, 8192], "depths": [1, 2],
	"bytes_per_second": [[1e6, 2e6], [2e6, 2e6]]}`

func TestParse(t *testing.T) {
	if _, err := Parse([]byte(plainFlash)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		from, to string
		want     error
	}{
		"other format":      {"lever-flash", "lever-store", weights.ErrCorrupt},
		"future version":    {`"version": 1`, `"version": 2`, weights.ErrVersion},
		"unknown key":       {`"name"`, `"nickname"`, weights.ErrCorrupt},
		"trailing text":     {`2e6]]}`, `2e6]]} {}`, weights.ErrCorrupt},
		"no depth 1":        {`[1, 2]`, `[2, 4]`, weights.ErrCorrupt},
		"equal sizes":       {`[4096, 8192]`, `[4096, 4096]`, weights.ErrCorrupt},
		"missing row":       {`, [2e6, 2e6]`, ``, weights.ErrCorrupt},
		"missing bandwidth": {`[2e6, 2e6]`, `[2e6]`, weights.ErrCorrupt},
		"negative":          {`[[1e6`, `[[-1e6`, weights.ErrCorrupt},
		"no bandwidth":      {`[[1e6`, `[[0`, weights.ErrCorrupt},
		"depth speeds up":   {`[[1e6, 2e6]`, `[[1e6, 3e6]`, weights.ErrCorrupt},
		"size speeds up":    {`[2e6, 2e6]`, `[4e6, 4e6]`, weights.ErrCorrupt},
		"half of delays":    {`"depths"`, `"delays": [{"quantile": 0, "seconds": 0}], "depths"`, weights.ErrCorrupt},
		"delays descend":    {`"depths"`, `"delays": [{"quantile": 0, "seconds": 1}, {"quantile": 1, "seconds": 0}], "depths"`, weights.ErrCorrupt},
		"delays too long":   {`"depths"`, `"delays": [{"quantile": 0, "seconds": 0}, {"quantile": 1, "seconds": 0.1}], "depths"`, weights.ErrCorrupt},
		"pauses":            {`"depths"`, `"pauses": {"every_seconds": 0, "seconds": 1}, "depths"`, weights.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(plainFlash, test.from, test.to, 1)
			if text == plainFlash {
				t.Fatal("nothing was replaced")
			}
			if _, err := Parse([]byte(text)); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// Whatever is accepted can be used: reads end, after the time that the profile says.
func FuzzParse(f *testing.F) {
	f.Add([]byte(plainFlash))
	for _, name := range ProfileNames() {
		text, err := builtIn.ReadFile("profiles/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err != nil {
			if !errors.Is(err, weights.ErrCorrupt) && !errors.Is(err, weights.ErrVersion) {
				t.Errorf("unnamed error %v", err)
			}
			return
		}
		d := newDevice(p, 1)
		for _, size := range []float64{1, 4096, 1e6, 1e9} {
			r := d.arrive(size, d.now)
			if end := d.earliest(r); !(end >= d.now) || math.IsInf(end, 0) {
				t.Fatalf("a read of %v bytes at %v ends at %v", size, d.now, end)
			}
		}
	})
}

// A device that is slowed reads as the profile says, in that many times the time.
func TestSlowed(t *testing.T) {
	p, err := Load("ufs-4-measured")
	if err != nil {
		t.Fatal(err)
	}
	p.Pauses = &Pauses{EverySeconds: 2, Seconds: 0.5}
	before := p.delay(0.999)
	slow, err := p.Slowed(4)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []float64{4096, 100000, 8 << 20} {
		for _, depth := range []int{1, 3, 16} {
			if got := slow.readSeconds(size, depth) / p.readSeconds(size, depth); math.Abs(got-4) > 1e-9 {
				t.Errorf("reads of %v bytes at depth %d take %v times as long, want 4", size, depth, got)
			}
		}
	}
	if slow.delay(0.999) != 4*before || slow.Pauses.EverySeconds != 8 || p.delay(0.999) != before || p.Pauses.Seconds != 0.5 {
		t.Errorf("delay %v, pauses %v, of %v and %v", slow.delay(0.999), slow.Pauses, p.delay(0.999), p.Pauses)
	}
	for _, factor := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := p.Slowed(factor); err == nil {
			t.Errorf("slowed %v times: no error", factor)
		}
	}
}
