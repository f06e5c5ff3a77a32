package kernels

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Every worker of a pinned pool, the pinned caller included, runs on its cores alone.
func TestPinnedPool(t *testing.T) {
	var usable unix.CPUSet
	if err := unix.SchedGetaffinity(0, &usable); err != nil {
		t.Fatal(err)
	}
	core := 0
	for !usable.IsSet(core) {
		core++
	}
	const workers = 3
	pool := newPool(workers, []int{core})
	defer pool.Close()
	defer pool.Pin()()
	var started sync.WaitGroup
	started.Add(workers)
	var cores [workers]unix.CPUSet
	pool.Run(workers, func(worker, _ int) {
		started.Done()
		started.Wait() // each worker takes one piece
		if err := unix.SchedGetaffinity(0, &cores[worker]); err != nil {
			t.Error(err)
		}
	})
	for worker, set := range cores {
		if set.Count() != 1 || !set.IsSet(core) {
			t.Errorf("worker %d may run on %d cores", worker, set.Count())
		}
	}
}
