package lever

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lever-go/lever/internal/trace"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
)

// tracer writes what an Engine does when. The methods of a nil tracer leave everything as it is.
type tracer struct {
	writer                *trace.Writer
	target, verify, draft *trace.Lane

	mu    sync.Mutex
	lanes map[string]*trace.Lane // of the streamer, by name
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
	return &tracer{
		writer: w, draft: w.Lane("draft", 0), verify: w.Lane("verification", 1), target: w.Lane("target", 2),
		lanes: map[string]*trace.Lane{"wait": w.Lane("wait", 3)}, // for reads, below what needs them
	}, nil
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

// reads returns what tells of the target's reads, each on the lane of its reader.
func (t *tracer) reads() func(lane, name string, began, ended time.Time) {
	if t == nil {
		return nil
	}
	return func(lane, name string, began, ended time.Time) { t.lane(lane).Span(name, began, ended) }
}

// lane returns the lane of that name.
func (t *tracer) lane(name string) *trace.Lane {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, ok := t.lanes[name]
	if !ok {
		l = t.writer.Lane(name, 4)
		t.lanes[name] = l
	}
	return l
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
	spec.Decoder
	lane *trace.Lane
}

func (m tracedModel) span(name string, rows int, began time.Time) {
	m.lane.Span(name, began, time.Now(), trace.Arg{Key: "rows", Value: int64(rows)})
}

func (m tracedModel) Forward(ctx context.Context, b spec.Batch) (int, error) {
	name := "tree"
	if b.Parents == nil {
		name = "prompt"
	}
	defer m.span(name, len(b.Tokens), time.Now())
	return m.Decoder.Forward(ctx, b)
}

func (m tracedModel) Project(ctx context.Context, dst []float32, rows []int) error {
	defer m.span("projection", len(rows), time.Now())
	return m.Decoder.Project(ctx, dst, rows)
}

func (m tracedModel) Commit(path []int) error {
	defer m.span("commit", len(path), time.Now())
	return m.Decoder.Commit(path)
}
