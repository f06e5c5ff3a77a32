package lever

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/lever-go/lever/internal/trace"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/weights"
)

// tracer writes what an Engine does when. The methods of a nil tracer leave everything as it is.
type tracer struct {
	writer                *trace.Writer
	target, verify, draft *trace.Lane

	mu      sync.Mutex
	readers []*trace.Lane
	idle    []int // of readers, those without a read under way
}

// newTracer begins a trace in the file of that name; an empty name gives a nil tracer.
func newTracer(path string) (*tracer, error) {
	if path == "" {
		return nil, nil
	}
	w, err := trace.Create(path)
	if err != nil {
		return nil, fmt.Errorf("lever: %w", err)
	}
	return &tracer{writer: w, verify: w.Lane("verification"), target: w.Lane("target"), draft: w.Lane("draft")}, nil
}

func (t *tracer) close() error {
	if t == nil {
		return nil
	}
	return t.writer.Close()
}

// parts returns what tells of the parts of the target's passes.
func (t *tracer) parts() layers.Trace {
	if t == nil {
		return nil
	}
	return func(part string, rows int, began time.Time) {
		t.target.Span(part, began, time.Now(), trace.Arg{Key: "rows", Value: int64(rows)})
	}
}

// opener returns a function that opens files as open does and tells of their reads.
func (t *tracer) opener(open func(path string) (weights.File, error)) func(path string) (weights.File, error) {
	if t == nil {
		return open
	}
	if open == nil {
		open = weights.OpenFile
	}
	return func(path string) (weights.File, error) {
		f, err := open(path)
		if err != nil {
			return nil, err
		}
		return &tracedFile{f, filepath.Base(path), t}, nil
	}
}

// tracedFile tells of the reads of a file. Reads that are under way at once are on lanes of their own.
type tracedFile struct {
	weights.File
	name   string
	tracer *tracer
}

func (f *tracedFile) ReadAt(p []byte, offset int64) (int, error) {
	reader, lane := f.tracer.begin()
	began := time.Now()
	n, err := f.File.ReadAt(p, offset)
	lane.Span(f.name, began, time.Now(), trace.Arg{Key: "bytes", Value: int64(n)}, trace.Arg{Key: "offset", Value: offset})
	f.tracer.end(reader)
	return n, err
}

// begin returns the first idle reader.
func (t *tracer) begin() (reader int, lane *trace.Lane) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.idle) == 0 {
		t.idle = append(t.idle, len(t.readers))
		t.readers = append(t.readers, t.writer.Lane(fmt.Sprintf("reader %d", len(t.readers)+1)))
	}
	first := 0
	for i, r := range t.idle {
		if r < t.idle[first] {
			first = i
		}
	}
	reader = t.idle[first]
	t.idle = append(t.idle[:first], t.idle[first+1:]...)
	return reader, t.readers[reader]
}

func (t *tracer) end(reader int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle = append(t.idle, reader)
}

// models makes the models of options tell of what they do.
func (t *tracer) models(options *spec.Options) {
	if t == nil {
		return
	}
	options.Target = tracedModel{options.Target, t.verify}
	if options.Draft != nil {
		options.Draft = tracedModel{options.Draft, t.draft}
	}
}

// tracedModel tells of the calls of a model.
type tracedModel struct {
	spec.Model
	lane *trace.Lane
}

func (m tracedModel) span(name string, rows int, began time.Time) {
	m.lane.Span(name, began, time.Now(), trace.Arg{Key: "rows", Value: int64(rows)})
}

func (m tracedModel) Forward(ctx context.Context, b layers.Batch) (int, error) {
	name := "tree"
	if b.Parents == nil {
		name = "prompt"
	}
	defer m.span(name, len(b.Tokens), time.Now())
	return m.Model.Forward(ctx, b)
}

func (m tracedModel) Project(ctx context.Context, dst []float32, rows []int) error {
	defer m.span("projection", len(rows), time.Now())
	return m.Model.Project(ctx, dst, rows)
}

func (m tracedModel) Commit(path []int) error {
	defer m.span("commit", len(path), time.Now())
	return m.Model.Commit(path)
}
