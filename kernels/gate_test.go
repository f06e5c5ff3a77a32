package kernels

import "testing"

// Nobody waits for workers that other goroutines keep from beginning: here, those of a pool whose workers have no goroutine.
func TestRunWithoutHelpers(t *testing.T) {
	p := &Pool{helpers: []*helper{{call: newGate()}, {call: newGate()}}, done: newGate(), set: Default()}
	for range 3 {
		var counts [10]int
		p.Run(len(counts), func(worker, i int) {
			if worker != 0 {
				t.Errorf("worker %d", worker)
			}
			counts[i]++
		})
		for i, n := range counts {
			if n != 1 {
				t.Errorf("piece %d ran %d times", i, n)
			}
		}
	}
}

// A waiter that was woken for a gate that was shut again waits on, and goes through when it opens the next time.
func TestGateIsRevoked(t *testing.T) {
	g := newGate()
	through := make(chan bool)
	go func() { through <- g.wait(true) }()
	for g.state.Load() != gateAsleep {
	}
	// What open does, and revoke, before the waiter has a chance to see it.
	g.state.Store(gateShut)
	g.sleep <- struct{}{}
	for g.state.Load() != gateAsleep {
	}
	select {
	case <-through:
		t.Fatal("the waiter went through a gate that is shut")
	default:
	}
	g.open()
	if !<-through {
		t.Error("the gate was closed")
	}
	if g.revoke() {
		t.Error("a gate that was gone through is revoked")
	}
}
