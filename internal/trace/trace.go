// Package trace writes what a program did when, for viewers of Chrome's trace format (chrome://tracing, Perfetto): a JSON array of
// complete events ("ph": "X") on lanes, each a thread of one process, with times in microseconds since the trace began.
//
//	w, err := trace.Create("trace.json")
//	…
//	lane := w.Lane("compute", 0)
//	began := time.Now()
//	…
//	lane.Span("block 0", began, time.Now(), trace.Arg{Key: "rows", Value: 4})
//	…
//	err = w.Close()
//
// Events go to the file whenever some hundred have come together, and after each time the file is valid JSON, so that a program that is
// killed leaves a trace too. Methods of a nil Writer and of a nil Lane do nothing.
package trace

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"
)

// Writer writes one trace. It is safe for concurrent use and holds no more than bufferBytes of events.
type Writer struct {
	begun time.Time

	mu     sync.Mutex
	file   file
	end    int64  // offset of what closes the array
	buffer []byte // events that belong there
	lanes  int
	err    error // the first of writing
}

type file interface {
	io.WriterAt
	io.Closer
}

const (
	bufferBytes = 64 << 10
	opening     = "["
	closing     = "\n]\n"
)

// Create begins a trace in the file of that name, which is overwritten.
func Create(path string) (*Writer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	return newWriter(f), nil
}

func newWriter(f file) *Writer {
	w := &Writer{begun: time.Now(), file: f, buffer: append(make([]byte, 0, bufferBytes), opening...)}
	w.flush()
	return w
}

// Close writes what is left. The error is the first that writing met with.
func (w *Writer) Close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush()
	if err := w.file.Close(); w.err == nil {
		w.err = err
	}
	if w.err != nil {
		return fmt.Errorf("trace: %w", w.err)
	}
	return nil
}

// Lane adds a lane. Viewers show lanes in ascending order of their ranks, and those of one rank in the order of their names.
func (w *Writer) Lane(name string, rank int) *Lane {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lanes++
	l := &Lane{w, w.lanes}
	w.event(fmt.Appendf(nil, `{"name":"thread_name","ph":"M","pid":1,"tid":%d,"args":{"name":%s}}`, l.id, quote(name)))
	w.event(fmt.Appendf(nil, `{"name":"thread_sort_index","ph":"M","pid":1,"tid":%d,"args":{"sort_index":%d}}`, l.id, rank))
	return l
}

// Lane is a line of events that follow or enclose each other.
type Lane struct {
	writer *Writer
	id     int
}

// Arg is a number that belongs to an event.
type Arg struct {
	Key   string
	Value int64
}

// Span adds an event that went on from began to ended. Events of a lane may be added in any order.
func (l *Lane) Span(name string, began, ended time.Time, args ...Arg) {
	if l == nil {
		return
	}
	w := l.writer
	e := append([]byte(`{"name":`), quote(name)...)
	e = append(e, `,"ph":"X","pid":1,"tid":`...)
	e = strconv.AppendInt(e, int64(l.id), 10)
	e = append(e, `,"ts":`...)
	e = appendMicroseconds(e, began.Sub(w.begun))
	e = append(e, `,"dur":`...)
	e = appendMicroseconds(e, max(0, ended.Sub(began)))
	for i, a := range args {
		e = append(e, [2]string{`,"args":{`, `,`}[min(i, 1)]...)
		e = append(append(e, quote(a.Key)...), ':')
		e = strconv.AppendInt(e, a.Value, 10)
	}
	if len(args) > 0 {
		e = append(e, '}')
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.event(append(e, '}'))
}

func appendMicroseconds(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, float64(d)/1e3, 'f', 3, 64)
}

func quote(s string) []byte {
	b, _ := json.Marshal(s) // a string can always be written
	return b
}

// event adds an event; w is locked.
func (w *Writer) event(e []byte) {
	separator := ",\n"
	if w.end == int64(len(opening)) && len(w.buffer) == 0 {
		separator = "\n"
	}
	if len(w.buffer)+len(separator)+len(e)+len(closing) > bufferBytes {
		w.flush()
	}
	w.buffer = append(append(w.buffer, separator...), e...)
}

// flush writes the buffer and closes the array behind it; the next flush overwrites that.
func (w *Writer) flush() {
	n := len(w.buffer)
	if w.err == nil {
		_, w.err = w.file.WriteAt(append(w.buffer, closing...), w.end)
	}
	w.end += int64(n)
	w.buffer = w.buffer[:0]
}
