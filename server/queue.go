package server

import (
	"context"
	"math"
	"sync"
	"time"
)

// queue lets one request after the other use the engine, in the order of arrival, and keeps a bounded number waiting.
type queue struct {
	admitted chan struct{} // holds one for each request that waits or runs
	running  chan struct{} // and one for that which runs

	mu      sync.Mutex
	seconds float64 // that a request took of late
}

func newQueue(waiting int) *queue {
	return &queue{admitted: make(chan struct{}, waiting+1), running: make(chan struct{}, 1)}
}

// enter admits a request, or reports that there is no room.
func (q *queue) enter() bool {
	select {
	case q.admitted <- struct{}{}:
		return true
	default:
		return false
	}
}

// leave is called once for each request that was admitted.
func (q *queue) leave() { <-q.admitted }

// run calls f when it is an admitted request's turn, unless ctx is done before.
func (q *queue) run(ctx context.Context, f func()) error {
	select {
	case q.running <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	began := time.Now()
	defer func() {
		const weight = 0.2
		q.mu.Lock()
		q.seconds += weight * (time.Since(began).Seconds() - q.seconds)
		q.mu.Unlock()
		<-q.running
	}()
	f()
	return nil
}

// length returns how many requests wait or run.
func (q *queue) length() int { return len(q.admitted) }

// retryAfter returns the whole seconds after which there may be room.
func (q *queue) retryAfter() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int(min(max(math.Ceil(q.seconds), 1), 600))
}
