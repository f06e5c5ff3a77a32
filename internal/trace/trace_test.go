package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type event struct {
	Name     string         `json:"name"`
	Phase    string         `json:"ph"`
	Process  int            `json:"pid"`
	Thread   int            `json:"tid"`
	Begin    float64        `json:"ts"`
	Duration float64        `json:"dur"`
	Args     map[string]any `json:"args"`
}

func read(t *testing.T, path string) []event {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var events []event
	if err := json.Unmarshal(text, &events); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return events
}

func create(t *testing.T) (w *Writer, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "trace.json")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return w, path
}

func TestEvents(t *testing.T) {
	w, path := create(t)
	lane := w.Lane(`the "first" lane`, 7)
	began := w.begun.Add(1500 * time.Nanosecond)
	lane.Span("one", began, began.Add(2*time.Millisecond))
	lane.Span("two", began, began.Add(-1), Arg{"rows", 4}, Arg{"bytes", 1 << 40})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	events := read(t, path)
	if len(events) != 4 {
		t.Fatalf("%d events", len(events))
	}
	if m := events[0]; m.Phase != "M" || m.Name != "thread_name" || m.Args["name"] != `the "first" lane` {
		t.Errorf("%+v", m)
	}
	if m := events[1]; m.Phase != "M" || m.Name != "thread_sort_index" || m.Args["sort_index"] != 7.0 {
		t.Errorf("%+v", m)
	}
	if e := events[2]; e.Phase != "X" || e.Name != "one" || e.Thread != events[0].Thread || e.Begin != 1.5 || e.Duration != 2000 || e.Args != nil {
		t.Errorf("%+v", e)
	}
	if e := events[3]; e.Duration != 0 || e.Args["rows"] != 4.0 || e.Args["bytes"] != float64(1<<40) {
		t.Errorf("%+v", e)
	}
}

// Many goroutines write, memory stays bounded, and the file is valid at any time.
func TestTraceIsAlwaysValid(t *testing.T) {
	w, path := create(t)
	if events := read(t, path); len(events) != 0 {
		t.Errorf("a new trace has %d events", len(events))
	}
	const lanes, spans = 4, 3000
	var group sync.WaitGroup
	for i := range lanes {
		lane := w.Lane(fmt.Sprint("lane ", i), i)
		group.Go(func() {
			for range spans {
				now := time.Now()
				lane.Span("span", now, now, Arg{"n", 1})
			}
		})
	}
	group.Wait()
	if cap(w.buffer) > bufferBytes {
		t.Errorf("the buffer grew to %d bytes", cap(w.buffer))
	}
	before := len(read(t, path)) // as after a kill
	if before == 0 {
		t.Error("nothing is written before the end")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := len(read(t, path)); got != lanes*(spans+2) || got < before {
		t.Errorf("%d events", got)
	}
}

func TestNoTrace(t *testing.T) {
	var w *Writer
	w.Lane("none", 0).Span("nothing", time.Now(), time.Now())
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if n := testing.AllocsPerRun(100, func() { w.Lane("none", 0).Span("nothing", time.Time{}, time.Time{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) WriteAt([]byte, int64) (int, error) { return 0, errFull }
func (fullDisk) Close() error                       { return nil }

func TestErrors(t *testing.T) {
	if _, err := Create(filepath.Join(t.TempDir(), "none", "trace.json")); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("got %v", err)
	}
	w := newWriter(fullDisk{})
	w.Lane("lane", 0).Span("span", time.Now(), time.Now())
	if err := w.Close(); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}
