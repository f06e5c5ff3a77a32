package server

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/lever-go/lever"
)

// queue lets a number of requests at once use what there is so much of, and keeps a bounded number waiting. Small requests come first, but no large one
// waits for those that come much later. Where several may run, large ones leave room for one that is not. A request whose prompt begins as one does that is
// being taken in has no turn meanwhile, since it would only wait.
type queue struct {
	most     int // requests that may wait or run
	parallel int // requests that may run

	mu       sync.Mutex
	admitted int
	running  int
	large    int     // of those that run
	taking   []*turn // those that run and whose prompts are being taken in
	waiting  []*turn // by when they are due
	seconds  float64 // that a request took of late
}

// turn is a request that waits or runs.
type turn struct {
	large  bool
	prompt []int32 // to be taken in; nil where nobody need wait for it
	held   int     // tokens of prompt that are taken in
	due    time.Time
	came   chan struct{} // closed when it may run
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

// line has an admitted request wait for its turn, as one that came at a time, and returns the turn, which run takes.
func (q *queue) line(large bool, came time.Time, prompt []int32) *turn {
	if large {
		came = came.Add(largeLater)
	}
	t := &turn{large: large, prompt: prompt, due: came, came: make(chan struct{})}
	q.mu.Lock()
	defer q.mu.Unlock()
	i, _ := slices.BinarySearchFunc(q.waiting, t, func(a, b *turn) int {
		if a.due.After(b.due) {
			return 1
		}
		return -1
	})
	q.waiting = slices.Insert(q.waiting, i, t)
	q.next()
	return t
}

// run calls f when a turn comes, unless ctx is done before.
func (q *queue) run(ctx context.Context, t *turn, f func()) error {
	if err := q.wait(ctx, t); err != nil {
		return err
	}
	began := time.Now()
	defer func() { q.end(t, time.Since(began)) }()
	f()
	return nil
}

// holds notes how many tokens of its prompt a turn that runs has taken in.
func (q *queue) holds(t *turn, tokens int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.held = tokens; tokens >= len(t.prompt) {
		q.taking = slices.DeleteFunc(q.taking, func(other *turn) bool { return other == t })
	}
	q.next()
}

// wait returns when a turn has come, or ctx is done.
func (q *queue) wait(ctx context.Context, t *turn) error {
	select {
	case <-t.came:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	i := slices.Index(q.waiting, t)
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
	q.taking = slices.DeleteFunc(q.taking, func(other *turn) bool { return other == t })
	q.next()
}

// next lets those run that are due first, as far as there is room for them.
func (q *queue) next() {
	q.waiting = slices.DeleteFunc(q.waiting, func(t *turn) bool {
		if q.running == q.parallel || t.large && q.large > 0 && q.large >= q.parallel-1 || slices.ContainsFunc(q.taking, t.awaits) {
			return false
		}
		q.running++
		if len(t.prompt) > 0 {
			q.taking = append(q.taking, t)
		}
		if t.large {
			q.large++
		}
		close(t.came)
		return true
	})
}

// awaits reports whether a turn would only wait for what another one takes in.
func (t *turn) awaits(other *turn) bool { return lever.Awaits(t.prompt, other.prompt, other.held) }

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
