package weights

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever/tensor"
)

func TestStreamArguments(t *testing.T) {
	s := open(t, smallStore(t))
	for field, o := range map[string]StreamOptions{
		"ReadSize": {ReadSize: math.MaxInt}, "Depth": {Depth: math.MaxInt}, "Tiles": {Tiles: math.MaxInt}, "Ring": {Ring: math.MaxInt64},
		"DRAM": {DRAM: math.MaxInt64}, "ReadSize is -1": {ReadSize: -1}, "Depth is -1": {Depth: -1}, "DRAM is -1": {DRAM: -1},
	} {
		if _, err := s.Stream(t.Context(), o); !errors.Is(err, ErrArgument) || !strings.Contains(err.Error(), field) {
			t.Errorf("Stream, %s: %v", field, err)
		}
		if _, err := s.PlanFor(o); !errors.Is(err, ErrArgument) {
			t.Errorf("PlanFor, %s: %v", field, err)
		}
	}
	r, err := s.Stream(t.Context(), StreamOptions{ReadSize: maxReadSize, Tiles: maxTiles, Ring: maxStreamBytes})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, limit := range []int64{-1, 0, math.MinInt64, math.MaxInt64} {
		if _, err := r.Resize(limit); !errors.Is(err, ErrArgument) {
			t.Errorf("Resize to %d: %v", limit, err)
		}
	}
	if err := firstError(r.Parts(t.Context(), "block.0.q")); err != nil {
		t.Error(err)
	}
	var small *MemoryError
	if _, err := s.Plan(1); !errors.As(err, &small) || small.Have != 1 {
		t.Fatal(err)
	}
	if _, err := s.Plan(small.Need); err != nil {
		t.Errorf("the least that a plan needs is %d: %v", small.Need, err)
	}
	if _, err := s.Plan(small.Need - 1); err == nil {
		t.Errorf("%d is not the least", small.Need)
	}
}

type panicking struct{ File }

func (panicking) ReadAt([]byte, int64) (int, error) { panic("by the file") }

// A panic of what a caller has given comes back to that caller, whatever goroutine it happens on.
func TestPanicsOfCallers(t *testing.T) {
	dir := smallStore(t)
	open(t, dir)
	bad, err := Open(t.Context(), dir, OpenOptions{OpenFile: func(string) (File, error) { return panicking{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, err error) {
		if err == nil || !strings.Contains(err.Error(), "panic: by the") {
			t.Errorf("%s: %v", what, err)
		}
	}
	read := func(s *Store, o StreamOptions) error {
		r, err := s.Stream(t.Context(), o)
		if err != nil {
			return err
		}
		defer r.Close()
		return firstError(r.Parts(t.Context(), "block.0.q"))
	}
	bad.openFile = func(path string) (File, error) {
		f, err := openFile(path)
		return panicking{f}, err
	}
	check("Stream", read(bad, StreamOptions{}))
	check("Trace", read(open(t, dir), StreamOptions{Trace: func(lane, _ string, _, _ time.Time) {
		if lane != "wait" { // which is told on the caller's goroutine
			panic("by the trace")
		}
	}}))
	check("Resident", func() error { _, err := bad.Resident(t.Context(), nil); return err }())
	check("Verify", Verify(t.Context(), dir, func(Progress) { panic("by the progress") }))
	m := madeModel()
	x := m.Tensors["block.0.q"]
	x.Data = panicking{}
	m.Tensors["block.0.q"] = x
	check("Write", Write(t.Context(), m, filepath.Join(t.TempDir(), "x"), WriteOptions{}))
}

// A mistake of a call is not called damage of data.
func TestWriteArguments(t *testing.T) {
	for name, spoil := range map[string]func(m *Contents){
		"config":     func(m *Contents) { m.Config = []byte("[") },
		"missing":    func(m *Contents) { delete(m.Tensors, "block.0.q") },
		"twice":      func(m *Contents) { m.Steps = [][]string{{embeddingName}, {"block.0.q", "block.0.q"}} },
		"empty step": func(m *Contents) { m.Steps = [][]string{{embeddingName}, {}} },
		"columns":    func(m *Contents) { x := m.Tensors["block.0.q"]; x.Cols = math.MaxInt; m.Tensors["block.0.q"] = x },
	} {
		m := madeModel()
		spoil(&m)
		if err := Write(t.Context(), m, filepath.Join(t.TempDir(), "x"), WriteOptions{}); !errors.Is(err, ErrArgument) || errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Rows of the embedding are looked up in tiles, also where there is only one.
func TestEmbeddingOfOneRow(t *testing.T) {
	data := bytes.NewReader(make([]byte, 4*64))
	m := Contents{
		Config: []byte("{}"), Steps: [][]string{{embeddingName}, {"x"}},
		Tensors: map[string]Tensor{embeddingName: {Type: tensor.F32, Rows: 1, Cols: 64, Data: data}, "x": {Type: tensor.F32, Rows: 1, Cols: 64, Data: data}},
	}
	dir := filepath.Join(t.TempDir(), "x")
	if err := Write(t.Context(), m, dir, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	r, err := open(t, dir).Stream(context.Background(), StreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if p, err := r.Tile(t.Context(), embeddingName, 0); err != nil || p.Check() != nil || !tensor.Packable(p.Type) {
		t.Errorf("%v, %v", p, err)
	}
}
