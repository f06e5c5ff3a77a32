package server

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// queue lets a number of requests at once use what there is so much of, and keeps a bounded number waiting. Small requests come first, but no large one
// waits for those that come much later. Where several may run, large ones leave room for one that is not.
type queue struct {
	most     int // requests that may wait or run
	parallel int // requests that may run

	mu       sync.Mutex
	admitted int
	running  int
	large    int     // of those that run
	waiting  []*turn // by when they are due
	seconds  float64 // that a request took of late
}

// turn is a request that waits.
type turn struct {
	large bool
	due   time.Time
	came  chan struct{} // closed when it may run
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

// largeLater is how much later a small request may come than a large one and still be answered before it.
const largeLater = time.Second

// run calls f when it is an admitted request's turn, unless ctx is done before. The request waits as if it had come so much later than it did, or earlier.
func (q *queue) run(ctx context.Context, large bool, later time.Duration, f func()) error {
	if large {
		later += largeLater
	}
	t := &turn{large, time.Now().Add(later), make(chan struct{})}
	if err := q.wait(ctx, t); err != nil {
		return err
	}
	began := time.Now()
	defer func() { q.end(t, time.Since(began)) }()
	f()
	return nil
}

func (q *queue) wait(ctx context.Context, t *turn) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	i, _ := slices.BinarySearchFunc(q.waiting, t, func(a, b *turn) int {
		if a.due.After(b.due) {
			return 1
		}
		return -1
	})
	q.waiting = slices.Insert(q.waiting, i, t)
	q.next()
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
		q.end(t, 0)
	}
	return ctx.Err()
}

// end gives up the turn of a request that took some time, or none.
func (q *queue) end(t *turn, took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if took > 0 {
		const weight = 0.2
		q.seconds += weight * (took.Seconds() - q.seconds)
	}
	q.running--
	if t.large {
		q.large--
	}
	q.next()
}

// next lets those run that are due first, as far as there is room for them.
func (q *queue) next() {
	q.waiting = slices.DeleteFunc(q.waiting, func(t *turn) bool {
		if q.running == q.parallel || t.large && q.large > 0 && q.large >= q.parallel-1 {
			return false
		}
		q.running++
		if t.large {
			q.large++
		}
		close(t.came)
		return true
	})
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
