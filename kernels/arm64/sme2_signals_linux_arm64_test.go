package arm64

import (
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lever-go/lever/tensor"
)

// TestSME2WithSignals: signals that arrive while ZA holds sums, as those do with which the runtime preempts goroutines, change no
// bit. The garbage collector runs as well.
func TestSME2WithSignals(t *testing.T) {
	needSME2(t)
	const tiles, n, k, rounds = 4, 16, 1024, 30
	rng := rand.New(rand.NewPCG(12, 13))
	var thread atomic.Int64
	sent, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		for thread.Load() >= 0 {
			if to := thread.Load(); to > 0 && unix.Tgkill(os.Getpid(), int(to), unix.SIGURG) == nil {
				sent++
			}
			if sent%64 == 0 {
				runtime.GC()
			}
		}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, d := range []tensor.DType{tensor.Q4_0, tensor.Q8_0, tensor.Q4_K} {
		p := sme2Set.MatMul[d]
		_, w := weights(rng, d, tiles*tileRows, k)
		q := quantized(p.Form, normal(rng, n*k), n, k)
		want, got := make([]float32, n*tiles*tileRows), make([]float32, n*tiles*tileRows)
		p.Run(want, tiles*tileRows, w, tiles, q, n, k)
		thread.Store(int64(unix.Gettid()))
		for range rounds {
			p.Run(got, tiles*tileRows, w, tiles, q, n, k)
			if !slices.Equal(got, want) {
				thread.Store(-1)
				t.Fatalf("%v: other bits once signals arrive", d)
			}
		}
		thread.Store(0)
	}
	thread.Store(-1)
	<-done
	if t.Logf("%d signals", sent); sent < rounds {
		t.Errorf("%d signals in %d products", sent, 3*rounds)
	}
}
