package host

import (
	"os"
	"runtime"
	"sync"
)

// raised is what GOMAXPROCS was raised to, so that goroutines that wait in system calls run beside those that compute. A thread that waits for
// a read counts, for Go, as one that runs until the scheduler notices: up to ten milliseconds in which it keeps a worker, and with it all
// others, waiting. A larger GOMAXPROCS gives it a place of its own. GOMAXPROCS belongs to the whole process, so it is larger only while
// somebody needs that.
var raised struct {
	sync.Mutex
	waiting int // goroutines of all that hold GOMAXPROCS raised
	before  int // GOMAXPROCS
	set     int // what it was raised to
}

// Raise makes GOMAXPROCS at least the number of processors and of the given goroutines that wait in system calls, together with those of
// others who have raised it, until release is called. The last release puts the value back, unless somebody else has changed it
// meanwhile. Where the environment sets GOMAXPROCS, Raise does nothing.
func Raise(waiting int) (release func()) {
	if waiting <= 0 || os.Getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	add(waiting)
	return sync.OnceFunc(func() { add(-waiting) })
}

func add(waiting int) {
	raised.Lock()
	defer raised.Unlock()
	now := runtime.GOMAXPROCS(0)
	if raised.waiting == 0 {
		raised.before, raised.set = now, now
	}
	raised.waiting += waiting
	if now != raised.set {
		return // somebody else decides
	}
	raised.set = raised.before
	if raised.waiting > 0 {
		raised.set = max(raised.before, Processors()+raised.waiting)
	}
	if raised.set != now {
		runtime.GOMAXPROCS(raised.set)
	}
}
