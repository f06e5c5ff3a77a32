package kernels

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/lever-go/lever/internal/host"
)

// Pool is a fixed set of workers that share out the pieces of one operation at a time. Its goroutines sleep while there is
// nothing to do; between the operations of a pass, which follow each other within microseconds, they look out for the next one
// for a moment, because waking a sleeper takes longer than some operations, but let other goroutines go first. Where these have all cores, nobody
// waits for a worker that has not begun. A Pool is owned by one goroutine, which calls Run and in the end Close. A nil *Pool runs everything on the
// caller's goroutine.
type Pool struct {
	helpers []*helper // the workers beside the caller, who is worker 0
	done    gate      // opened by the last helper of a Run
	stopped sync.WaitGroup
	cores   []int // that the workers are pinned to; or nil
	set     *Set

	busy   atomic.Bool
	closed bool

	// The Run in progress.
	f      func(worker, i int)
	n      int64
	next   atomic.Int64 // first piece not handed out
	active atomic.Int64 // workers that have not finished, the caller not counted
	failed atomic.Pointer[WorkerPanic]
}

// helper is a worker with a goroutine of its own.
type helper struct {
	call gate // opened when a Run wants the helper
	_    [64]byte
}

// gate lets one goroutine wait for another, which opens it once for each wait.
type gate struct {
	state atomic.Int32
	sleep chan struct{}
}

const (
	gateShut = iota
	gateOpen
	gateAsleep // shut, and the waiter sleeps
)

// A waiter looks at a gate for some 10 microseconds before it sleeps: so often, in so many rounds.
const (
	gateRounds = 16
	gateLooks  = 1 << 10
)

func newGate() gate { return gate{sleep: make(chan struct{}, 1)} }

// open lets the waiter through, or the next one to come.
func (g *gate) open() {
	if g.state.Swap(gateOpen) == gateAsleep {
		g.sleep <- struct{}{}
	}
}

// revoke shuts a gate that was opened, unless its waiter is through already.
func (g *gate) revoke() bool { return g.state.CompareAndSwap(gateOpen, gateShut) }

// wait returns once the gate is open, and shuts it. It is false when the gate was closed for good. If yield is true, other goroutines may go first;
// for a goroutine that is locked to its thread, that takes too long.
func (g *gate) wait(yield bool) bool {
	for {
		for range gateRounds {
			for range gateLooks {
				if g.state.CompareAndSwap(gateOpen, gateShut) {
					return true
				}
			}
			if yield {
				runtime.Gosched()
			}
		}
		if g.state.CompareAndSwap(gateShut, gateAsleep) {
			if _, ok := <-g.sleep; !ok {
				return false
			}
			if g.state.CompareAndSwap(gateOpen, gateShut) {
				return true
			}
		}
	}
}

// WorkerPanic is what [Pool.Run] panics with when a piece of work panicked on another goroutine.
type WorkerPanic struct {
	Value any    // what the piece panicked with
	Stack []byte // where
}

// Error describes the panic with the stack of the worker.
func (p *WorkerPanic) Error() string {
	return fmt.Sprintf("kernels: panic in a pool worker: %v\n\n%s", p.Value, p.Stack)
}

// Unwrap returns the value if it is an error, such as a [runtime.Error].
func (p *WorkerPanic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// NewPool starts a pool of threads workers, the goroutine that calls Run being one of them; 0 means one per performance
// core of the machine, as far as the process may use them.
func NewPool(threads int) *Pool { return newPool(threads, nil) }

// NewPinnedPool is NewPool, but on a processor with cores of several speeds the workers stay on the performance cores, as far as the system
// lets them: one on a little core would make all others wait. The goroutine that calls Run does so between Pin and its release. Elsewhere
// nothing is pinned.
func NewPinnedPool(threads int) *Pool { return newPool(threads, host.BigCores()) }

func newPool(threads int, cores []int) *Pool {
	if threads <= 0 {
		threads = host.PerformanceCores()
	}
	p := &Pool{helpers: make([]*helper, threads-1), done: newGate(), cores: cores, set: Default()}
	for i := range p.helpers {
		p.helpers[i] = &helper{call: newGate()}
		p.stopped.Add(1)
		go p.work(i+1, p.helpers[i])
	}
	return p
}

// Closed reports whether Close was called. It may be called by the pool's owner alone, as Run and Close.
func (p *Pool) Closed() bool { return p != nil && p.closed }

// Pin keeps the calling goroutine on the cores of a pinned pool until release is called on the same goroutine; for others it does nothing.
func (p *Pool) Pin() (release func()) {
	if p != nil && p.cores != nil {
		if release, err := host.Pin(p.cores); err == nil {
			return release
		}
	}
	return func() {}
}

// Workers returns the number of workers; worker numbers that Run passes are below it. It is 1 for a nil Pool.
func (p *Pool) Workers() int {
	if p == nil {
		return 1
	}
	return len(p.helpers) + 1
}

// Use makes the operations that run on p use another kernel set than the default one. It must not be called while the pool runs, nor on a
// nil Pool; an [Input] that was multiplied before must be Reset.
func (p *Pool) Use(s *Set) { p.set = s }

// Set returns the kernel set that operations on p use. It is the default set for a nil Pool.
func (p *Pool) Set() *Set {
	if p == nil {
		return Default()
	}
	return p.set
}

// Run calls f(worker, i) once for every i in [0, n), spread over the workers, and returns when all calls have. Pieces are
// handed out one after the other, so that a slow worker takes fewer; which worker takes which is not determined. A panic in
// f ends the hand-out and is passed on to the caller of Run. A pool runs one thing at a time: calling Run from within f, from
// a second goroutine meanwhile, or after Close panics. Run does not allocate; neither does the caller who keeps f.
func (p *Pool) Run(n int, f func(worker, i int)) {
	if p == nil {
		for i := range n {
			f(0, i)
		}
		return
	}
	if !p.busy.CompareAndSwap(false, true) {
		panic("kernels: Pool.Run: nested or concurrent use of one pool")
	}
	defer p.busy.Store(false)
	if p.closed {
		panic("kernels: Pool.Run: the pool is closed")
	}
	helpers := p.helpers[:min(max(n-1, 0), len(p.helpers))]
	if len(helpers) == 0 {
		for i := range n {
			f(0, i)
		}
		return
	}

	p.f, p.n = f, int64(n)
	p.next.Store(0)
	p.active.Store(int64(len(helpers)))
	for _, h := range helpers {
		h.call.open()
	}
	defer p.finish(helpers)
	p.pieces(0)
}

// finish waits for the helpers of a Run that have begun, also when the caller's own share has panicked, and passes a panic on.
func (p *Pool) finish(helpers []*helper) {
	p.next.Store(p.n)
	idle := int64(0)
	for _, h := range helpers {
		if h.call.revoke() {
			idle++
		}
	}
	if idle == 0 || p.active.Add(-idle) > 0 {
		p.done.wait(p.cores == nil)
	}
	p.f = nil
	if err := p.failed.Swap(nil); err != nil {
		panic(err)
	}
}

// pieces runs what is left of the current Run.
func (p *Pool) pieces(worker int) {
	for {
		i := p.next.Add(1) - 1
		if i >= p.n {
			return
		}
		p.f(worker, int(i))
	}
}

func (p *Pool) work(worker int, h *helper) {
	defer p.stopped.Done()
	p.Pin() // without a release: the thread ends with the worker
	for h.call.wait(p.cores == nil) {
		p.help(worker)
	}
}

// help takes part in the current Run and reports its end.
func (p *Pool) help(worker int) {
	defer func() {
		if v := recover(); v != nil {
			p.failed.CompareAndSwap(nil, &WorkerPanic{Value: v, Stack: debug.Stack()})
			p.next.Store(p.n)
		}
		if p.active.Add(-1) == 0 {
			p.done.open()
		}
	}()
	p.pieces(worker)
}

// Close ends the workers and waits until they have. A second Close does nothing.
func (p *Pool) Close() {
	if p == nil || p.closed {
		return
	}
	if !p.busy.CompareAndSwap(false, true) {
		panic("kernels: Pool.Close: the pool is running")
	}
	defer p.busy.Store(false)
	p.closed = true
	for _, h := range p.helpers {
		close(h.call.sleep)
	}
	p.stopped.Wait()
}
