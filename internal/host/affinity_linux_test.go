package host

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestPin(t *testing.T) {
	affinity := func() (set unix.CPUSet) {
		if err := unix.SchedGetaffinity(0, &set); err != nil {
			t.Error(err)
		}
		return set
	}
	done := make(chan struct{})
	go func() { // a goroutine of its own, so that a failure leaves no thread behind
		defer close(done)
		before := affinity()
		last := 0
		for core := range 1024 {
			if before.IsSet(core) {
				last = core
			}
		}
		release, err := Pin([]int{last})
		if err != nil {
			t.Error(err)
			return
		}
		if set := affinity(); set.Count() != 1 || !set.IsSet(last) {
			t.Errorf("pinned to core %d, the thread may run on %d cores", last, set.Count())
		}
		release()
		if affinity() != before {
			t.Error("the thread did not get its cores back")
		}
		if _, err := Pin([]int{1023}); err == nil {
			t.Error("pinned to a core that is not there")
		}
	}()
	<-done
}
