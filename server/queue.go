package server

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// queue lets a number of requests at once use what there is so much of, and keeps a bounded number waiting. Small requests come first, but no large one
// waits for those that come much later.
type queue struct {
	most     int // requests that may wait or run
	parallel int // requests that may run

	mu       sync.Mutex
	admitted int
	running  int
	waiting  []*turn // by when they are due
	seconds  float64 // that a request took of late
}

// turn is a request that waits.
type turn struct {
	due  time.Time
	came chan struct{} // closed when it may run
}

func newQueue(waiting, parallel int) *queue {
	return &queue{most: waiting + parallel, parallel: parallel}
}

// enter admits a request, or reports that there is no room. Large ones have half of the room.
func (q *queue) enter(large bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	most := q.most
	if large {
		most = (most + 1) / 2
	}
	if q.admitted >= most {
		return false
	}
	q.admitted++
	return true
}

// leave is called once for each request that was admitted.
func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.admitted--
}

// run calls f when it is an admitted request's turn, unless ctx is done before. The request waits as if it had come later than it did.
func (q *queue) run(ctx context.Context, later time.Duration, f func()) error {
	if err := q.wait(ctx, later); err != nil {
		return err
	}
	began := time.Now()
	defer func() { q.next(time.Since(began)) }()
	f()
	return nil
}

func (q *queue) wait(ctx context.Context, later time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	if q.running < q.parallel {
		q.running++
		q.mu.Unlock()
		return nil
	}
	t := &turn{time.Now().Add(later), make(chan struct{})}
	i, _ := slices.BinarySearchFunc(q.waiting, t, func(a, b *turn) int {
		if a.due.After(b.due) {
			return 1
		}
		return -1
	})
	q.waiting = slices.Insert(q.waiting, i, t)
	q.mu.Unlock()
	select {
	case <-t.came:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	i = slices.Index(q.waiting, t)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	q.mu.Unlock()
	if i < 0 { // its turn came at the same time
		q.next(0)
	}
	return ctx.Err()
}

// next gives the turn to the request that is due first, after one that took some time, or none.
func (q *queue) next(took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if took > 0 {
		const weight = 0.2
		q.seconds += weight * (took.Seconds() - q.seconds)
	}
	if len(q.waiting) == 0 {
		q.running--
		return
	}
	close(q.waiting[0].came)
	q.waiting = slices.Delete(q.waiting, 0, 1)
}

// lengths returns how many requests wait, and how many run.
func (q *queue) lengths() (waiting, running int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return max(0, q.admitted-q.running), q.running
}

// retryAfter returns the whole seconds after which there may be room.
func (q *queue) retryAfter() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int(min(max(math.Ceil(q.seconds/float64(q.parallel)), 1), 600))
}
