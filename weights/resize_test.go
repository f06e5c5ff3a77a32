package weights

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// While a consumer reads passes, the limit changes again and again: data stay right, and memory follows.
func TestResizeWhileReading(t *testing.T) {
	for _, tied := range []bool{true, false} {
		dir := bigStore(t, tied)
		want := resident(t, dir)
		r := stream(t, open(t, dir), StreamOptions{DRAM: want.store.Bytes() / 2})
		stop := make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() {
			rng := rand.New(rand.NewPCG(3, 3))
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(rng.IntN(20)) * time.Millisecond):
				}
				var err error
				if rng.IntN(2) == 0 {
					_, err = r.Trim(TrimLevel(rng.IntN(4)))
				} else {
					_, err = r.Resize(9<<20 + rng.Int64N(want.store.Bytes()*5/4))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
		rng := rand.New(rand.NewPCG(4, 4))
		for range 10 {
			if err := consumePass(t, rng, r, want); err != nil {
				t.Fatal(err)
			}
		}
		close(stop)
		group.Wait()
		if _, err := r.Trim(TrimCritical); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := consumePass(t, rng, r, want); err != nil {
				t.Fatal(err)
			}
		}
		if held, limit := r.Stats().HeldBytes, r.Plan().DRAM; held > limit {
			t.Errorf("%d bytes are held with a memory limit of %d", held, limit)
		}
	}
}

// A Trim gives back all that is not in use at once; later there is as much as before.
func TestTrimLevels(t *testing.T) {
	dir := bigStore(t, true)
	want := resident(t, dir)
	limit := want.store.Bytes() * 3 / 4
	r := stream(t, open(t, dir), StreamOptions{DRAM: limit})
	rng := rand.New(rand.NewPCG(5, 5))
	for _, level := range []TrimLevel{TrimModerate, TrimLow, TrimCritical, TrimNone, TrimCritical} {
		for range 2 {
			if err := consumePass(t, rng, r, want); err != nil {
				t.Fatal(err)
			}
		}
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			r.mu.Lock()
			idle := r.clock.active == 0 && len(r.unchecked) == 0
			r.mu.Unlock()
			if idle {
				break
			}
		}
		p, err := r.Trim(level)
		if err != nil {
			t.Fatal(err)
		}
		if held := r.Stats().HeldBytes; held > p.Total() {
			t.Errorf("level %d: %d bytes are held, %d planned", level, held, p.Total())
		}
		if level == TrimNone && p.DRAM != limit {
			t.Errorf("a memory limit of %d", p.DRAM)
		}
	}
	if p := r.Plan(); p.Pinned > int64(p.BufferBytes) || p.Buffers != fewBuffers {
		t.Errorf("%+v", p)
	}
}

func TestResizeRefusals(t *testing.T) {
	r := stream(t, open(t, smallStore(t)), StreamOptions{})
	before := r.Plan().DRAM
	for _, limit := range []int64{-1, 0, 1} {
		if _, err := r.Resize(limit); err == nil {
			t.Errorf("a memory limit of %d", limit)
		}
	}
	if _, err := r.Trim(99); err == nil {
		t.Error("level 99")
	}
	if r.Plan().DRAM != before {
		t.Error("the limit changed")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resize(1 << 30); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
