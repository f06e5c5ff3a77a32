package mobile

import (
	"context"
	"errors"
	"sync"
	"time"
)

// load is how much of the time the engine may work. Its zero value is all of it.
type load struct {
	mu      sync.Mutex
	less    int           // per cent that it rests
	changed chan struct{} // closed when that changes; made when somebody waits
}

func (l *load) set(percent int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.less = 100 - percent
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

func (l *load) get() (percent int, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return 100 - l.less, l.changed
}

// rest returns how long to rest after a time of work. At 0 per cent it waits for more, or for ctx.
func (l *load) rest(ctx context.Context, busy time.Duration) time.Duration {
	for {
		percent, changed := l.get()
		if percent > 0 {
			return busy * time.Duration(100-percent) / time.Duration(percent)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0
		}
	}
}

// SetLoad sets how much of the time the engine may work, in per cent, also during an answer: 100 is all, which is the default, 50 halves the speed and the
// heat, and 0 pauses the answer after the pass under way until SetLoad gives more. An app asks the system how hot the phone is.
func (e *Engine) SetLoad(percent int) error {
	if percent < 0 || percent > 100 {
		return errors.New("the load is a number of per cent from 0 to 100")
	}
	e.load.set(percent)
	return nil
}
