package weights

import "sync"

// Progress is the state of a long operation.
type Progress struct {
	Name        string // tensor or file at work
	Done, Total int64  // bytes
}

// meter counts the bytes of an operation and reports them, one report at a time.
type meter struct {
	report func(Progress) // may be nil
	total  int64

	mu   sync.Mutex
	done int64
}

func (m *meter) add(name string, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += n
	if m.report != nil {
		m.report(Progress{Name: name, Done: m.done, Total: m.total})
	}
}
