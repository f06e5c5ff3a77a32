package server

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/lever-go/lever/internal/giveway"
)

// light counts the requests under way that are not large. What others take beside passes of the models, such as reading a large prompt,
// making a grammar and its masks, gives way to them: it rests most of the time, so that passes have the cores.
type light struct{ atomic.Int64 }

const (
	// workTime is about how long work goes on between two rests.
	workTime = 200 * time.Microsecond
	// restShare is how many times as long it rests while there are such requests.
	restShare = 3
	// mostRest bounds one rest.
	mostRest = 3 * time.Millisecond
	// shortRest lets those go first that wait for the network, at which Go's scheduler looks only every 10 ms while goroutines are ready on all cores.
	shortRest = time.Microsecond
)

// givesWay returns the context of work of one goroutine that gives way.
func (l *light) givesWay(ctx context.Context) context.Context {
	began := time.Now()
	return giveway.With(ctx, func() {
		worked := time.Since(began)
		if worked < workTime {
			return
		}
		rest := shortRest
		if l.Load() > 0 {
			rest = min(restShare*worked, mostRest)
		}
		time.Sleep(rest)
		began = time.Now()
	})
}
