package kernels_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lever-go/lever/kernels"
)

func TestPoolRunsEveryPieceOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		pool := kernels.NewPool(threads)
		if pool.Workers() != threads {
			t.Errorf("%d workers, want %d", pool.Workers(), threads)
		}
		for _, n := range []int{0, 1, 2, 3, 7, 100, 1000} {
			counts := make([]atomic.Int32, n)
			pool.Run(n, func(worker, i int) {
				if worker < 0 || worker >= threads {
					t.Errorf("worker %d of %d", worker, threads)
				}
				counts[i].Add(1)
			})
			for i := range counts {
				if got := counts[i].Load(); got != 1 {
					t.Fatalf("threads=%d n=%d: piece %d ran %d times", threads, n, i, got)
				}
			}
		}
		pool.Close()
		pool.Close()
	}
}

func TestPoolUsesItsWorkers(t *testing.T) {
	pool := kernels.NewPool(3)
	defer pool.Close()
	var here atomic.Int32
	pool.Run(3, func(_, _ int) {
		here.Add(1)
		for deadline := time.Now().Add(10 * time.Second); here.Load() < 3; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Error("pieces did not run at the same time")
				return
			}
		}
	})
}

func TestPoolWorkerMemoryIsItsOwn(t *testing.T) {
	pool := kernels.NewPool(4)
	defer pool.Close()
	sums := make([]int, pool.Workers()) // the race detector sees a worker number used twice at a time
	for range 50 {
		pool.Run(40, func(worker, i int) { sums[worker] += i })
	}
	total := 0
	for _, s := range sums {
		total += s
	}
	if want := 50 * 40 * 39 / 2; total != want {
		t.Errorf("sum %d, want %d", total, want)
	}
}

func TestNilPoolRunsInline(t *testing.T) {
	var pool *kernels.Pool
	next := 0
	pool.Run(5, func(worker, i int) {
		if worker != 0 || i != next {
			t.Errorf("worker %d, piece %d, want 0 and %d", worker, i, next)
		}
		next++
	})
	if next != 5 || pool.Workers() != 1 {
		t.Errorf("%d pieces ran, %d workers", next, pool.Workers())
	}
	pool.Close()
}

func TestDefaultPool(t *testing.T) {
	pool := kernels.NewPool(0)
	defer pool.Close()
	if w := pool.Workers(); w < 1 || w > runtime.NumCPU() {
		t.Errorf("%d workers on %d cores", w, runtime.NumCPU())
	}
}

// panicOf returns what f panics with.
func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func TestPoolRefusesMisuse(t *testing.T) {
	for _, threads := range []int{1, 2} {
		pool := kernels.NewPool(threads)
		nested := panicOf(func() {
			pool.Run(4, func(_, _ int) { pool.Run(1, func(_, _ int) {}) })
		})
		if !strings.Contains(fmt.Sprint(nested), "nested") {
			t.Errorf("threads=%d: nested Run gave %v", threads, nested)
		}
		closing := panicOf(func() { pool.Run(1, func(_, _ int) { pool.Close() }) })
		if !strings.Contains(fmt.Sprint(closing), "running") {
			t.Errorf("threads=%d: Close within Run gave %v", threads, closing)
		}
		ran := false
		pool.Run(1, func(_, _ int) { ran = true })
		if !ran {
			t.Errorf("threads=%d: the pool does not work after a refusal", threads)
		}
		pool.Close()
		if v := panicOf(func() { pool.Run(1, func(_, _ int) {}) }); !strings.Contains(fmt.Sprint(v), "closed") {
			t.Errorf("threads=%d: Run after Close gave %v", threads, v)
		}
	}
}

var errPiece = errors.New("piece failed")

func TestPoolCarriesPanics(t *testing.T) {
	pool := kernels.NewPool(4)
	defer pool.Close()
	for bad := range 4 {
		// Every worker waits for the others, so that each has one piece.
		var here atomic.Int32
		v := panicOf(func() {
			pool.Run(4, func(worker, _ int) {
				for here.Add(1); here.Load() < 4; {
					runtime.Gosched()
				}
				if worker == bad {
					panic(errPiece)
				}
			})
		})
		if err, ok := v.(error); !ok || !errors.Is(err, errPiece) {
			t.Fatalf("a panic of worker %d arrived as %v", bad, v)
		}
		if wp, ok := v.(*kernels.WorkerPanic); bad > 0 && (!ok || !strings.Contains(wp.Error(), "TestPoolCarriesPanics")) {
			t.Errorf("the panic of worker %d lacks its stack: %v", bad, v)
		}
	}
	count := atomic.Int32{}
	pool.Run(100, func(_, _ int) { count.Add(1) })
	if count.Load() != 100 {
		t.Errorf("%d of 100 pieces ran after panics", count.Load())
	}
}

func TestPoolSurvivesGoexit(t *testing.T) {
	pool := kernels.NewPool(1)
	defer pool.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		pool.Run(2, func(_, _ int) { runtime.Goexit() })
	}()
	<-done
	ran := 0
	pool.Run(2, func(_, _ int) { ran++ })
	if ran != 2 {
		t.Errorf("%d pieces ran", ran)
	}
}

func TestPoolRunDoesNotAllocate(t *testing.T) {
	pool := kernels.NewPool(2)
	defer pool.Close()
	var sum atomic.Int64
	f := func(_, i int) { sum.Add(int64(i)) }
	if allocs := testing.AllocsPerRun(100, func() { pool.Run(16, f) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkPool(b *testing.B) {
	for _, threads := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("pieces=16/threads=%d", threads), func(b *testing.B) {
			pool := kernels.NewPool(threads)
			defer pool.Close()
			f := func(_, _ int) {}
			b.ReportAllocs()
			for b.Loop() {
				pool.Run(16, f)
			}
		})
	}
}

func ExamplePool_Run() {
	pool := kernels.NewPool(2)
	defer pool.Close()
	squares := make([]int, 5)
	pool.Run(len(squares), func(_, i int) { squares[i] = i * i })
	fmt.Println(squares)
	// Output: [0 1 4 9 16]
}
